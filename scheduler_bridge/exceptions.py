"""The errors of scheduler_bridge: one base and its few children."""

from django.core.exceptions import ImproperlyConfigured


class SchedulerBridgeError(Exception):
    """The base of every error raised here; not raised itself."""


class SkipRun(SchedulerBridgeError):
    """Raised by a job's ``should_run`` to skip this run and say why in one line."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class ConfigurationError(SchedulerBridgeError, ImproperlyConfigured):
    """A value of the ``SCHEDULER_BRIDGE`` setting cannot be used."""


class ScheduleError(SchedulerBridgeError, ValueError):
    """An interval or a time of day cannot be used; the text says what was expected and what came."""


class UnknownJob(SchedulerBridgeError, LookupError):
    """No job has this name."""


class JobDisabled(SchedulerBridgeError):
    """A run was asked for by hand, but the job is disabled and the run not forced."""


class UnknownRun(SchedulerBridgeError, LookupError):
    """No run has this number."""


class CannotCancel(SchedulerBridgeError):
    """A run cannot be ended before its time: it goes on inside the runner, or has ended already."""


class NothingToSkip(SchedulerBridgeError):
    """A job has no fire time to come that could be left out."""


class EngineError(SchedulerBridgeError):
    """A run was not handed over: the engine cannot be used, or did not take it."""


class LeaseLost(SchedulerBridgeError):
    """Another process holds the lease now: nothing may be started or recorded by this one."""


class TriggerError(SchedulerBridgeError):
    """A trigger gave no usable fire time; the text says what was expected and what came."""

    def __init__(self, text: str, *, stalled: bool = False) -> None:
        super().__init__(text)
        # Whether it gave no answer in time: it would hold up whoever asks it again.
        self.stalled = stalled
