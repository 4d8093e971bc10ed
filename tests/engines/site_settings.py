"""What sites share whose runs are performed by an engine, which the environment names."""

import os

from tests.chaos.settings import *  # noqa: F403
from tests.chaos.settings import INSTALLED_APPS, SCHEDULER_BRIDGE

from .kinds import ENGINES
from .names import ALIAS

_engine = ENGINES[os.environ["SITE_ENGINE"]].settings(os.environ["SITE_BROKER"])
INSTALLED_APPS = [*INSTALLED_APPS, *_engine.pop("INSTALLED_APPS")]
SCHEDULER_BRIDGE = {**SCHEDULER_BRIDGE, "TASKS_BACKEND": ALIAS}
globals().update(_engine)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"scheduler_bridge": {"handlers": ["console"], "level": "INFO"}},
}
