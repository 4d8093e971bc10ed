import html
import re

import pytest
from django.contrib.admin.models import LogEntry

from scheduler_bridge.models import Cause, Job, Run, Status

from .test_admin_job_form import LIST, page, send


@pytest.fixture
def engine(tasks, settings):
    """An engine to which the settings send the job."""

    def say(**override):
        settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {"tests.demo.specimen": override}}

    return say


def offered(client, job: Job) -> list[tuple[str, str, bool]]:
    """Give what can be chosen: value, words, and whether it is chosen now."""
    text = client.get(page(job)).content.decode()
    field = re.search(r'<select name="queue".*?</select>', text, re.DOTALL)
    found = re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)</option>', field[0] if field else "")
    return [(value, html.unescape(words), bool(selected)) for value, selected, words in found]


def layer(client, job: Job) -> list[str]:
    """Give the cells of the queue in the table of what holds."""
    text = client.get(page(job)).content.decode()
    row = re.search(r'<tr><th scope="row">queue</th>(.*?)</tr>', text)
    cells = re.findall(r"<td>(.*?)</td>", row[1]) if row else []
    return [re.sub(r"<[^>]+>", "", cell) for cell in cells]


def test_without_an_engine_no_queue_can_be_chosen_and_a_choice_is_kept(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")
    assert offered(admin_client, specimen) == []
    assert send(admin_client, specimen, enabled="on", interval_text="45 minutes", queue="-").status_code == 302
    specimen.refresh_from_db()
    assert (specimen.override_queue, specimen.override_interval is None) == ("reports", False)


def test_what_the_engine_is_set_up_for_can_be_chosen(admin_client, specimen, engine):
    engine(queue="reports")
    assert offered(admin_client, specimen) == [
        ("", "as the code and the settings say (reports)", True),
        ("-", "in the runner itself", False),
        (":mail", "mail", False),
        (":reports", "reports", False),
    ]
    Job.objects.filter(pk=specimen.pk).update(override_queue="gone")
    assert (":gone", "gone", True) in offered(admin_client, specimen)
    Job.objects.filter(pk=specimen.pk).update(override_queue="")
    assert ("-", "in the runner itself", True) in offered(admin_client, specimen)


@pytest.mark.parametrize(
    ("chosen", "column", "line"),
    [
        (":mail", "mail", "queue: reports (settings) → mail"),
        ("-", "", "queue: reports (settings) → none"),
        ("", None, "nothing changed"),
        (":reports", None, "nothing changed"),
    ],
)
def test_a_choice_is_kept_unless_it_holds_anyway_and_is_noted(admin_client, specimen, engine, chosen, column, line):
    engine(queue="reports")
    assert send(admin_client, specimen, enabled="on", queue=chosen).status_code == 302
    specimen.refresh_from_db()
    assert specimen.override_queue == column
    assert LogEntry.objects.latest("pk").change_message == line


def test_what_is_not_offered_is_refused(admin_client, specimen, engine):
    engine()
    for chosen in (":slow", "mail", ":"):
        assert send(admin_client, specimen, enabled="on", queue=chosen).status_code == 200
    specimen.refresh_from_db()
    assert specimen.override_queue is None


def test_an_internal_job_has_no_queue_to_choose(admin_client, specimen, engine, monkeypatch):
    engine()
    monkeypatch.setattr("scheduler_bridge.admin.queue_field.is_offered", lambda row: False)
    assert offered(admin_client, specimen) == []


def test_one_who_may_only_look_has_nothing_to_choose(person, specimen, engine):
    engine(queue="reports")
    client = person("view_job")
    assert offered(client, specimen) == []
    assert client.post(page(specimen), {"queue": "-"}).status_code == 403
    specimen.refresh_from_db()
    assert specimen.override_queue is None


def test_a_waiting_run_goes_along_at_once(admin_client, specimen, engine, now):
    engine(queue="reports")
    times = {"scheduled_for": now, "hand_at": now, "handed_at": now}
    run = Run.objects.create(job=specimen, status=Status.QUEUED, cause=Cause.SCHEDULE, queue="reports", **times)
    send(admin_client, specimen, enabled="on", queue=":mail")
    run.refresh_from_db()
    assert run.hand_at < now


def test_the_effective_queue_stands_beside_who_says_it(admin_client, specimen, engine, settings):
    assert layer(admin_client, specimen) == ["-", "-", "-", "none: in the runner (default)"]
    engine(queue="reports")
    assert layer(admin_client, specimen) == ["-", "reports", "-", "reports (settings)"]
    Job.objects.filter(pk=specimen.pk).update(override_queue="")
    assert layer(admin_client, specimen) == [
        "-",
        "reports",
        "none: in the runner",
        "none: in the runner (changed here)",
    ]
    settings.SCHEDULER_BRIDGE = {}
    assert layer(admin_client, specimen)[-1] == "none: in the runner (there is no engine)"
    Job.objects.filter(pk=specimen.pk).update(override_queue=None)
    assert layer(admin_client, specimen) == []


def test_the_preview_of_another_queue_says_what_changes(admin_client, specimen, engine):
    engine(queue="reports")
    response = send(admin_client, specimen, enabled="on", queue="-", _preview="1")
    assert "queue: reports (settings) → none" in response.content.decode()
    specimen.refresh_from_db()
    assert specimen.override_queue is None


def test_the_list_names_the_queue_and_finds_the_jobs_that_have_one(admin_client, specimen, engine):
    engine(queue="reports")
    text = admin_client.get(LIST).content.decode()
    assert text.count("queue reports") == 1
    found = admin_client.get(f"{LIST}?kind=away").context["cl"].result_list
    assert [job.name for job in found] == ["tests.demo.specimen"]


@pytest.mark.parametrize("query", ["", "?kind=away"])
def test_the_list_takes_no_further_statement_for_queues(
    admin_client, specimen, tasks, now, query, django_assert_max_num_queries
):
    Job.objects.bulk_create(
        Job(name=f"x.job{n}", app="x", command=f"job{n}", owed_since=now, override_queue="reports") for n in range(300)
    )
    with django_assert_max_num_queries(7):
        admin_client.get(LIST + query)
