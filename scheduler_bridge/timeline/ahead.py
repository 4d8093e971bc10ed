"""What is still to come in a window, by the forecast."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ..forecast import Forecast, Load
from .blocks import ZERO, Block, merged
from .window import Window


def to_come(forecast: Forecast, loads: Iterable[Load], window: Window) -> list[Block]:
    """Give what the forecast says of this window, put together where it lies close.

    What waits already has waited since it was due; of what runs already only the rest is to come.
    """
    blocks = (block for block in _all(forecast, loads, window.now) if _end(block) > window.start)
    return list(merged((block for block in blocks if block.due < window.end), window))


def _all(forecast: Forecast, loads: Iterable[Load], now: datetime) -> Iterator[Block]:
    for load in loads:
        if load.running is not None and load.running.ends > now:
            yield replace(_block(load.job_id, now, now, load.running.ends), is_away=load.running.is_away)
    for start in forecast.starts:
        block = _block(start.job_id, start.due, start.starts, start.ends, start.coalesced, start.behind)
        yield replace(block, is_away=start.is_away)
    for waiting in forecast.waiting:
        yield _block(waiting.job_id, waiting.due, None, forecast.until, behind=waiting.behind)


def _block(
    job_id: int,
    due: datetime,
    started: datetime | None,
    ended: datetime,
    folded: int = 0,
    behind: tuple[str, ...] = (),
) -> Block:
    waited = max(ZERO, (started or ended) - due)
    return Block(
        job_id=job_id,
        status=None,
        due=due,
        last_due=due,
        started=started,
        ended=ended,
        waited=waited,
        longest=waited,
        ran=max(ZERO, ended - started) if started else ZERO,
        folded=folded,
        behind=behind,
    )


def _end(block: Block) -> datetime:
    return block.ended or block.due
