"""How fast the runner follows what somebody asks for or changes."""

from collections.abc import Iterator

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, sampled

TITLE = "Reaction"
ASK = "run_now → started"
CHANGE = "override saved → first start by it"
LEAD = "saved 10 ms before the first fire time, so 10 ms of it are waiting"


def measure(bench: Bench) -> Iterator[Figure]:
    number = bench.choose(40, 5)
    for engine in bench.engines:
        with bench.place(engine) as place:
            place.start()
            asked, changed = place.probe("reaction", "ask", number), place.probe("reaction", "change", number)
        yield sampled(ASK, NAMES["bridge"], asked, "ms", database=TITLES[engine])
        yield sampled(CHANGE, NAMES["bridge"], changed, "ms", database=TITLES[engine], note=LEAD)
