"""The statements by which each run is recorded, put together once for each database."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from .. import lease, ledger, sql
from ..models import Job, Run, Status
from .firing import Firing

CLAIMED: Final = (
    "job_id",
    "status",
    "cause",
    "scheduled_for",
    "started_at",
    "coalesced",
    "claim_key",
    "host",
    "marker",
    "finished_at",
    "reason",
)
TAKEN: Final = ("status", "started_at", "host", "marker")
CLOSED: Final = (
    "status",
    "finished_at",
    "exit_code",
    "output",
    "reason",
    "warning",
    "cpu_seconds",
    "peak_memory",
)
REPORTED: Final = ("report", "report_at")


@cache
def insertion(using: str) -> tuple[str, str, tuple[Any, ...]]:
    """Give what adds a run: the statement up to its values, their places, and the values no run brings along."""
    run = sql.table(Run, using)
    rest = {name: value for name, value in run.defaults().items() if name not in CLAIMED and value is not None}
    names = (*CLAIMED, *rest)
    places = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {run} ({run.names(names)})", places, tuple(run.values(rest))


def inserted(values: Mapping[str, Any], using: str) -> list[Any]:
    """Give the values of a new run in the order of `insertion`."""
    empty = {"started_at": None, "finished_at": None, "reason": "", "host": "", "marker": ""}
    run = sql.table(Run, using)
    return [*run.values({name: values.get(name, empty.get(name)) for name in CLAIMED}), *insertion(using)[2]]


@cache
def covering(using: str, free: bool) -> str:
    """Give what marks a fire time as accounted for, if it is not: the values of `moved`, then the fire time.

    Args:
        free: only while no run of the job is handed over.
    """
    job = sql.table(Job, using)
    last = job["last_fire_at"]
    return (
        f"UPDATE {job} SET {last} = %s, {job['owed_since']} = {sql.greatest(using)}({job['owed_since']}, %s), "
        f"{job['next_run_at']} = %s WHERE {job['id']} = %s AND ({last} IS NULL OR {last} < %s) AND {_is_as_read(using)}"
        f"{_is_free(using) if free else ''}"
    )


@cache
def pointing(using: str) -> str:
    """Give what makes a run the last one of its job: run, job."""
    job = sql.table(Job, using)
    return f"UPDATE {job} SET {job['last_run_id']} = %s WHERE {job['id']} = %s"


@cache
def pointing_if_free(using: str) -> str:
    """Give `pointing` for a job of which no run is handed over."""
    return f"{pointing(using)}{_is_free(using)}"


@cache
def taking(using: str) -> str:
    """Give what starts a run that waits: the values of `taken`, then its number."""
    run = sql.table(Run, using)
    columns = ", ".join(f"{run[name]} = %s" for name in TAKEN)
    return f"UPDATE {run} SET {columns} WHERE {run['id']} = %s AND {run['status']} = '{Status.QUEUED}'"


def taken(values: Mapping[str, Any], using: str) -> list[Any]:
    """Give the values of a run that is started, in the order of `taking`."""
    return run_values({name: values[name] for name in TAKEN}, using)


@cache
def folding(using: str) -> str:
    """Give what counts a skip in the job's last run, if that was one for the same reason."""
    run, job = sql.table(Run, using), sql.table(Job, using)
    return (
        f"UPDATE {run} SET {run['coalesced']} = {run['coalesced']} + %s, {run['finished_at']} = %s "
        f"WHERE {run['id']} = (SELECT {job['last_run_id']} FROM {job} WHERE {job['id']} = %s) "
        f"AND {run['status']} = '{Status.SKIPPED}' AND {run['cause']} = %s AND {run['reason']} = %s"
    )


@cache
def closing(using: str, reported: bool) -> str:
    """Give what closes a run that is open: the columns, then its number."""
    run = sql.table(Run, using)
    columns = ", ".join(f"{run[name]} = %s" for name in (*CLOSED, *(REPORTED if reported else ())))
    return f"UPDATE {run} SET {columns} WHERE {run['id']} = %s AND {run['status']} = '{Status.RUNNING}'"


@cache
def claiming(using: str) -> str:
    """Give the claim of a scheduled run as one statement (PostgreSQL): the leases it met, and the run it made.

    All or nothing, as the transaction of several statements is elsewhere, and it locks in the same order: the lease,
    the job, then the rest. Its values are those of `lease.confirmed`, the job and its fire time, then those of
    `inserted`, `moved`, `ledger.planned` and `ledger.started`.
    """
    insert, places, _rest = insertion(using)
    run, job = sql.table(Run, using), sql.table(Job, using)
    return (
        f"{_opening(using)}{_is_free(using)} FOR UPDATE OF {job}), "
        f"run AS ({insert} SELECT {places} FROM due RETURNING {run['id']} AS id), "
        f"moved AS ({_moving(using, 'run.id')} FROM run WHERE {_is_job(using)}), "
        f"planned AS ({ledger.planning(using)} AND EXISTS (SELECT 1 FROM run)), "
        f"noted AS ({ledger.starting(using, 'SELECT %s, %s, %s FROM run')}) "
        "SELECT (SELECT count(*) FROM lease), (SELECT id FROM run)"
    )


