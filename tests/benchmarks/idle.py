"""What a scheduler costs while fifty jobs are due some other day."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, absent, sampled
from .place import Place
from .processes import Process, cpu_ms, pss_mib, pss_of
from .proxy import CountingProxy

TITLE = "Idle for a minute, fifty jobs, none due"
JOBS = 50
STATEMENTS = "statements in the database a minute"
REDIS = "commands in Redis a minute"
CPU = "CPU a minute"
MEMORY = "memory (PSS) of all processes"
OWN = "memory (PSS) of the runner itself"
LAUNCHER = "memory (PSS) of its launcher"
HOW = "Query and Execute messages, counted by a proxy before the server; BEGIN and COMMIT included"
NO_PROXY = "not counted: no protocol to count in"


@dataclass
class Watch:
    """One minute of one scheduler."""

    seconds: int
    statements: list[float] = field(default_factory=list)
    redis: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)  # of the process that was started itself

    def look(self, processes: list[Process], proxy: CountingProxy | None, redis_calls: Callable[[], int]) -> None:
        before = (cpu_ms(processes), proxy.statements if proxy else 0, redis_calls())
        time.sleep(self.seconds)
        share = 60 / self.seconds
        self.cpu.append((cpu_ms(processes) - before[0]) * share)
        self.redis.append((redis_calls() - before[2]) * share)
        if proxy:
            self.statements.append((proxy.statements - before[1]) * share)
        self.memory.append(pss_mib(processes))
        self.own.append(pss_of(processes[0].pid))


def measure(bench: Bench) -> Iterator[Figure]:
    for engine in bench.main_engines:
        for system in ("none", "bridge", "apscheduler", "q2", "celery"):
            yield from one(bench, engine, system)
        if engine == "postgres" and bench.ways:
            yield from one(bench, engine, "bridge", "exec")


def one(bench: Bench, engine: str, system: str, way: str = "") -> Iterator[Figure]:
    proxy = CountingProxy() if engine == "postgres" else None
    watch = Watch(bench.choose(60, 10))
    extra = {"BENCH_SPAWN": way} if way else {}
    with bench.place(engine, system, extra) as place:
        values = {"BENCH_PORT": str(proxy.port)} if proxy else {}
        processes = begin(place, values)
        time.sleep(bench.choose(20, 8))  # the start itself is not idleness
        if any(process.ended for process in processes):
            raise RuntimeError(f"{system} ended by itself, see {place.log.name}")
        watch.look(processes, proxy, redis_calls if system == "celery" else lambda: 0)
    if proxy:
        proxy.close()
    yield from told(watch, f"{NAMES[system]}, SPAWN={way}" if way else NAMES[system], engine, system)


def begin(place: Place, values: dict[str, str]) -> list[Process]:
    """Start a scheduler that has its fifty jobs."""
    if place.system == "none":
        return [place.launch_probe("bare", **values)]
    if place.system == "apscheduler":
        return [place.launch_probe("apscheduler_peer", "idle", JOBS, **values)]
    if place.system in {"q2", "celery"}:
        place.probe("seed", "idle", JOBS)
    return place.start(**values)


def told(watch: Watch, who: str, engine: str, system: str) -> Iterator[Figure]:
    database = TITLES[engine]
    if engine == "postgres":
        yield sampled(STATEMENTS, who, watch.statements, "", database=database, note=HOW)
    else:
        yield absent(STATEMENTS, who, NO_PROXY, database=database)
    if system == "celery":
        yield sampled(REDIS, who, watch.redis, "", database=database, note="of the whole server, by its own count")
    yield sampled(CPU, who, watch.cpu, "ms", database=database)
    yield sampled(MEMORY, who, watch.memory, "MiB", database=database)
    if system == "bridge":
        yield sampled(OWN, who, watch.own, "MiB", database=database)
        launcher = [whole - own for whole, own in zip(watch.memory, watch.own, strict=True)]
        yield sampled(LAUNCHER, who, launcher, "MiB", database=database)


def redis_calls() -> int:
    """Give how many commands Redis has executed so far."""
    import redis

    return int(redis.Redis().info("stats")["total_commands_processed"])
