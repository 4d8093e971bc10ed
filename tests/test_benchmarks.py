import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path

import pytest

from tests.benchmarks import crews, forecast, memory, plot, report, scale, takeover
from tests.benchmarks.__main__ import CHAPTERS
from tests.benchmarks.axis import Axis
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Chapter, absent, percentile, sampled, spanned
from tests.benchmarks.forecast import CROWD, Seen
from tests.benchmarks.generator import command_source, crew_source, service_source, write_crew
from tests.benchmarks.lateness import drift, gaps, late
from tests.benchmarks.memory import Look, growth
from tests.benchmarks.proxy import Messages


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 2.5), (0.9, 3.7), (1, 4)])
def test_a_percentile_lies_on_the_line_between_its_neighbours(share, value):
    assert percentile([4, 1, 3, 2], share) == pytest.approx(value)


def test_no_values_have_no_percentile():
    with pytest.raises(ValueError, match="one value or more"):
        percentile([], 0.5)


def test_samples_become_a_figure():
    figure = sampled("run", "ours", [3.0, 1.0, 2.0], "ms", database="SQLite")
    assert (figure.n, figure.median, figure.worst) == (3, 2.0, 3.0)


def test_a_table_has_a_column_for_each_database_and_says_why_a_cell_is_empty():
    figures = (
        sampled("run", "ours", [1.0], "ms", database="SQLite", note="quick"),
        sampled("run", "ours", [1000.0, 2000.0], "ms", database="PostgreSQL"),
        absent("run", "theirs", "it cannot | ever", database="SQLite"),
    )
    head, _, first, second = report.table(figures)
    assert head == "| what | who | SQLite | PostgreSQL | note |"
    assert first == "| run | ours | 1.00 ms | 1,500 ms (1,100–1,900), p99 1,990, n 2 | quick |"
    assert second == r"| run | theirs | it cannot \| ever |  |  |"


def test_of_few_samples_the_least_and_the_most_are_shown():
    assert report.cell(spanned("takeover", "ours", [0.5, 3.0, 1.0], "s")) == "1.00 s (0.500 to 3.00), n 3"
    assert report.cell(spanned("takeover", "ours", [2.0], "s")) == "2.00 s"


def test_the_results_are_written_as_a_page_and_as_json(tmp_path):
    report.write(tmp_path, {"Python": "3"}, [Chapter(name="a", title="A", figures=(absent("x", "y", "z"),))])
    assert "| Python | 3 |" in (tmp_path / "results.md").read_text()
    assert '"title": "A"' in (tmp_path / "results.json").read_text()


def test_a_plot_is_drawn_for_each_database_that_has_sizes(tmp_path):
    sizes = (10, 1000)
    figures = tuple(sampled(f"run at {n} runs", "ours", [n / 5], "ms", database="SQLite", size=n) for n in sizes)
    plot.write(tmp_path, [Chapter(name="history", title="History", figures=figures)])
    root = ElementTree.fromstring((tmp_path / "history-sqlite.svg").read_text())
    assert len(root.findall("{*}circle")) == 2


def test_a_curve_has_a_picture_of_its_own_and_no_row(tmp_path):
    looks = [Look(runs, dict.fromkeys(memory.QUANTITIES, 60.0)) for runs in (500, 1000)]
    figures = tuple(memory.told(looks, "ours", "sqlite", "internal"))
    plot.write(tmp_path, [Chapter(name="memory", title="Memory", figures=figures)])
    (picture,) = tmp_path.iterdir()
    assert picture.name == "memory-internal-sqlite.svg"
    assert len(ElementTree.fromstring(picture.read_text()).findall("{*}circle")) == 2 * len(memory.QUANTITIES)
    assert len(report.table(figures)) == 2 + 3 * len(memory.QUANTITIES)


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Axis.straight([61, 72.4]), (0, 20, 40, 60, 80)),
        (Axis.straight([1]), pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1))),
        (Axis.decades([3, 40]), (1, 10, 100)),
    ],
)
def test_an_axis_has_round_ticks_around_its_values(scale, ticks):
    assert scale.ticks == ticks
    assert [scale.share(scale.ticks[0]), scale.share(scale.ticks[-1])] == [0, 1]


def test_a_crew_has_a_command_for_each_of_its_jobs(tmp_path):
    write_crew(tmp_path, {"noop": 2, "nap": 1})
    names = {path.name for path in (tmp_path / "crew" / "management" / "commands").iterdir()}
    assert names == {"__init__.py", "noop00000.py", "noop00001.py", "nap00000.py"}


