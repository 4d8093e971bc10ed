"""A site of its own for real processes: its database lies in a folder that the test names."""

import json
import os
from datetime import timedelta

import django

from tests.acceptance.site import triggers
from tests.settings import *  # noqa: F403
from tests.settings import _DATABASES, ENGINE

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_apscheduler",
    "scheduler_bridge",
    "tests.acceptance.site",
]
AUTH_USER_MODEL = "auth.User"
DATABASES = {"default": {**_DATABASES[ENGINE], "NAME": os.environ["SITE_DATABASE"]}}
if "SITE_PORT" in os.environ:
    DATABASES["default"]["PORT"] = os.environ["SITE_PORT"]
if "SITE_POOL" in os.environ:
    options = {**DATABASES["default"].get("OPTIONS", {}), "pool": json.loads(os.environ["SITE_POOL"])}
    DATABASES["default"]["OPTIONS"] = options
_FILE_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
_MAIL_FOLDER = os.environ["SITE_FOLDER"] + "/mail"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": _FILE_BACKEND, "OPTIONS": {"file_path": _MAIL_FOLDER}}}
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = _FILE_BACKEND, _MAIL_FOLDER
SCHEDULER_BRIDGE = {
    "STOP_GRACE": timedelta(seconds=float(os.environ.get("SITE_GRACE", "1"))),
    "KILL_AFTER": timedelta(seconds=1),
    "OVERRIDES": {
        name: {"enabled": name in json.loads(os.environ["SITE_JOBS"])}
        for name in (
            "tests.acceptance.site.breaking",
            "tests.acceptance.site.tick",
            "tests.acceptance.site.long_inside",
            "tests.acceptance.site.long_outside",
            "tests.acceptance.site.first",
            "tests.acceptance.site.failing",
            "tests.acceptance.site.hanging",
            "tests.acceptance.site.skipping",
        )
    },
}
for _name, _text in json.loads(os.environ.get("SITE_TRIGGERS", "{}")).items():
    SCHEDULER_BRIDGE["OVERRIDES"][f"tests.acceptance.site.{_name}"] = {"trigger": triggers.made(_text)}
if "SITE_TIMEOUT" in os.environ:
    SCHEDULER_BRIDGE["TIMEOUT"] = os.environ["SITE_TIMEOUT"]
if "SITE_SPAWN" in os.environ:
    SCHEDULER_BRIDGE["SPAWN"] = os.environ["SITE_SPAWN"]
