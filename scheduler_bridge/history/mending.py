"""What a record needs besides its own row, made good where it was lost: no job may fall silent for it.

Somebody who deletes old jobs deletes rows of django-apscheduler's ledger too; tables that were filled by a copy may
have more rows than their sequences know of.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from typing import Final, TypeVar

from django.db import DatabaseError, IntegrityError, transaction
from django_apscheduler.models import DjangoJobExecution

from .. import ledger, sql
from ..models import Deployment, Hold, Job, Run, Standby
from ..outage import described, is_outage
from .rows import using

logger = logging.getLogger("scheduler_bridge")

NUMBERED: Final = (Run, DjangoJobExecution, Job, Hold, Standby, Deployment)
T = TypeVar("T")


def insisted(step: Callable[[], T], names: Collection[str]) -> T:
    """Do what adds a row, and once more where it failed for something that could be made good.

    Args:
        names: of the jobs that it is about.
    """
    try:
        return step()
    except IntegrityError as error:
        if not mended(names, error):
            raise
    return step()


def mended(names: Collection[str], error: Exception) -> bool:
    """Make good what is missing for these jobs; False where nothing is, or where that fails.

    Args:
        error: what a statement failed for.
    """
    try:
        with transaction.atomic(using=using()):
            lines = [*_rows_of_ledger(names), *_sequences()]
    except DatabaseError as refusal:
        if is_outage(refusal):
            raise
        logger.error("%s; and what it may need cannot be made good: %s", described(error), described(refusal))
        return False
    for line in lines:
        logger.warning("%s, after this: %s", line, described(error))
    return bool(lines)


def _rows_of_ledger(names: Collection[str]) -> Iterator[str]:
    if missing := ledger.missing(names, using()):
        ledger.register(dict.fromkeys(missing), using())
        yield f"the row of django-apscheduler's table of jobs is made anew for {', '.join(missing)}"


def _sequences() -> Iterator[str]:
    for model in NUMBERED:
        if (number := sql.set_forward(model, using())) is not None:
            yield f"the sequence of {model._meta.db_table} stood behind its rows and is set forward to {number}"
