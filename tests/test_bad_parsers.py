"""One command whose parser fails, or asks a database, is one job with a message; all else goes on."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created

from scheduler_bridge import checks, registry
from scheduler_bridge.discovery import discover
from scheduler_bridge.models import Job

BAD, GOOD = "shop.bad", "shop.good"
MISSING = "SELECT code FROM shop_country"


class Unspeakable(KeyError):
    def __str__(self) -> str:
        raise RuntimeError("not even its text")


def asks(sql: str = "SELECT 1") -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*args: Any) -> Any:
        raise error

    return fail


def missing_table(self, parser):
    parser.add_argument("--country", choices=asks(MISSING))


def existing_table(self, parser):
    parser.add_argument("--job", choices=list(Job.objects.values_list("name", flat=True)))


def in_a_transaction(self, parser):
    with transaction.atomic():
        Job.objects.all().delete()


def new_connection(self, parser):
    connections["default"].connect()


def copied_connection(self, parser):
    connection.copy().cursor()


def stored_procedure(self, parser):
    with connection.cursor() as cursor:
        cursor.callproc("close_books")


def lazy_choices(self, parser):
    parser.add_argument("--country", choices=Job.objects.values_list("name", flat=True))


def asking_type(self, parser):
    parser.add_argument("--country", type=asks)


def hidden_in_a_refusal(self, parser):
    """The rows are missing, which the code takes for no choices, and so its parser refuses the arguments."""
    try:
        choices = asks(MISSING)
    except Exception:
        choices = []
    parser.add_argument("--country", choices=choices)


def file(self, parser):
    parser.add_argument("--feed", choices=Path("/nonexistent/feeds.txt").read_text().split())


def clash(self, parser):
    parser.add_argument("-v", "--vendor")


def speaks_and_leaves(self, parser):
    print("spoken by print")
    self.stderr.write("spoken by the command")
    parser.print_help()
    parser.exit(3, "spoken by the parser")


def failing_type(self, parser):
    parser.add_argument("--country", type=raising(RuntimeError("no such country")))


def leaving_type(self, parser):
    parser.add_argument("--country", type=raising(SystemExit(4)))


def command_of(module: str, **values: Any) -> type[BaseCommand]:
    member = type("ScheduledJob", (), {"scheduled_interval": timedelta(hours=1), **values.pop("job", {})})
    members = {"ScheduledJob": member, "handle": lambda *args, **options: None, **values}
    return type("Command", (BaseCommand,), {"__module__": f"shop.management.commands.{module}", **members})


@pytest.fixture
def commands(monkeypatch):
    """Let these commands be all there are."""

    def use(**classes: type[BaseCommand]) -> None:
        discover.cache_clear()
        monkeypatch.setattr("scheduler_bridge.discovery.get_commands", lambda: dict.fromkeys(classes, "shop"))
        monkeypatch.setattr("scheduler_bridge.discovery.load_command_class", lambda app, name: classes[name]())

    yield use
    discover.cache_clear()


@pytest.fixture
def new_connections():
    opened: list[str] = []

    def note(*, connection: Any, **kwargs: Any) -> None:
        opened.append(connection.alias)

    connection_created.connect(note)
    yield opened
    connection_created.disconnect(note)


COUNTRY = {"job": {"args": ["--country", "SE"]}}
ASKS = "its add_arguments asks the database default, so its args are not checked here"
UNREAD = "its arguments cannot be read: "
TABLE = {
    "missing table": ({"add_arguments": missing_table}, "W103", ASKS),
    "existing table": ({"add_arguments": existing_table}, "W103", ASKS),
    "transaction": ({"add_arguments": in_a_transaction}, "W103", ASKS),
    "new connection": ({"add_arguments": new_connection}, "W103", ASKS),
    "copied connection": ({"add_arguments": copied_connection}, "W103", ASKS),
    "stored procedure": ({"add_arguments": stored_procedure}, "W103", ASKS),
    "lazy choices": ({"add_arguments": lazy_choices, **COUNTRY}, "W103", ASKS),
    "asking type": ({"add_arguments": asking_type, **COUNTRY}, "W103", ASKS),
    "hidden": ({"add_arguments": hidden_in_a_refusal, **COUNTRY}, "W103", ASKS),
    "file": ({"add_arguments": file}, "W104", f"{UNREAD}FileNotFoundError: [Errno 2] No such file or directory"),
    "clash": ({"add_arguments": clash}, "W104", f"{UNREAD}ArgumentError: argument -v/--vendor: conflicting"),
    "error": ({"add_arguments": raising(ValueError("no feed\nat all"))}, "W104", f"{UNREAD}ValueError: no feed at all"),
    "exit": ({"add_arguments": raising(SystemExit(2))}, "W104", f"{UNREAD}SystemExit: 2"),
    "refusal": ({"add_arguments": raising(CommandError("not here"))}, "W104", f"{UNREAD}CommandError: not here"),
    "unspeakable": ({"add_arguments": raising(Unspeakable())}, "W104", f"{UNREAD}Unspeakable: <"),
    "speaks": ({"add_arguments": speaks_and_leaves}, "W104", f"{UNREAD}SystemExit: 3"),
    "failing type": ({"add_arguments": failing_type, **COUNTRY}, "W104", f"{UNREAD}RuntimeError: no such country"),
    "leaving type": ({"add_arguments": leaving_type, **COUNTRY}, "W104", f"{UNREAD}SystemExit: 4"),
    "no parser": ({"create_parser": lambda *args, **options: None}, "W104", f"{UNREAD}AttributeError: "),
    "help": ({"help": property(raising(LookupError("no help")))}, "W104", f"{UNREAD}LookupError: no help"),
}
rows = pytest.mark.parametrize(("values", "number", "text"), TABLE.values(), ids=TABLE)


def run_checks() -> list[tuple[str, str]]:
    found = [*checks.check_settings(), *checks.check_definitions()]
    return [(message.id.partition(".")[2], message.msg) for message in found]


@rows
@pytest.mark.django_db
def test_check_names_the_command_and_asks_no_database(
    commands, values, number, text, capsys, new_connections, django_assert_num_queries
):
    commands(bad=command_of("bad", **values), good=command_of("good"))
    with django_assert_num_queries(0):
        ((id_, said),) = run_checks()
    assert id_ == number
    assert said.startswith(f"{BAD} (shop.management.commands.bad): {text}")
    assert new_connections == []
    assert capsys.readouterr() == ("", "")


@rows
@pytest.mark.django_db
def test_the_job_and_its_neighbour_are_scheduled_and_the_broken_one_says_so(
    commands, values, number, text, now, new_connections
):
    commands(bad=command_of("bad", **values), good=command_of("good"))
    lines = registry.sync(now)
    broken = dict(Job.objects.filter(removed_at=None).values_list("name", "broken"))
    assert broken == {BAD: broken[BAD] if number == "W104" else "", GOOD: ""}
    assert [line for line in lines if line.startswith("broken job")] == (
        [f"broken job {BAD}: {broken[BAD]}"] if number == "W104" else []
    )
    assert broken[BAD].startswith(text) or number != "W104"
    assert {item.name for item in registry.load(now)} == {BAD, GOOD}
    assert registry.sync(now) == []  # told once
    assert new_connections == []
    assert not connection.needs_rollback


@pytest.mark.parametrize("number", ["W103", "W104"])
@pytest.mark.django_db
def test_people_see_which_job_is_broken_and_why(commands, number, now):
    values = {"add_arguments": missing_table if number == "W103" else clash}
    commands(bad=command_of("bad", **values), good=command_of("good"))
    registry.sync(now)
    listed, why = StringIO(), StringIO()
    call_command("scheduledjobs", stdout=listed, no_color=True)
    call_command("scheduledjobs", "why", BAD, stdout=why)
    enabled = {line.split()[0]: line.split()[1] for line in listed.getvalue().splitlines()}
    assert (enabled[BAD], enabled[GOOD]) == ("broken" if number == "W104" else "yes", "yes")
    said = f"{BAD}: {UNREAD}ArgumentError: argument -v/--vendor: conflicting option string: -v"
    assert why.getvalue().startswith(said) == (number == "W104")


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_transaction_while_foreign_code_is_asked(commands, now):
    own, seen = connections["default"], []
    commands(bad=command_of("bad", add_arguments=lambda self, parser: seen.append(own.in_atomic_block)))
    registry.sync(now)
    assert seen == [False]


@pytest.mark.django_db
def test_a_job_that_works_again_is_broken_no_more(commands, now):
    commands(bad=command_of("bad", add_arguments=clash))
    registry.sync(now)
    commands(bad=command_of("bad"))
    assert registry.sync(now) == [f"mended job {BAD}"]
    assert Job.objects.get(name=BAD).broken == ""


@pytest.mark.django_db
def test_code_that_is_ready_for_a_missing_table_is_sound(commands, new_connections):
    def ready(self, parser):
        try:
            choices = asks(MISSING)
        except OperationalError:
            choices = []
        parser.add_argument("--country", choices=choices)

    commands(bad=command_of("bad", add_arguments=ready), good=command_of("good"))
    assert run_checks() == []
    assert new_connections == []


def test_a_parser_is_made_once_in_a_process(commands, settings):
    made = []
    values = {"add_arguments": lambda self, parser: made.append(1), "job": {"args": ["--verbosity", "2"]}}
    commands(bad=command_of("bad", **values))
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {BAD: {"args": ["--verbosity", "0"]}}}
    assert run_checks() == run_checks() == []
    assert made == [1]


def test_a_parser_that_failed_is_not_made_again(commands, settings):
    made = []

    def fail(self, parser):
        made.append(1)
        raise ValueError

    commands(bad=command_of("bad", add_arguments=fail, **COUNTRY))
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {BAD: {"args": []}}}
    assert [number for number, _ in run_checks() + run_checks()] == ["W104", "W104"]
    assert made == [1]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--unknown"], ["--verbosity", "nine"]])
def test_what_a_sound_parser_refuses_is_an_error_of_the_class_or_of_the_settings(commands, settings, words):
    commands(bad=command_of("bad", job={"args": words}), good=command_of("good"))
    assert [number for number, _ in run_checks()] == ["E111"]
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {GOOD: {"args": words}}}
    commands(good=command_of("good"))
    ((number, text),) = run_checks()
    assert number == "E008"
    assert text.startswith(f"SCHEDULER_BRIDGE: OVERRIDES[{GOOD!r}]: the command refuses args {words!r}: ")


@pytest.mark.django_db
def test_it_is_the_arguments_of_the_settings_that_break_a_job_or_not(commands, settings, now):
    commands(bad=command_of("bad", add_arguments=failing_type, **COUNTRY))
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {BAD: {"args": []}}}
    assert run_checks() == []
    assert [line for line in registry.sync(now) if BAD in line] == [f"created job {BAD}"]
    commands(bad=command_of("bad", add_arguments=failing_type))
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {BAD: {"args": ["--country", "SE"]}}}
    assert [number for number, _ in run_checks()] == ["W104"]
    assert registry.sync(now) == [f"broken job {BAD}: {UNREAD}RuntimeError: no such country"]


def test_a_parser_is_asked_once_for_the_same_words(commands):
    asked = []

    def counting_type(self, parser):
        parser.add_argument("--country", type=asked.append)

    commands(bad=command_of("bad", add_arguments=counting_type, **COUNTRY))
    assert run_checks() == run_checks() == []
    assert asked == ["SE"]


def test_a_person_who_interrupts_is_obeyed(commands):
    commands(bad=command_of("bad", add_arguments=raising(KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        run_checks()