def test_a_round_never_needs_more_jobs_than_there_are():
    bench = Bench(folder=Path(), site=Path(), engines=(), quick=False, full=False, ways=())
    for crew in crews.CREWS:
        counts = [scale.runs_of(bench, crew, kind, workers) for kind in scale.KINDS for workers in scale.WORKERS]
        assert 4 <= min(counts) <= max(counts) <= scale.MOST


def test_rates_are_listed_by_the_number_of_workers_and_drawn_against_it(tmp_path):
    crew = crews.CREWS[0]
    figures = [one for workers in scale.WORKERS for one in scale.rated(crew, "nap", workers, [float(workers)])]
    head, _, row = report.table(figures)
    assert head == "| what | who | 1 worker | 2 workers | 4 workers | 8 workers | note |"
    assert row.startswith("| jobs of 200 ms, external, runs a second | the runner alone | 1.00 /s | 2.00 /s |")
    plot.write(tmp_path, [Chapter(name="scale", title="Scale", figures=tuple(figures))])
    (picture,) = tmp_path.iterdir()
    assert picture.name == "scale-jobs-of-200-ms-postgresql.svg"
    assert len(ElementTree.fromstring(picture.read_text()).findall("{*}circle")) == len(scale.WORKERS)


def test_memory_grows_by_the_slope_of_its_second_half():
    points = [(1_000 * number, 90.0 if number < 5 else 70 + number / 1024) for number in range(1, 11)]
    assert growth(points) == pytest.approx(1)


def test_a_takeover_counts_from_the_end_and_where_nobody_sees_it_from_the_last_heartbeat():
    sample = {"beat": -4.0, "lease": 10.0, "start": 10.5}
    values = [[figure.median for figure in takeover.told([sample], end, "sqlite")] for end in takeover.ENDS]
    assert values == [[10, 10.5], [10, 10.5], [10, 14, 10.5, 14.5]]


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_chapter_has_a_title_and_measures(name):
    module = import_module(f"tests.benchmarks.{name}")
    assert module.TITLE
    assert callable(module.measure)


def test_lateness_counts_from_the_fire_time_of_the_run_that_was_begun():
    assert late([0.5, 1.25, 3.0], [(1.0, 0.9), (2.0, 1.5)]) == pytest.approx([350, 1500])
    assert gaps([3.5, 1.0, 2.0]) == pytest.approx([0, 500])


@pytest.mark.parametrize(("gap", "milliseconds"), [(1, 0), (1.01, 600)])
def test_drift_is_what_a_minute_grows_longer_even_where_a_start_is_missing(gap, milliseconds):
    starts = [100 + number * gap for number in range(100) if number != 7]
    assert drift(starts) == pytest.approx(milliseconds, abs=1)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_statements_are_counted_however_the_stream_is_cut(piece):
    stream = b"\0\0\0\x08\0\x03\0\0" + b"Q\0\0\0\x06a\0" + b"P\0\0\0\x05E" + b"E\0\0\0\x04" + b"X\0\0\0\x04"
    messages = Messages()
    for start in range(0, len(stream), piece):
        messages.feed(stream[start : start + piece])
    assert messages.statements == 2


def test_the_error_of_a_start_counts_where_the_run_was_foreseen():
    foreseen = [Seen(("a", 1), 10, 11), Seen(("b", 1), 20, 21)]
    real = [Seen(("b", 1), 22.5, 23), Seen(("a", 1), 9, 10), Seen(("a", 2), 30, 31)]
    assert forecast.differences(foreseen, real) == [2.5, 1]
    assert forecast.errors_between(foreseen, real, "first") == [1]
    share, error, *_ = forecast.compared(foreseen, real, 60)
    assert (share.median, error.worst) == (pytest.approx(200 / 3), 2.5)


def test_the_crowd_keeps_the_worker_busy_and_leaves_it_room():
    by_name = {f"crowd.{specimen.name}": specimen for specimen in CROWD}
    chained = {follower: specimen.every for specimen in CROWD for follower in specimen.followers}
    every = {name: specimen.every or chained.get(name) for name, specimen in by_name.items()}
    every["crowd.notify"] = every["crowd.book"]
    assert 0.6 < sum(specimen.takes / every[name] for name, specimen in by_name.items()) < 0.8


@pytest.mark.parametrize(
    "source", [command_source(1), crew_source("noop"), service_source(), *map(forecast.source, CROWD)]
)
def test_what_the_generator_writes_is_python(source):
    compile(source, "generated", "exec")
