"""No page shuts out people who see little, use the keyboard, a screen reader or a phone, as far as rules can tell."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from scheduler_bridge import api
from scheduler_bridge.models import Job, Run, Status

from . import test_overview_walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
now, site, alive = test_overview_walk.now, test_overview_walk.site, test_overview_walk.alive
SIZES = ({"width": 1280, "height": 900}, {"width": 400, "height": 850})
SERIOUS = ("serious", "critical")
# What is outside of this is Django's own, and so is the field for a search.
WITHIN = "{include: ['#content'], exclude: ['#changelist-search']}"


@pytest.fixture(scope="module")
def rules() -> str:
    """Give the source of the rules."""
    return (Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text()


@pytest.fixture
def addresses(site, alive) -> dict[str, str]:
    """Give the pages, each with something on it."""
    failed = Run.objects.filter(status=Status.FAILED).first()
    Run.objects.filter(pk=failed.pk).update(output="\x1b[31mno answer\x1b[0m\n" * 40, exit_code=1)
    running = Run.objects.get(status=Status.RUNNING)
    api.hold("stocktaking", by="pat")
    return {
        "front": "",
        "overview": "scheduler_bridge/",
        "jobs": "scheduler_bridge/job/",
        "job": f"scheduler_bridge/job/{failed.job_id}/change/",
        "own job": f"scheduler_bridge/job/{Job.objects.get(name='tests.demo.specimen').pk}/change/",
        "forecast": f"scheduler_bridge/job/{failed.job_id}/change/?forecast=1",
        "runs": "scheduler_bridge/run/",
        "failed run": f"scheduler_bridge/run/{failed.pk}/change/",
        "running run": f"scheduler_bridge/run/{running.pk}/change/",
        "timeline": "scheduler_bridge/run/timeline/",
        "resume": "scheduler_bridge/job/runner/resume/",
        "ledger": "django_apscheduler/djangojobexecution/",
    }


def findings(page, rules: str) -> list[str]:
    page.evaluate(rules)
    found = page.evaluate(f"axe.run({WITHIN}, {{resultTypes: ['violations']}})")
    page.problems.clear()  # the rules try a style of their own, which the site refuses
    return [
        f"{item['impact']} {item['id']}: {node['target']} {node['html'][:120]}"
        for item in found["violations"]
        if item["impact"] in SERIOUS
        for node in item["nodes"]
    ]


def test_no_rule_is_seriously_broken_on_any_page(page, live_server, addresses, rules):
    found = {}
    for name, address in addresses.items():
        for size in SIZES:
            page.set_viewport_size(size)
            answer = page.goto(f"{live_server.url}/admin/{address}")
            assert answer.status == 200, address
            found[name, size["width"]] = findings(page, rules)
    assert {place: lines for place, lines in found.items() if lines} == {}


def test_no_page_is_wider_than_a_phone(page, live_server, addresses):
    page.set_viewport_size(SIZES[1])
    wide = {}
    for name, address in addresses.items():
        page.goto(f"{live_server.url}/admin/{address}")
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > SIZES[1]["width"]} == {}


def test_a_broken_rule_is_found(page, live_server, rules):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    page.evaluate("document.querySelector('#content').append(document.createElement('button'))")
    assert any("button-name" in line for line in findings(page, rules))
