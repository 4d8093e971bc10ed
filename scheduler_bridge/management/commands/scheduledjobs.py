"""``manage.py scheduledjobs``: look at the jobs, run one, ask why it does not run, hold and resume."""

import argparse
import getpass
import json
import os
import sys
import time
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_bridge import api, conf, diagnosis
from scheduler_bridge.discovery import discover
from scheduler_bridge.exceptions import JobDisabled, UnknownJob
from scheduler_bridge.management import listing, status
from scheduler_bridge.models import OPEN_STATUSES, Run, Status
from scheduler_bridge.plain import plain

POLL: Final = 0.2  # seconds


class Command(BaseCommand):
    """Shows and steers the scheduled jobs."""

    help = str(gettext_lazy("Shows the scheduled jobs, runs one, says why one does not run"))

    def add_arguments(self, parser: ArgumentParser) -> None:
        _json_option(parser, default=False)
        actions = parser.add_subparsers(dest="action", metavar="list|run|why|hold|resume|status|unscheduled")
        for name, text in (
            ("list", _("every job, with its schedule and its last run")),
            (
                "status",
                _("whether a runner is alive; exit code 2: none, 3: a queue is not served, 4: a job is stuck"),
            ),
            ("unscheduled", _("the commands that are no jobs")),
        ):
            _json_option(actions.add_parser(name, help=text))
        run = actions.add_parser("run", help=_("let the runner run a job now"))
        run.add_argument("name", help=_("app.command, or command alone"))
        run.add_argument("--force", action="store_true", help=_("even if it is disabled, and without should_run"))
        run.add_argument("--wait", action="store_true", help=_("wait for its end and show its output"))
        _json_option(run)
        why = actions.add_parser("why", help=_("why a job does not run"))
        why.add_argument("name", help=_("app.command, or command alone"))
        _json_option(why)
        hold = actions.add_parser("hold", help=_("start nothing more"))
        hold.add_argument("--reason", default="", help=_("why, in one line"))
        resume = actions.add_parser("resume", help=_("go on after a hold"))
        text = _("run what became due meanwhile, or record it as skipped")
        resume.add_argument("--pending", choices=["run", "skip"], default="run", help=text)

    def handle(self, *args: Any, action: str | None, **options: Any) -> None:
        getattr(self, f"do_{action or 'list'}")(options)

    def do_list(self, options: dict[str, Any]) -> None:
        entries = listing.entries()
        if options["json"]:
            self._json([asdict(entry) for entry in entries])
        else:
            self._lines(listing.aligned(listing.columns(entries)))

    def do_run(self, options: dict[str, Any]) -> None:
        name = _full_name(options["name"])
        try:
            run = api.run_now(name, force=options["force"], requested_by=_person())
        except (UnknownJob, JobDisabled) as error:
            raise CommandError(str(error)) from error
        if options["wait"]:
            self._warn_of_a_long_wait()
            run = _closed(run)
        if options["json"]:
            self._json(listing.run_values(run))
        elif options["wait"]:
            self._show_end(run)
        else:
            self.stdout.write(_("%(job)s is queued as run %(run)s") % {"job": name, "run": run.pk})
        if options["wait"] and run.status != Status.SUCCEEDED:
            sys.exit(1)

    def do_why(self, options: dict[str, Any]) -> None:
        name = _full_name(options["name"])
        found = diagnosis.why(name, datetime.now(UTC))
        if options["json"]:
            stop = found.stop.name if found.stop else None
            gates = [asdict(gate) for gate in found.gates]
            self._json({"job": name, "stop": stop, "text": found.text, "gates": gates})
            return
        self.stdout.write(f"{name}: {found.text}")
        self._lines(listing.aligned([["", "+" if gate.passed else "-", gate.name, gate.text] for gate in found.gates]))

    def do_hold(self, options: dict[str, Any]) -> None:
        api.hold(options["reason"], by=_person())
        self.stdout.write(_("on hold: nothing is started until resumed"))

    def do_resume(self, options: dict[str, Any]) -> None:
        api.resume(options["pending"])
        self.stdout.write(_("resumed"))

    def do_status(self, options: dict[str, Any]) -> None:
        found = status.status(datetime.now(UTC))
        if options["json"]:
            self._json(status.values(found))
        else:
            self._lines(list(status.lines(found)))
        if found.exit_code:
            sys.exit(found.exit_code)

    def do_unscheduled(self, options: dict[str, Any]) -> None:
        names = sorted(discover().others)
        if options["json"]:
            self._json(names)
        else:
            self._lines(names)

    def _warn_of_a_long_wait(self) -> None:
        found = status.status(datetime.now(UTC))
        why = _("the runner is on hold") if found.held else "" if found.gate.passed else found.gate.text
        if why:
            self.stderr.write(_("waiting: %(why)s") % {"why": why})

    def _show_end(self, run: Run) -> None:
        self.stdout.write(plain(run.output), ending="")
        style = self.style.SUCCESS if run.status == Status.SUCCEEDED else None
        reason = f" ({run.reason})" if run.reason else ""
        self.stderr.write(f"{run.job.name}: {Status(run.status).label}{reason}", style)

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder))

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _json_option(parser: ArgumentParser, default: Any = argparse.SUPPRESS) -> None:
    """Add --json; where a sub-command does not name it, what stands before the sub-command holds."""
    parser.add_argument("--json", action="store_true", default=default, help=_("as JSON, for programs"))


def _full_name(text: str) -> str:
    return discover().resolve(text) or text


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


def _closed(run: Run) -> Run:
    runs = Run.objects.using(conf.load().database)
    while runs.filter(pk=run.pk, status__in=OPEN_STATUSES).exists():
        time.sleep(POLL)
    found = runs.select_related("job").filter(pk=run.pk).first()
    if found is None:
        raise CommandError(_("run %(run)s was deleted meanwhile") % {"run": run.pk})
    return found
