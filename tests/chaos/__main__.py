"""The command: put sites under strain and audit what they recorded."""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.acceptance.audit import audit
from tests.engines import torment as engines
from tests.engines.kinds import ENGINES
from tests.engines.yard import yard

from . import servers
from .faults import FAULTS, Fault, choose
from .keeper import Sampler
from .plan import draw
from .world import World, sampled, settled, suffering

WARM_UP = 8.0  # seconds in which the runners start
PAUSES = (1.0, 6.0)  # seconds between two faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one database went through, and the engine that performed its jobs."""

    engine: str
    faults: Counter[str]
    runs: Counter[str]
    executions: int
    exits: Counter[int]
    workers: Counter[int]  # how they ended
    violations: tuple[str, ...]


def main() -> None:
    options = parse()
    results = []
    for engine in options.database or servers.engines():
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{engine}-"))
        folder.chmod(0o755)  # a database server that gave up root reaches its own folder in it
        names = f"{engine} and {options.engine}" if options.engine else engine
        print(f"{names}, seed {options.seed}, {options.minutes:g} minutes, SPAWN={options.spawn}", flush=True)
        result = (strain_with_engine if options.engine else strain)(folder, engine, options)
        results.append(result)
        tell(result)
        if result.violations:
            print(f"  kept: {folder}")
        else:
            shutil.rmtree(folder)
    sys.exit(any(result.violations for result in results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="how long each database suffers")
    parser.add_argument("--seed", type=int, default=1, help="what draws the jobs and the faults")
    parser.add_argument("--database", action="append", choices=servers.ENGINES, help="this one; may be repeated")
    parser.add_argument("--engine", choices=ENGINES, help="hand external jobs over to four workers of this engine")
    parser.add_argument("--spawn", choices=("auto", "exec"), default="auto", help="how external jobs are started")
    options = parser.parse_args()
    if options.engine and (missing := ENGINES[options.engine].missing()):
        parser.error(f"{options.engine}: {missing}")
    return options


def strain(folder: Path, engine: str, options: argparse.Namespace) -> Result:
    random = Random(options.seed)
    jobs = draw(random)
    with suffering(folder, engine, options.spawn, jobs, options.minutes) as world:
        sampler = sampled(world)
        world.keeper.start()
        sampler.start()
        time.sleep(WARM_UP)
        faults = torment(world, random, FAULTS)
        return result(world, engine, faults, settled(world), sampler, Counter())


def strain_with_engine(folder: Path, engine: str, options: argparse.Namespace) -> Result:
    random = Random(options.seed)
    jobs = engines.handed(draw(random), random)
    with yard(folder, options.engine, engine, jobs, options.minutes, spawn=options.spawn) as site:
        world, sampler = site.world, engines.sampled(site)
        world.keeper.start()
        sampler.start()
        time.sleep(WARM_UP)
        faults = torment(world, random, (*FAULTS, *engines.faults(site)))
        late = (*settled(world, engines.QUIET_WITHIN), *engines.ended(site))
        return result(world, f"{engine} and {options.engine}", faults, late, sampler, site.crew.exits)


def result(
    world: World, name: str, faults: Counter[str], late: Sequence[str], sampler: Sampler, workers: Counter[int]
) -> Result:
    """Audit all that is known when nothing happens any more."""
    sampler.stop()
    evidence = world.evidence()
    return Result(
        engine=name,
        faults=faults,
        runs=Counter(row.status for row in evidence.rows),
        executions=len({mark.token for mark in evidence.marks}),
        exits=world.keeper.exits,
        workers=workers,
        violations=(*late, *audit(evidence), *sorted(sampler.found)),
    )


def torment(world: World, random: Random, known: Sequence[Fault]) -> Counter[str]:
    """Do one thing after the other until the time is over; give what was done."""
    done: Counter[str] = Counter()
    deadline = time.monotonic() + world.minutes * 60
    while time.monotonic() < deadline:
        fault = choose(random, world.server.engine, known)
        print(f"  {time.strftime('%H:%M:%S')} {fault.name}", flush=True)
        fault.do(world, random)
        done[fault.name] += 1
        time.sleep(random.uniform(*PAUSES))
    return done


def tell(result: Result) -> None:
    print(f"  faults: {result.faults.total()} ({listed(result.faults)})")
    print(f"  runs: {result.runs.total()} ({listed(result.runs)}), executions: {result.executions}")
    print(f"  ends of runners: {listed(result.exits)}")
    if result.workers:
        print(f"  ends of workers: {listed(result.workers)}")
    for line in result.violations:
        print(f"  VIOLATION {line}")
    print(f"  {result.engine}: {len(result.violations)} violations", flush=True)


def listed(counts: Counter) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items(), key=lambda item: str(item[0])))


if __name__ == "__main__":
    main()
