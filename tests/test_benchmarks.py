import xml.etree.ElementTree as ElementTree

import pytest

from tests.benchmarks import plot, report
from tests.benchmarks.figures import Chapter, absent, percentile, sampled
from tests.benchmarks.generator import command_source, service_source
from tests.benchmarks.lateness import drift, gaps, late
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


@pytest.mark.parametrize("source", [command_source(1), service_source()])
def test_what_the_generator_writes_is_python(source):
    compile(source, "generated", "exec")
