"""The pages of the history: exact whatever comes, goes or shares its time, and never a count."""

import random
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_bridge.admin import keyset
from scheduler_bridge.admin.runs import RunAdmin
from scheduler_bridge.models import Cause, Job, Run, Status

LIST = "/admin/scheduler_bridge/run/"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    """Let a page hold seven runs, and end after one look where no index leads to them."""
    monkeypatch.setattr(RunAdmin, "list_per_page", 7)
    monkeypatch.setattr(keyset, "PATIENCE", 0)


@pytest.fixture
def history(job, now):
    """Sixty runs of two jobs; five at a time share their moment, and they are not in the order of their ids."""
    other = Job.objects.create(name="till.count", app="till", command="count", owed_since=now)
    chance = random.Random(5)
    moments = [now + timedelta(days=n // 5) for n in range(60)]
    chance.shuffle(moments)
    rows = [
        Run(
            job=other if n % 3 == 0 else job,
            status=Status.FAILED if n % 4 == 0 else Status.SUCCEEDED,
            cause=Cause.MANUAL if n % 5 == 0 else Cause.SCHEDULE,
            requested_by="pat" if n % 5 == 0 else "",
            report="sent" if n % 6 == 0 else "",
            scheduled_for=moment,
            output=f"line {n % 6} of the till",
        )
        for n, moment in enumerate(moments)
    ]
    return Run.objects.bulk_create(rows)


def listed(text: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'class="field-when[^>]*><a href="/admin/scheduler_bridge/run/(\d+)/', text)]


def link(text: str, kind: str) -> str | None:
    found = re.search(rf'id="sb-{kind}"[^>]*href="([^"]*)"', text)
    return LIST + unescape(found[1]) if found else None


def get(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.headers
    return answer.content.decode()


def walk(client: Client, address: str | None, kind: str = "older", between=lambda: None) -> list[list[int]]:
    """Follow the links to the end, and give what each page shows."""
    pages = []
    while address is not None:
        text = get(client, address)
        pages.append(listed(text))
        between()
        address = link(text, kind)
    return pages


def flat(pages: list[list[int]]) -> list[int]:
    return [pk for page in pages for pk in page]


FILTERS = {
    "": {},
    "?status__exact=failed": {"status": "failed"},
    "?status__exact=any_failure": {"status__in": ["failed", "timed_out", "abandoned"]},
    "?mail=sent": {"report": "sent"},
    "?cause__exact=manual": {"cause": "manual"},
    "?cause__exact=schedule": {"cause": "schedule"},
    "?cause__exact=chain": {"cause": "chain"},
    "?job=till.count": {"job__name": "till.count"},
    "?job=ti": {"job__name__contains": "ti"},
    "?job=nowhere": {"job__name": "nowhere"},
    "?person=pat": {"requested_by": "pat"},
    "?q=line+3": {"output__contains": "line 3"},
    "?q=nothing": {"output": "nothing"},
    "?status__exact=failed&cause__exact=manual&job=till": {
        "status": "failed",
        "cause": "manual",
        "job__name": "till.count",
    },
    "?reason=x": {"reason": "x"},
}


@pytest.mark.parametrize("scanned", [3, 25, 20_000])
@pytest.mark.parametrize("query", FILTERS)
def test_the_pages_together_show_each_run_once_in_order(admin_client, history, query, scanned, monkeypatch):
    monkeypatch.setattr(keyset, "SCANNED", scanned)
    monkeypatch.setattr(keyset, "SEARCHED", scanned)
    pages = walk(admin_client, LIST + query)
    wanted = list(Run.objects.filter(**FILTERS[query]).order_by("-pk").values_list("pk", flat=True))
    assert flat(pages) == wanted
    assert max(len(page) for page in pages) <= 7


@pytest.mark.parametrize("scanned", [4, 20_000])
@pytest.mark.parametrize("query", ["", "&status__exact=failed", "&job=till.count&q=line"])
def test_a_list_by_date_goes_by_date_and_shows_equal_moments_once(
    admin_client, history, now, query, scanned, monkeypatch
):
    monkeypatch.setattr(keyset, "SCANNED", scanned)
    monkeypatch.setattr(keyset, "SEARCHED", scanned)
    rows = Run.objects.filter(scheduled_for__gte=now + timedelta(days=2) - timedelta(hours=13))
    rows = rows.filter(scheduled_for__lt=now + timedelta(days=9) + timedelta(hours=11))
    if "failed" in query:
        rows = rows.filter(status="failed")
    if "till" in query:
        rows = rows.filter(job__name="till.count")
    wanted = list(rows.order_by("-scheduled_for", "-pk").values_list("pk", flat=True))
    assert wanted
    address = f"{LIST}?from=2026-03-12&to=2026-03-19{query}"
    assert flat(walk(admin_client, address)) == wanted


@pytest.mark.parametrize("query", ["?q=line+3", "?cause__exact=manual&status__exact=failed", "?q=nothing"])
def test_a_page_looks_further_back_while_its_time_lasts(admin_client, history, query, monkeypatch):
    monkeypatch.setattr(keyset, "SCANNED", 3)
    monkeypatch.setattr(keyset, "SEARCHED", 3)
    at_once = walk(admin_client, LIST + query)
    monkeypatch.setattr(keyset, "PATIENCE", 60)
    patiently = walk(admin_client, LIST + query)
    assert flat(patiently) == flat(at_once)
    assert len(patiently) < len(at_once)
    assert all(len(page) == 7 for page in patiently[:-1])
    assert "not all runs were looked through yet" not in get(admin_client, LIST + query)


def test_runs_that_come_and_go_between_two_pages_hide_none_and_repeat_none(admin_client, history, job, now):
    chance, seen_or_gone = random.Random(3), set()

    def between() -> None:
        rows = list(Run.objects.values_list("pk", flat=True))
        gone = chance.sample(rows, 3)
        seen_or_gone.update(gone)
        Run.objects.filter(pk__in=gone).delete()
        Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)

    shown = flat(walk(admin_client, LIST, between=between))
    assert shown == sorted(set(shown), reverse=True)
    assert {run.pk for run in history} - seen_or_gone <= set(shown) <= {run.pk for run in history}


@pytest.mark.parametrize("query", ["", "?from=2026-03-10", "?cause__exact=schedule&status__exact=failed"])
def test_the_way_back_shows_the_same_runs_and_ends_at_the_newest(admin_client, history, query, monkeypatch):
    monkeypatch.setattr(keyset, "SCANNED", 9)
    wanted = flat(walk(admin_client, LIST + query))
    address, last = LIST + query, ""
    while address:
        last, address = address, link(get(admin_client, address), "older")
    back = walk(admin_client, last, "newer")
    assert set(flat(back)) == set(wanted)
    assert back[-1][:1] == wanted[:1]
    assert link(get(admin_client, last), "newest") == (LIST + query if query else f"{LIST}?")


def test_a_filter_or_a_search_begins_at_the_newest(admin_client, history):
    text = get(admin_client, f"{LIST}?before={history[30].pk}&status__exact=failed")
    others = [
        address for address in re.findall(r'href="(\?[^"]*)"', text) if "before=" in address or "after=" in address
    ]
    assert sorted(re.sub(r"=\d+", "", unescape(address)) for address in others) == [
        "?after&status__exact=failed",
        "?before&status__exact=failed",
    ]
    assert 'name="before"' not in text
    assert 'name="after"' not in text


@pytest.mark.parametrize("place", ["x", "-1", "1.5", "99999999999999999999999", "²", "1e3", "1.2.3"])
@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_place_that_is_none_leads_to_the_newest(admin_client, history, place, kind):
    answer = admin_client.get(LIST, {kind: place})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize("place", ["17", "999999999999999999999999.1", "x.1", "."])
def test_a_place_in_a_list_by_date_needs_its_date(admin_client, history, place):
    assert admin_client.get(LIST, {"from": "2026-03-01", "before": place}).status_code == 302


@pytest.mark.parametrize(
    ("first", "last", "shown", "hours"),
    [
        ("2026-03-12T13:00", "2026-03-12T13:00:00", "13:00:00", [48]),
        ("2026-03-12T12:00:00Z", "2026-03-13T12:00:00Z", "13:00:00", [48, 72]),
        ("2026-03-12T13:00:01", "2026-03-13T12:59:59", "13:00:01", []),
        ("2026-03-12T13:00", "2026-03-13", "13:00:00", [48, 72]),
    ],
)
def test_the_list_is_filtered_to_the_second(admin_client, history, now, first, last, shown, hours):
    text = get(admin_client, f"{LIST}?from={first}&to={last}")
    moments = [now + timedelta(hours=hour) for hour in hours]
    wanted = Run.objects.filter(scheduled_for__in=moments).order_by("-scheduled_for", "-pk")
    assert listed(text) == list(wanted.values_list("pk", flat=True))[:7]
    assert (
        f'type="datetime-local" id="sb-filter-from" name="from" value="2026-03-12T13:00:0{first[-1] == "1":d}"' in text
    )


@pytest.mark.parametrize("query", ["from=yesterday", "to=2026-13-01", "from=%00", "to=9999-12-31T23:59:59-14:00"])
def test_a_date_that_is_none_is_refused_or_passed_over(admin_client, history, query):
    assert admin_client.get(f"{LIST}?{query}").status_code in {200, 302}


@pytest.mark.parametrize(
    "query", ["from=0001-01-01", "to=9999-12-31", "job=" + "9" * 30, "person=%00", "job=%00", "o=1"]
)
def test_odd_values_are_no_error(admin_client, history, query):
    assert admin_client.get(f"{LIST}?{query}").status_code == 200


@pytest.mark.parametrize("query", [*FILTERS, "?from=2026-03-12", "?_facets=True", "?all=", "?p=2"])
def test_no_page_counts_the_table_or_reads_an_output(admin_client, history, query):
    with CaptureQueriesContext(connection) as queries:
        get(admin_client, LIST + query)
    texts = [entry["sql"] for entry in queries if "scheduler_bridge_run" in entry["sql"]]
    assert not [text for text in texts if "COUNT(" in text]
    assert not [text for text in texts if re.search(r"output.? (,|FROM)|output.?, ", text.partition("WHERE")[0])]


def test_a_page_takes_as_many_statements_for_few_runs_as_for_many(admin_client, history, django_assert_num_queries):
    numbers = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            get(admin_client, f"{LIST}?status__exact=failed&cause__exact=manual&q=till")
        numbers.append(len(queries))
        Run.objects.filter(pk__in=[run.pk for run in history[5:]]).delete()
    assert numbers[0] == numbers[1]


def test_a_list_that_was_asked_for_wrongly_says_so(admin_client, history):
    answer = admin_client.get(f"{LIST}?from=yesterday", follow=True)
    assert "The address asked for what cannot be found; all runs are shown." in answer.content.decode()
    assert "cannot be found" not in get(admin_client, LIST)


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        ({"status": Status.SUCCEEDED, "late": 0.4}, []),
        ({"status": Status.SUCCEEDED, "late": 12}, ["12.0 s late"]),
        ({"status": Status.FAILED, "late": 90, "coalesced": 3}, ["1 min 30 s late", "3 folded in"]),
        ({"status": Status.SKIPPED, "coalesced": 89}, ["90 times"]),
    ],
)
def test_what_was_unusual_leads_to_what_went_on_around_it(admin_client, job, now, values, notes):
    late = values.pop("late", None)
    started = None if late is None else now + timedelta(seconds=late)
    ended = (started or now + timedelta(days=3)) + timedelta(seconds=1)
    run = Run.objects.create(
        job=job, cause=Cause.SCHEDULE, scheduled_for=now, started_at=started, finished_at=ended, **values
    )
    found = re.findall(r'<a class="sb-quiet" href="([^"]*)">([^<]*)</a>', get(admin_client, LIST))
    assert [words for _address, words in found] == notes
    for address, _words in found:
        around = get(admin_client, unescape(address))
        assert f"demo.specimen: {'90 skipped' if run.status == 'skipped' else '1 run'}" in around