@cache
def taking_at_once(using: str) -> str:
    """Give the claim of a queued run as one statement (PostgreSQL): the leases it met, and the run if it waited.

    Its values are those of `lease.confirmed`, the job, those of `taking`, the run, the job, then those of
    `ledger.started`.
    """
    job = sql.table(Job, using)
    return (
        f"WITH lease AS ({lease.confirmation(using)}), "
        f"free AS (SELECT {job}.{job['id']} FROM {job}, lease "
        f"WHERE {_is_job(using)}{_is_free(using)} FOR UPDATE OF {job}), "
        f"run AS ({taking(using)} AND EXISTS (SELECT 1 FROM free) RETURNING 1), "
        f"pointed AS ({pointing(using)} AND EXISTS (SELECT 1 FROM run)), "
        f"noted AS ({ledger.starting(using, 'SELECT %s, %s, %s FROM run')}) "
        "SELECT (SELECT count(*) FROM lease), (SELECT count(*) FROM run)"
    )


@cache
def skipping(using: str) -> str:
    """Give the record of a skip as one statement (PostgreSQL): the leases it met.

    Its values are those of `lease.confirmed`, the job and its fire time, the added count, the time, cause and reason of
    the skip, then those of `inserted`, `moved` and `ledger.planned`.
    """
    insert, places, _rest = insertion(using)
    run, job = sql.table(Run, using), sql.table(Job, using)
    same = " AND ".join(f"{run}.{run[name]} = %s" for name in ("cause", "reason"))
    return (
        f"{_opening(using)} FOR UPDATE OF {job}), "
        f"folded AS (UPDATE {run} SET {run['coalesced']} = {run}.{run['coalesced']} + %s, "
        f"{run['finished_at']} = %s FROM due WHERE {run}.{run['id']} = due.last_run_id "
        f"AND {run}.{run['status']} = '{Status.SKIPPED}' AND {same} RETURNING 1), "
        f"run AS ({insert} SELECT {places} FROM due WHERE NOT EXISTS (SELECT 1 FROM folded) "
        f"RETURNING {run['id']} AS id), "
        f"moved AS ({_moving(using, 'COALESCE((SELECT id FROM run), due.last_run_id)')} "
        f"FROM due WHERE {_is_job(using)}), "
        f"planned AS ({ledger.planning(using)} AND EXISTS (SELECT 1 FROM due)) "
        "SELECT (SELECT count(*) FROM lease)"
    )


@cache
def ending(using: str, reported: bool) -> str:
    """Give the close of a run as one statement (PostgreSQL): how many runs it closed.

    Its values are those of `closing` and of `ledger.finished`.
    """
    return (
        f"WITH closed AS ({closing(using, reported)} RETURNING 1), "
        f"noted AS ({ledger.finishing(using)} AND EXISTS (SELECT 1 FROM closed)) SELECT count(*) FROM closed"
    )


def moved(firing: Firing, next_run_at: datetime | None, using: str) -> list[Any]:
    """Give the values by which a job moves on to its next fire time."""
    times = {"last_fire_at": firing.fire_time, "owed_since": firing.fire_time, "next_run_at": next_run_at}
    return [*sql.table(Job, using).values(times), firing.job_id]


def run_values(values: Mapping[str, Any], using: str) -> list[Any]:
    """Give values of a run as the database takes them."""
    return sql.table(Run, using).values(values)


def fire_time(firing: Firing, using: str) -> list[Any]:
    """Give what tells whether a fire time is open: itself, and the schedule that the gate knew."""
    return [*sql.table(Job, using).values({"last_fire_at": firing.fire_time}), firing.schedule_key]


def _opening(using: str) -> str:
    """Lock the lease and begin to lock the job, if that fire time of it is open."""
    job = sql.table(Job, using)
    last = f"{job}.{job['last_fire_at']}"
    return (
        f"WITH lease AS ({lease.confirmation(using)}), "
        f"due AS (SELECT {job}.{job['id']} AS id, {job}.{job['last_run_id']} AS last_run_id FROM {job}, lease "
        f"WHERE {_is_job(using)} AND ({last} IS NULL OR {last} < %s) AND {_is_as_read(using)}"
    )


def _is_as_read(using: str) -> str:
    """Leave a job alone whose schedule was changed after the gate: what it owes is read and handed over anew."""
    job = sql.table(Job, using)
    key = f"{job}.{job['schedule_key']}"
    return f"COALESCE(%s, {key}) = {key}"


def _is_free(using: str) -> str:
    """Leave a job alone of which a run is handed over: two runs of one job never go on at one time."""
    job = sql.table(Job, using)
    return f" AND {job}.{job['handed_run_id']} IS NULL"


def _is_job(using: str) -> str:
    job = sql.table(Job, using)
    return f"{job}.{job['id']} = %s"


def _moving(using: str, run: str) -> str:
    job = sql.table(Job, using)
    return (
        f"UPDATE {job} SET {job['last_fire_at']} = %s, "
        f"{job['owed_since']} = {sql.greatest(using)}({job}.{job['owed_since']}, %s), "
        f"{job['next_run_at']} = %s, {job['last_run_id']} = {run}"
    )
