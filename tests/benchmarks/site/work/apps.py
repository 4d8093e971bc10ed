"""The app with the work that every scheduler is given."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """The work."""

    name = "work"
