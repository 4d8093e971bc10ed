"""The runs of a window, as the database puts them together: by their due times, for which there is an index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connections

from .. import conf, past, sql
from ..models import OPEN_STATUSES, Run, Status
from ..past import PastRun
from .blocks import ZERO, Block, up_to
from .window import Window

LIMIT: Final = 400_000  # runs of one window that are looked at, the newest first
OPEN_LIMIT: Final = 1_000  # runs that wait or run
BEFORE: Final = 3  # runs of each job before the window, of which one may reach into it
# The last of so many runs in the order of their due times has nearly the highest id.
NEARLY: Final = 100
COLUMNS: Final = (
    "id",
    "job_id",
    "status",
    "scheduled_for",
    "started_at",
    "finished_at",
    "coalesced",
    "reason",
    "queue",
)
# The seconds from one moment to another, and their whole part.
_SECONDS: Final[Mapping[str, str]] = {
    "sqlite": "((julianday({1}) - julianday({0})) * 86400.0)",
    "postgresql": "EXTRACT(EPOCH FROM ({1} - {0}))",
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, {0}, {1}) / 1000000.0)",
}
_WHOLE: Final[Mapping[str, str]] = {"sqlite": "CAST({0} AS INTEGER)", "postgresql": "FLOOR({0})", "mysql": "FLOOR({0})"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of a window."""

    blocks: tuple[Block, ...]
    known_from: datetime  # what was due before this in the window was too much to be read


def read(window: Window, job_ids: Sequence[int]) -> Reading:
    """Read the runs of these jobs that waited or ran in this window, however many.

    A few statements, whatever they find; one more for each 200 jobs.
    """
    within = _within(window)
    is_cut = sum(block.count for block in within) >= LIMIT
    known_from = min(block.due for block in within) if is_cut else window.start
    known = {block.run_id: block for block in (*_before(window, job_ids), *_open(window))}
    found = [up_to(block, window.now) for block in (*known.values(), *within)]
    return Reading(blocks=tuple(found), known_from=known_from)


def _within(window: Window) -> list[Block]:
    """Read what was due in the window, put together by job, status and column.

    The inner part keeps its order, or SQLite would go through the whole table in the order of the groups.
    """
    using = conf.load().database
    run = sql.table(Run, using)
    seconds, whole = _SECONDS[connections[using].vendor], _WHOLE[connections[using].vendor]
    due, started, finished = (run[name] for name in ("scheduled_for", "started_at", "finished_at"))
    waited, ran = seconds.format(due, started), seconds.format(started, finished)
    column = whole.format(f"{seconds.format('%s', due)} / {window.column.total_seconds()!r}")
    away = f"CASE WHEN {run['queue']} = '' THEN 0 ELSE 1 END"
    statement = (
        f"SELECT {run['job_id']}, {run['status']}, {column} AS place, COUNT(*), MIN({run['id']}), MIN({due}), "
        f"MAX({due}), MIN({started}), MAX({finished}), SUM({waited}), MAX({waited}), SUM({ran}), "
        f"SUM({run['coalesced']}), MAX({run['reason']}), {away} "
        f"FROM (SELECT {run.names(COLUMNS)} FROM {run} WHERE {due} >= %s AND {due} < %s "
        f"ORDER BY {due} DESC, {run['id']} DESC LIMIT {LIMIT}) AS lately "
        f"GROUP BY {run['job_id']}, {run['status']}, place, {away}"
    )
    start, end = (run.values({"scheduled_for": moment})[0] for moment in (window.start, window.end))
    with connections[using].cursor() as cursor:
        cursor.execute(statement, [start, start, end])
        return _blocks(cursor.fetchall(), using)


def _blocks(rows: Iterable[Sequence[Any]], using: str) -> list[Block]:
    moment = past.moments(using)
    return [
        Block(
            job_id=row[0],
            status=Status(row[1]),
            count=row[3],
            run_id=row[4],
            due=moment(row[5]),
            last_due=moment(row[6]),
            started=moment(row[7]),
            ended=moment(row[8]),
            waited=_span(row[9]),
            longest=_span(row[10]),
            ran=_span(row[11]),
            folded=int(row[12]),
            reason=row[13],
            is_away=bool(row[14]),
        )
        for row in rows
    ]


def _span(seconds: Any) -> timedelta:
    return max(ZERO, timedelta(seconds=float(seconds or 0)))


def _before(window: Window, job_ids: Sequence[int]) -> list[Block]:
    """Read what was due before the window and reaches into it: it waited or ran when that began, or skips went on."""
    runs = Run.objects.using(conf.load().database).filter(scheduled_for__lt=window.start)
    nearly = runs.order_by("-scheduled_for", "-id").values_list("id", flat=True)[:NEARLY]
    last = max(nearly, default=None)
    found = past.recent(job_ids, BEFORE, upto=last) if last is not None else {}
    reaching = (run for runs in found.values() for run in runs if _reaches(run, window.start))
    return [_block(run) for run in reaching]


def _reaches(run: PastRun, moment: datetime) -> bool:
    return run.scheduled_for < moment and (run.finished_at is None or run.finished_at >= moment)


def _open(window: Window) -> list[Block]:
    """Read what waits or runs and was due before the window."""
    runs = Run.objects.using(conf.load().database).filter(status__in=OPEN_STATUSES, scheduled_for__lt=window.start)
    columns = ("id", "job_id", "status", "cause", "scheduled_for", "started_at", "finished_at", "coalesced", "queue")
    # Those that run first: those that wait for a worker of an engine may be many.
    rows = runs.order_by("-status", "id").values_list(*columns)[:OPEN_LIMIT]
    return [_block(PastRun(**dict(zip(("run_id", *columns[1:]), row, strict=True)))) for row in rows]


def _block(run: PastRun) -> Block:
    waited = max(ZERO, run.started_at - run.scheduled_for) if run.started_at else ZERO
    return Block(
        job_id=run.job_id,
        status=run.status,
        run_id=run.run_id,
        due=run.scheduled_for,
        last_due=run.scheduled_for,
        started=run.started_at,
        ended=run.finished_at,
        waited=waited,
        longest=waited,
        ran=run.took or ZERO,
        folded=run.coalesced,
        is_away=bool(run.queue),
    )
