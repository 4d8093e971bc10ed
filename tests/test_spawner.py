import gc
import os
import threading
from dataclasses import dataclass, field

import pytest

from scheduler_bridge.execution import spawner as module
from scheduler_bridge.execution.launcher_process import Lost
from scheduler_bridge.execution.origin import Origin
from scheduler_bridge.execution.spawner import Spawner

ORIGIN = Origin(head=(), cwd="/", environment={})


@dataclass
class Stage:
    """Launchers that do as they are told: each started one takes the next part."""

    parts: list[dict] = field(default_factory=list)
    started: list["Actor"] = field(default_factory=list)
    clock: float = 1000.0


class Actor:
    def __init__(self, stage: Stage, way: str) -> None:
        self.way, self.preloads, self.ended, self.pipes = way, way != "exec", False, []
        self.part = stage.parts.pop(0) if stage.parts else {}
        stage.started.append(self)

    def unfit(self):
        if wait := self.part.get("wait"):
            wait()
        if self.part.get("dies"):
            raise Lost("it died")
        return self.part.get("unfit", "")

    def hand_over(self, pipes):
        if self.part.get("dumb"):
            raise Lost("no answer")
        self.pipes.append(pipes)
        return self.part.get("refusal", "")

    def end(self):
        self.ended = True


@pytest.fixture
def stage(monkeypatch):
    stage = Stage()
    monkeypatch.setattr(module, "LauncherProcess", lambda origin, way: Actor(stage, way))
    monkeypatch.setattr(module.time, "monotonic", lambda: stage.clock)
    return stage


def spawn(spawner: Spawner) -> None:
    pipes = spawner.spawn()
    assert len({pipes.control, pipes.output, pipes.report}) == 3
    pipes.close()


def ways(stage: Stage) -> list[str]:
    return [actor.way for actor in stage.started]


@pytest.mark.parametrize("way", ["exec", "fork", "auto"])
def test_one_launcher_serves_all_runs(stage, way):
    spawner = Spawner(ORIGIN, way)
    spawner.prepare()
    spawn(spawner)
    spawn(spawner)
    assert ways(stage) == [way]
    spawner.close()
    assert stage.started[0].ended


def test_nothing_is_started_before_it_is_needed(stage):
    spawner = Spawner(ORIGIN, "auto")
    spawner.renew()
    spawner.close()
    assert stage.started == []


def test_the_supervisors_ends_stay_open_only_with_the_supervisor(stage):
    spawner = Spawner(ORIGIN, "exec")
    pipes = spawner.spawn()
    theirs = stage.started[0].pipes[0]
    assert os.read(pipes.output, 1) == b""
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(theirs.control)
    pipes.close()


def test_a_launcher_that_is_out_of_date_serves_this_run_and_is_replaced(stage):
    stage.parts = [{"refusal": "code.py has changed"}]
    spawner = Spawner(ORIGIN, "auto")
    spawn(spawner)
    assert ways(stage) == ["auto", "auto"]
    assert stage.started[0].ended
    spawn(spawner)
    assert len(stage.started[1].pipes) == 1


def test_a_launcher_that_is_gone_is_replaced_within_the_same_run(stage):
    stage.parts = [{"dumb": True}]
    spawner = Spawner(ORIGIN, "auto")
    spawn(spawner)
    assert [len(actor.pipes) for actor in stage.started] == [0, 1]


def test_no_launcher_at_all_is_an_error_and_leaves_no_descriptor(stage):
    stage.parts = [{"dumb": True} for _ in range(9)]
    gc.collect()  # else what another test has left open might be closed in between
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="expected a launcher"):
        Spawner(ORIGIN, "auto").spawn()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_project_that_cannot_be_forked_is_never_tried_again_by_itself(stage, caplog):
    stage.parts = [{"unfit": "it has threads"}]
    spawner = Spawner(ORIGIN, "auto")
    spawn(spawner)
    stage.clock += 100_000
    spawn(spawner)
    assert ways(stage) == ["auto", "exec"]
    assert [record.getMessage() for record in caplog.records] == [
        "external jobs are not forked but started anew: it has threads"
    ]


def test_a_project_that_could_not_be_loaded_is_tried_again_after_a_minute(stage):
    stage.parts = [{"dies": True}]
    spawner = Spawner(ORIGIN, "auto")
    spawn(spawner)
    stage.clock += module.RETRY_AFTER - 1
    spawn(spawner)
    assert ways(stage) == ["auto", "exec"]
    stage.clock += 1
    spawn(spawner)
    assert ways(stage) == ["auto", "exec", "auto"]


def test_after_a_migrate_an_unfit_project_gets_another_chance(stage):
    stage.parts = [{"unfit": "it has threads"}]
    spawner = Spawner(ORIGIN, "auto")
    spawn(spawner)
    spawner.renew()
    assert ways(stage) == ["auto", "exec", "auto"]


def test_a_small_launcher_has_nothing_to_renew(stage):
    spawner = Spawner(ORIGIN, "exec")
    spawn(spawner)
    spawner.renew()
    spawn(spawner)
    assert ways(stage) == ["exec"]


def test_to_renew_or_to_close_does_not_wait_for_a_launcher_that_loads(stage):
    loading, go_on = threading.Event(), threading.Event()
    stage.parts = [{"wait": lambda: (loading.set(), go_on.wait(10))}]
    spawner = Spawner(ORIGIN, "auto")
    worker = threading.Thread(target=spawn, args=(spawner,))
    worker.start()
    assert loading.wait(10)
    spawner.renew()
    assert ways(stage) == ["auto"]
    go_on.set()
    worker.join(10)
    spawn(spawner)
    assert ways(stage) == ["auto", "auto"]
