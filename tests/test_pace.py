from scheduler_bridge.pace import Pace


def test_nothing_is_read_while_nothing_is_owed():
    pace = Pace(1.0)
    assert pace.pause(5.0) == float("inf")
    pace.read(5.0, 5.0)
    assert pace.pause(9.0) == float("inf")


def test_what_is_owed_rests_for_a_while_after_the_last_reading():
    pace = Pace(1.0)
    pace.owe()
    assert pace.pause(5.0) == 0
    pace.read(5.0, 5.25)
    pace.owe()
    assert (pace.pause(5.25), pace.pause(6.0)) == (0.75, 0)


def test_readings_that_take_long_get_a_share_of_the_time():
    pace = Pace(1.0)
    pace.read(5.0, 7.0)
    pace.owe()
    assert pace.pause(8.0) == 3.0
    pace.read(11.0, 11.1)
    pace.owe()
    assert pace.pause(11.5) == 0.5
