"""What is known of jobs by their past: how long each takes, and which follow it."""

from collections.abc import Container, Iterable, Mapping

from .. import conf, registry
from ..discovery import Discovery, discover
from ..models import Job
from ..past import PastRun, usual
from .queue import Course

Chains = Mapping[str, tuple[str, ...]]
Past = Mapping[int, tuple[PastRun, ...]]


def chains_of(names: Iterable[str]) -> Chains:
    """Give, for each of these jobs and each that comes after one, the jobs right after it if it succeeds; if any."""
    found, line = discover(), list(dict.fromkeys(names))
    chains = {name: following for name in line if (following := _following(name, found, line))}
    return {name: tuple(dict.fromkeys(following)) for name, following in chains.items()}


def following_ids(chains: Chains) -> dict[str, int]:
    """Read the enabled jobs in these chains that come to the worker; no statement where there are none."""
    names = {name for chain in chains.values() for name in chain}
    if not names:
        return {}
    rows = Job.objects.using(conf.load().database).filter(name__in=names, enabled=True, removed_at=None)
    return {row.name: row.pk for row in rows.only(*registry.ROUTING) if not registry.queue_of(row)}


def course(ids: Mapping[str, int], chains: Chains, runs: Past) -> Course:
    """Put together what chains and past runs say; a follower that is not among the jobs is left out, with its own."""
    takes = {name: usual(runs[pk]).median for name, pk in ids.items() if pk in runs}
    return Course(
        takes={name: span for name, span in takes.items() if span is not None},
        following={name: _all_after(name, chains, ids) for name in chains},
    )


def _following(name: str, found: Discovery, line: list[str]) -> list[str]:
    """Give the jobs right after one, and add those to the line whose own are to be looked for."""
    definition = found.definitions.get(name)
    names = [one for one in map(found.resolve, definition.next_jobs if definition else ()) if one is not None]
    line += [one for one in dict.fromkeys(names) if one not in line]
    return names


def _all_after(name: str, chains: Chains, among: Container[str]) -> tuple[str, ...]:
    """Give all that runs after a job, in the order of the worker."""
    line = [name]
    for current in line:
        line += [one for one in chains.get(current, ()) if one in among and one not in line]
    return tuple(line[1:])
