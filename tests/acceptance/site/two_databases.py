"""The same site with a second database, in which all that is ours lives."""

import os

from tests.acceptance.site.settings import *  # noqa: F403
from tests.acceptance.site.settings import DATABASES, SCHEDULER_BRIDGE
from tests.settings import _DATABASES

DATABASES["jobs"] = {**_DATABASES["sqlite"], "NAME": os.environ["SITE_FOLDER"] + "/jobs.sqlite3"}
DATABASE_ROUTERS = [] if os.environ.get("WITHOUT_ROUTER") else ["scheduler_bridge.router.SchedulerBridgeRouter"]
SCHEDULER_BRIDGE["DATABASE"] = "jobs"
