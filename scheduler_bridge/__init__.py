"""Run the management commands of a Django project on a schedule, from one process."""

__version__ = "0.1.0"
