"""A site whose jobs say much while they run, under the strictest policy of what a page may load."""

import os
from datetime import timedelta

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*(app for app in INSTALLED_APPS if app != "tests.demo"), "tests.browser.chatty"]
MIDDLEWARE = ["tests.browser.chatty.policy.strict", *MIDDLEWARE]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["CHATTY_FOLDER"] + "/site.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
    }
}
ADMINS = []
SCHEDULER_BRIDGE = {"KILL_AFTER": timedelta(seconds=1), "STOP_GRACE": timedelta(seconds=1)}
