"""What all sites of chaos runs share; the times of day are those of UTC."""

import os
from datetime import timedelta

import django

SECRET_KEY = "only for tests"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_apscheduler",
    "scheduler_bridge",
    "shop",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.urls"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ADMINS = [("Ops", "ops@example.com")]
_MAIL = "tests.chaos.mail.Mailbox"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": _MAIL}}
else:
    EMAIL_BACKEND = _MAIL
SCHEDULER_BRIDGE = {
    "STOP_GRACE": timedelta(seconds=1),
    "KILL_AFTER": timedelta(seconds=1),
    "TIMEOUT": timedelta(seconds=20),
    "SITE_URL": "http://site.example/",
    "SPAWN": os.environ.get("SITE_SPAWN", "auto"),
    "OVERRIDES": {"scheduler_bridge.pruneruns": {"enabled": False}},  # it keeps no trace, so no audit knows of it
}
