from dataclasses import replace
from datetime import timedelta

from scheduler_bridge import standby
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Standby
from scheduler_bridge.standby import Rivals


def test_one_who_waits_is_seen_until_it_is_silent_for_long(db, now):
    me = Identity.mine()
    standby.note(me, now - timedelta(hours=1), now)
    standby.note(me, now - timedelta(hours=1), now + timedelta(seconds=10))
    (found,) = standby.seen(now + timedelta(seconds=40))
    assert (found.pid, found.host, found.since) == (me.pid, me.host, now - timedelta(hours=1))
    assert standby.seen(now + timedelta(seconds=41)) == ()


def test_one_who_waits_no_more_is_forgotten(db, now):
    me, other = Identity.mine(), Identity.mine()
    standby.note(me, now, now)
    standby.note(other, now, now)
    standby.forget(me)
    assert [found.token for found in standby.seen(now)] == [other.token]


def test_what_a_killed_one_left_goes_after_a_day(db, now):
    standby.note(Identity.mine(), now, now - timedelta(days=2))
    standby.note(Identity.mine(), now, now)
    assert Standby.objects.count() == 1


def elsewhere(**changes: object) -> Identity:
    return replace(Identity.mine(), host="web2", machine="elsewhere", pid=77, **changes)


def test_one_who_waits_on_another_machine_is_a_rival_and_one_on_this_machine_is_none(db, now):
    standby.note(Identity.mine(), now, now)
    standby.note(elsewhere(), now, now)
    assert Rivals(Identity.mine()).look(100.0) == ("web2 process 77",)


def test_where_machines_cannot_be_told_apart_everybody_who_waits_is_a_rival(db, now):
    standby.note(replace(Identity.mine(), machine=""), now, now)
    assert len(Rivals(Identity.mine()).look(100.0)) == 1
    assert len(Rivals(replace(Identity.mine(), machine="")).look(100.0)) == 1


def test_a_rival_whose_clock_is_far_off_counts_while_it_notes_that_it_waits(db, now):
    rivals, other = Rivals(Identity.mine()), elsewhere()
    for seconds in range(0, 60, 10):
        standby.note(other, now, now - timedelta(hours=1) + timedelta(seconds=seconds))
        assert rivals.look(100.0 + seconds) != ()
    assert rivals.look(100.0 + 50 + 30) != ()
    assert rivals.look(100.0 + 50 + 31) == ()
