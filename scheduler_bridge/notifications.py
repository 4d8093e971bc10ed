"""The mails about runs, and their retry; a run is recorded long before anything here happens."""

import logging
import unicodedata
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin

from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from . import conf, history
from .models import Run, Status
from .object_text import text_of, type_name

logger = logging.getLogger("scheduler_bridge")

OUTPUT_LIMIT: Final = 20_000  # characters of the output's end
SUBJECT_LIMIT: Final = 200  # characters
BATCH: Final = 20  # reports in one look, each with its whole output
SMTP_TIMEOUT: Final = 30  # seconds, where the project states none
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(days=1)
WORDS: Final = {
    Status.FAILED: _("failed"),
    Status.TIMED_OUT: _("timed out"),
    Status.ABANDONED: _("was abandoned"),
    Status.SUCCEEDED: _("succeeded"),
}


def send_due(now: datetime) -> int:
    """Send the reports that are due, the longest waiting first and each by itself; give how many are out.

    Raises:
        DatabaseError, InterfaceError: the database is away; what was not sent stays due.
    """
    sent = 0
    for run in history.reports_due(now, BATCH):
        sent += _send(run, now)
    return sent


def compose(run: Run) -> EmailMultiAlternatives:
    """Write the mail about a closed run, as plain text with an HTML part."""
    context = _context(run)
    message = EmailMultiAlternatives(
        subject=_subject(run),
        body=render_to_string("scheduler_bridge/mail/run.txt", context),
        from_email=conf.load().from_email,
        to=list(conf.load().notify),
    )
    message.attach_alternative(render_to_string("scheduler_bridge/mail/run.html", context), "text/html")
    return message


def _send(run: Run, now: datetime) -> bool:
    if not conf.load().notify:
        logger.warning("job %s run %s: nobody to mail, see NOTIFY and ADMINS", run.job.name, run.pk)
        history.report_failed(run.pk, now, run.report_tries, None)
        return False
    try:
        _backend().send_messages([compose(run)])
    except Exception as error:  # each mail service raises errors of its own; none may stop the other reports
        _postpone(run, now, error)
        return False
    history.report_sent(run.pk, now)
    return True


def _backend() -> BaseEmailBackend:
    """Give the project's mail backend; over SMTP a server that does not answer is left after a while."""
    mailers = getattr(mail, "mailers", None)  # since Django 6.1
    backend: BaseEmailBackend = mail.get_connection() if mailers is None else mailers.default
    if isinstance(backend, SmtpBackend) and backend.timeout is None:
        backend.timeout = SMTP_TIMEOUT
    return backend


def _postpone(run: Run, now: datetime, error: Exception) -> None:
    tries = run.report_tries + 1
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10))
    given_up = now + pause > (run.finished_at or now) + GIVE_UP_AFTER
    history.report_failed(run.pk, now, tries, None if given_up else now + pause)
    logger.log(
        logging.ERROR if given_up else logging.WARNING,
        "job %s run %s: mail not sent (try %s), %s: %s: %s",
        run.job.name,
        run.pk,
        tries,
        "given up" if given_up else f"next try in {pause}",
        type_name(error),
        text_of(error),
    )


def _subject(run: Run) -> str:
    word = WORDS.get(Status(run.status), run.status)
    reason = f": {run.reason}" if run.reason else ""
    text = f"{django_settings.EMAIL_SUBJECT_PREFIX}{run.job.name} {word}{reason}"
    # A line end in a reason would begin a header of its own; U+2028 counts as one, too.
    plain = "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in text)
    line = " ".join(plain.split())
    return line if len(line) <= SUBJECT_LIMIT else line[: SUBJECT_LIMIT - 1].rstrip() + "…"


def _context(run: Run) -> dict[str, Any]:
    output = run.output
    return {
        "run": run,
        "word": WORDS.get(Status(run.status), run.status),
        "due": _local(run.scheduled_for),
        "started": _local(run.started_at),
        "duration": _duration(run),
        "output": output[-OUTPUT_LIMIT:],
        "is_cut": len(output) > OUTPUT_LIMIT,
        "link": _link(run),
    }


def _local(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    return f"{conf.load().local(moment):%Y-%m-%d %H:%M:%S %Z}"


def _duration(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return "-"
    seconds = max(0.0, (run.finished_at - run.started_at).total_seconds())
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _link(run: Run) -> str:
    if not conf.load().site_url:
        return ""
    try:
        return urljoin(conf.load().site_url, reverse("admin:scheduler_bridge_run_change", args=[run.pk]))
    except NoReverseMatch:
        return ""
    except Exception as error:  # this loads the project's URLs and views, which may fail in any way
        logger.warning("job %s run %s: mailed without a link: %r", run.job.name, run.pk, error)
        return ""
