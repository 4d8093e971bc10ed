"""The strips as a table, for those who cannot see them: a row for each bar and each part that stands for many."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ..timeline import Block, Cell, Page, Strip
from . import addresses, presentation, strip_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    job: str
    due: str
    address: str  # of the runs behind it; empty for those to come
    started: str
    waited: str
    ran: str
    status: str
    css: str


def table(page: Page) -> list[Row]:
    """Give all that is drawn, job by job, from old to new."""
    return [row for strip in page.strips for row in _rows(strip)]


def _rows(strip: Strip) -> Iterator[Row]:
    for side in (strip.done, strip.to_come):
        yield from (_of_block(strip.name, block) for block in side.bars)
        yield from (_of_cell(strip, cell) for cell in side.cells)


def _of_block(name: str, block: Block) -> Row:
    return Row(
        job=name,
        due=presentation.moment(block.due) if block.count == 1 else strip_words.stretch(block.due, block.last_due),
        address=addresses.of_block(block),
        started=strip_words.clock(block.started) if block.started else "-",
        waited="-" if block.skips else strip_words.waited(block),
        ran=presentation.span(block.ran) if block.started else "-",
        status=strip_words.told(block),
        css=block.status or "planned",
    )


def _of_cell(strip: Strip, cell: Cell) -> Row:
    counted = strip_words.counted(cell.count, cell.failed, cell.skips, is_to_come=cell.is_to_come)
    return Row(
        job=strip.name,
        due=strip_words.stretch(cell.due, cell.last_due),
        address=addresses.of_cell(strip.job_id, cell),
        started="-",
        waited=strip_words.up_to(cell.longest) if cell.longest > timedelta(0) else "-",
        ran=presentation.span(cell.ran) if cell.ran else "-",
        status=counted,
        css="failed" if cell.failed else "planned",
    )
