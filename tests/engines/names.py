"""The names that the settings of the site, its workers and the tests share."""

from typing import Final

ALIAS: Final = "engine"  # in Django's TASKS
SERVED: Final = "reports"
OTHER: Final = "exports"  # served too
UNSERVED: Final = "nobody"
QUEUES: Final = (SERVED, OTHER, UNSERVED)
