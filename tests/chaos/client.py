"""Somebody who uses the site while it suffers: reads one request a line, answers with one line.

A request is JSON: {"do": NAME, ...}; an answer is JSON: {"result": ...} or {"error": ...}.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import django

TRANSITIONS: Final = "audit_transition"
# A run that is closed is closed: the database itself notes every step of a status, and any change after the last one.
TRIGGERS: Final = {
    "sqlite": (
        "CREATE TRIGGER audit_status AFTER UPDATE OF status ON scheduler_bridge_run WHEN {when} "
        "BEGIN INSERT INTO audit_transition VALUES (OLD.id, OLD.status, NEW.status); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_status() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO audit_transition VALUES (OLD.id, OLD.status, NEW.status); RETURN NEW; END $$",
        "CREATE TRIGGER audit_status AFTER UPDATE OF status ON scheduler_bridge_run "
        "FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION audit_status()",
    ),
    "mysql": (
        "CREATE TRIGGER audit_status AFTER UPDATE ON scheduler_bridge_run FOR EACH ROW "
        "IF {when} THEN INSERT INTO audit_transition VALUES (OLD.id, OLD.status, NEW.status); END IF",
    ),
}
WHEN: Final = (
    "OLD.status <> NEW.status OR (OLD.status NOT IN ('queued', 'running', 'skipped') "
    "AND OLD.finished_at <> NEW.finished_at)"
)


def watch_transitions() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE audit_transition (run_id BIGINT, was VARCHAR(10), became VARCHAR(10))")
        for statement in TRIGGERS[connection.vendor]:
            cursor.execute(statement.format(when=WHEN))


def retime(job: str, seconds: float) -> None:
    from scheduler_bridge.models import Job

    row = Job.objects.get(name=job)
    row.override_interval = timedelta(seconds=seconds)
    row.save()


def switch(job: str, enabled: bool) -> None:
    from scheduler_bridge.models import Job

    row = Job.objects.get(name=job)
    row.enabled = enabled
    row.save()


def switch_off_all() -> None:
    from scheduler_bridge.models import Job

    for row in Job.objects.filter(enabled=True):
        row.enabled = False
        row.save()


def run_now(job: str, delay: float = 0) -> int:
    from scheduler_bridge import api

    return api.run_now(job, delay=timedelta(seconds=delay), force=True, requested_by="anna").pk


def run_often(job: str, count: int) -> list[int]:
    """Ask for so many runs at once."""
    from django.db import transaction

    from scheduler_bridge import api

    with transaction.atomic():
        return [api.run_now(job).pk for _ in range(count)]


def hold() -> None:
    from scheduler_bridge import api

    api.hold("stocktaking", by="anna")


def resume(pending: str) -> None:
    from scheduler_bridge import api

    api.resume(pending)


def holder() -> int | None:
    """Give the process that is the runner."""
    from scheduler_bridge.models import Runner

    return Runner.objects.exclude(token="").values_list("pid", flat=True).first()


def holding_host() -> str | None:
    """Give the host whose process is the runner."""
    from scheduler_bridge.models import Runner

    return Runner.objects.exclude(token="").values_list("host", flat=True).first()


def heartbeat() -> str:
    """Give the moment of the last heartbeat, as the runner's clock says it."""
    from scheduler_bridge.models import Runner

    return str(Runner.objects.values_list("heartbeat_at", flat=True).get(pk=Runner.ROW))


def waiting_hosts() -> list[str]:
    """Give the hosts of those who wait to be the runner."""
    from scheduler_bridge.models import Standby

    return list(Standby.objects.values_list("host", flat=True))


def lock(seconds: float) -> None:
    """Let nobody write for a while."""
    from django.db import connection, transaction

    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLES scheduler_bridge_run WRITE, scheduler_bridge_job WRITE")
            time.sleep(seconds)
            cursor.execute("UNLOCK TABLES")
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("LOCK TABLE scheduler_bridge_run, scheduler_bridge_job IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)


def execute(statement: str) -> None:
    """Do what nobody should do by hand."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


def cut() -> int:
    """Cut all connections of others; give how many."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(cursor.fetchone()[0])
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = 'site' AND id <> CONNECTION_ID()")
        found = [row[0] for row in cursor.fetchall()]
        for number in found:
            cursor.execute(f"KILL {number}")
        return len(found)


def unrest() -> str:
    """Say what waits, runs or is due, and that a mail is owed which was not refused; empty when all is quiet."""
    from scheduler_bridge.models import Job, Report, Run, Runner, Status

    open_runs = Run.objects.filter(status__in=(Status.QUEUED, Status.RUNNING))
    mails = Run.objects.filter(report=Report.DUE, report_tries=0)
    due = Job.objects.exclude(next_run_at=None)
    held = Runner.objects.filter(held=True)
    found = {"runs": open_runs, "mails": mails, "due": due, "held": held}
    return ", ".join(f"{name}: {list(rows.values())}" for name, rows in found.items() if rows.exists())


def is_idle() -> bool:
    """Tell whether nothing runs, and nothing will for a moment."""
    from scheduler_bridge.models import OPEN_STATUSES, Job, Run

    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    return not (Run.objects.filter(status__in=OPEN_STATUSES) or Job.objects.filter(next_run_at__lt=soon))


def running() -> list[str]:
    """Give the marks of the runs that say they are running."""
    from scheduler_bridge.models import Run, Status

    return list(Run.objects.filter(status=Status.RUNNING).values_list("marker", flat=True))


def ended(run: int) -> dict[str, Any] | None:
    """Give how a run ended, or nothing while it has not."""
    from scheduler_bridge.models import OPEN_STATUSES, Run

    closed = Run.objects.filter(pk=run).exclude(status__in=OPEN_STATUSES)
    return closed.values("status", "exit_code", "reason", "warning", "output").first()


def tell() -> dict[str, Any]:
    """Give the tables."""
    from django.db import connection
    from django_apscheduler.models import DjangoJobExecution

    from scheduler_bridge.models import Run

    columns = (
        "id job__name status cause parent scheduled_for started_at finished_at "
        "coalesced marker report report_tries queue"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT run_id, was, became FROM audit_transition")
        transitions = [list(row) for row in cursor.fetchall()]
    return {
        "rows": list(Run.objects.order_by("id").values_list(*columns.split())),
        "ledger": list(DjangoJobExecution.objects.values_list("job_id", "run_time", "status")),
        "transitions": transitions,
    }


REQUESTS: Final[dict[str, Callable[..., Any]]] = {
    function.__name__: function
    for function in (
        watch_transitions,
        retime,
        switch,
        switch_off_all,
        run_now,
        run_often,
        hold,
        resume,
        holder,
        holding_host,
        heartbeat,
        waiting_hosts,
        lock,
        execute,
        cut,
        unrest,
        is_idle,
        running,
        ended,
        tell,
    )
}


def main() -> None:
    django.setup()
    from django.db import connection

    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": REQUESTS[request.pop("do")](**request)}
        except Exception as error:
            answer = {"error": repr(error)}
            connection.close()
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