def test_the_reason_stands_below_the_job_as_text_and_not_too_long(admin_client, job, now):
    reason = "<b>" + "x" * 490
    Run.objects.create(job=job, status=Status.FAILED, cause=Cause.SCHEDULE, scheduled_for=now, reason=reason)
    found = re.search(r'demo.specimen</a><div class="sb-why">([^<]*)</div>', get(admin_client, LIST))
    assert unescape(found[1]) == reason[:199] + "…"


def test_what_is_typed_is_shown_as_text(admin_client, history):
    evil = '"><script>alert(1)</script>'
    text = get(admin_client, f"{LIST}?person={evil}&job={evil}&q={evil}")
    assert "<script>alert(1)" not in text
    assert text.count("&quot;&gt;&lt;script&gt;alert(1)") >= 3


def test_a_job_is_named_where_its_id_was_given(admin_client, history):
    text = get(admin_client, f"{LIST}?job={history[0].job_id}")
    assert 'name="job" value="till.count"' in text


def test_one_who_may_not_view_sees_no_page(history, db):
    user = get_user_model().objects.create_user("pat@example.com", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    assert client.get(LIST).status_code == 200


def test_no_run_at_all(admin_client, db):
    text = get(admin_client, LIST)
    assert "0 runs on this page" in text
    assert (link(text, "older"), link(text, "newer"), link(text, "newest")) == (None, None, None)
