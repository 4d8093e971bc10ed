"""``manage.py pruneruns``: deletes old history; itself a scheduled job."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler_bridge import conf, history

# Nothing is older; a longer age would lead to moments that databases cannot hold.
OLDEST: Final = datetime(1970, 1, 2, tzinfo=UTC)


class Command(BaseCommand):
    """Deletes runs older than HISTORY_AGE, but never the newest HISTORY_KEEP of each job."""

    help = str(gettext_lazy("Deletes the history of old runs"))

    class ScheduledJob:
        scheduled_times = time(4, 10)
        internal = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        text = _("delete runs that ended more than so many days ago; default: the setting HISTORY_AGE")
        parser.add_argument("--age-days", type=_count, default=None, help=text)
        text = _("keep so many of the newest runs of each job; default: the setting HISTORY_KEEP")
        parser.add_argument("--keep", type=_count, default=None, help=text)

    def handle(self, *args: Any, age_days: int | None, keep: int | None, **options: Any) -> None:
        settings, now = conf.load(), datetime.now(UTC)
        age = settings.history_age if age_days is None else timedelta(days=min(age_days, timedelta.max.days))
        count = history.prune(now, min(age, now - OLDEST), settings.history_keep if keep is None else keep)
        self.stdout.write(ngettext("%d run deleted", "%d runs deleted", count) % count)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ArgumentTypeError(_("expected a whole number, zero or more, got: %(text)r") % {"text": text})
    return number
