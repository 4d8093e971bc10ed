"""Any text is written as its column can hold it, and read back as it was written."""

import pytest
from django.db import connection, models
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from scheduler_bridge import models as ours
from scheduler_bridge import storable
from scheduler_bridge.models import Cause, Hold, Job, Run, Status
from scheduler_bridge.models.fields import CharColumn, TextColumn
from scheduler_bridge.storable import Room, fit, shortened

# Keys, words of ours, and names that come from the code: they are compared, and must stay what they are.
AS_THEY_ARE = {
    *("job.name", "job.app", "job.command", "job.override_queue", "job.schedule_key", "run.queue", "run.status"),
    *("run.cause", "run.claim_key", "run.marker", "run.report", "runner.token", "runner.machine", "runner.code"),
    *("standby.token", "standby.machine", "deployment.code", "job.set_aside"),
}
ANYTHING = st.text(st.characters(), max_size=80) | st.text("a\0\ud800\udfff💥ł€é\x85\n\\'\"", max_size=700)


def test_every_column_for_words_is_made_storable():
    tables = [model for model in vars(ours).values() if isinstance(model, type) and issubclass(model, models.Model)]
    fields = [field for model in tables for field in model._meta.concrete_fields]
    texts = [field for field in fields if isinstance(field, models.CharField | models.TextField)]
    plain = {
        f"{field.model._meta.model_name}.{field.name}"
        for field in texts
        if not isinstance(field, CharColumn | TextColumn)
    }
    assert plain == AS_THEY_ARE


class AnyText(TestCase):
    @given(ANYTHING)
    def test_a_text_that_is_stored_is_read_back_as_its_escaped_form(self, text):
        job = Job.objects.create(name="demo.any", app="demo", command="any")
        values = {"output": text, "warning": text, "reason": text, "host": text}
        run = Run.objects.create(
            job=job, status=Status.FAILED, cause=Cause.MANUAL, scheduled_for=job.created_at, **values
        )
        run.refresh_from_db()
        for name in values:
            field = Run._meta.get_field(name)
            limit = field.max_length
            assert getattr(run, name) == fit(text, "default", Run._meta.db_table, name, limit)
            assert Run.objects.filter(**{name: text}).exists() or len(text) > 500
        assert ("\0" in run.output, "\\x00" in run.output) == (False, "\0" in text or "\\x00" in text)
        Run.objects.filter(pk=run.pk).update(cancel_by=text)
        Hold.objects.bulk_create([Hold(begun_at=job.created_at, reason=text, by=text)])


ROOMS = {
    "utf8": Room(),
    "latin1": Room(codec="cp1252"),
    "bmp": Room(codec="bmp"),
    "column": Room(columns={("shop", "note"): "ascii"}),
    "bytes": Room(counts_bytes=True),
}
KEPT = {"utf8": "é €💥", "latin1": "é €\\U0001f4a5", "bmp": "é €\\U0001f4a5", "column": "\\xe9 \\u20ac\\U0001f4a5"}


@pytest.fixture
def holding(monkeypatch):
    def hold(room: Room) -> None:
        monkeypatch.setattr(storable, "of", lambda alias: room)

    return hold


@pytest.mark.parametrize(("room", "text"), KEPT.items())
def test_what_a_database_lacks_is_escaped(holding, room, text):
    holding(ROOMS[room])
    assert fit("é €💥", "default", "shop", "note") == text
    assert fit("nul \0 half \ud800", "default", "shop", "note") == "nul \\x00 half \\ud800"


@given(ANYTHING, st.sampled_from(list(ROOMS.values())), st.integers(0, 60))
def test_a_text_fits_and_stays_so(text, room, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storable, "of", lambda alias: room)
        found = fit(text, "default", "shop", "note", limit)
        assert len(found.encode() if room.counts_bytes else found) <= limit
        assert "\0" not in found
        for codec in {room.codec, *room.columns.values()} - {"", "bmp"}:
            found.encode(codec)
        assert fit(found, "default", "shop", "note", limit) == found


@given(st.text(st.sampled_from("a\n'é💥"), max_size=400), st.integers(8, 300))
def test_a_text_for_a_packet_keeps_its_ends_and_says_what_is_left_out(text, limit):
    found = shortened(text, limit)
    if found != text:
        head, _, rest = found.partition("\n[... ")
        size, _, tail = rest.partition(" bytes left out ...]\n")
        assert storable._cost(head) + storable._cost(tail) <= limit
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(text.encode()) == len(head.encode()) + len(tail.encode()) + int(size)
    else:
        assert storable._cost(text) <= limit


def test_a_long_text_is_cut_for_the_packet(holding):
    holding(Room(packet=1024 * 1024))
    found = fit("x\n" * 4_000_000, "default", "shop", "note", None)
    assert storable._cost(found) < 1024 * 1024 - 64 * 1024
    assert found.startswith("x\nx\n")
    assert found.endswith("x\nx\n")
    assert " bytes left out ...]\n" in found


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("utf8mb4", ""),
        ("utf8mb3", "bmp"),
        ("latin1", "cp1252"),
        ("LATIN1", "iso8859-1"),
        ("LATIN9", "iso8859-15"),
        ("WIN1251", "cp1251"),
        ("UTF8", ""),
        ("SQL_ASCII", ""),
        ("koi8r", "koi8_r"),
        ("dec8", "ascii"),
        ("MULE_INTERNAL", "ascii"),
    ],
)
def test_character_sets_are_known_by_the_names_of_the_databases(name, codec):
    assert storable._codec(name) == codec
    "".encode(codec if codec not in {"", "bmp"} else "utf-8")


def test_a_database_is_asked_once(db, django_assert_num_queries):
    storable.of.cache_clear()
    with django_assert_num_queries({"sqlite": 0, "postgresql": 1, "mysql": 2}[connection.vendor]):
        for _ in range(3):
            fit("é", "default", "scheduler_bridge_run", "reason", 500)
    with django_assert_num_queries(0):
        fit("plain", "default", "scheduler_bridge_run", "reason", 500)
