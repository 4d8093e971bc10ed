"""The settings of the example site: a small shop on SQLite. Everything it writes goes to the folder ``var``."""

import os
from datetime import timedelta
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("SHOP_VAR", BASE_DIR / "var"))
VAR_DIR.mkdir(parents=True, exist_ok=True)
INBOX_DIR = VAR_DIR / "inbox"
ADDRESS = os.environ.get("SHOP_ADDRESS", "127.0.0.1:8000")

# An example that never leaves this machine; a real site keeps both of these elsewhere.
SECRET_KEY = "the example shop has no secrets"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_apscheduler",
    "scheduler_bridge",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
ROOT_URLCONF = "shop_site.urls"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Stockholm"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A web process, a runner and its jobs write to one SQLite file: with these options a writer waits for the other
# one's lock instead of failing on it.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR_DIR / "shop.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
    }
}

# Mails land as files, so that the reports of failed jobs can be read in var/mail.
MAIL_DIR = VAR_DIR / "mail"
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "OPTIONS": {"file_path": str(MAIL_DIR)},
        }
    }
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = MAIL_DIR
EMAIL_SUBJECT_PREFIX = "[shop] "
SERVER_EMAIL = "shop@example.com"

SCHEDULER_BRIDGE = {
    "NOTIFY": ["operators@example.com"],
    "SITE_URL": f"http://{ADDRESS}",
    "STOP_GRACE": timedelta(seconds=10),
    "OVERRIDES": {"scheduler_bridge.pruneruns": {"times": "03:15"}},
}

# The distributed demo: two jobs of the shop and those of the app "heavy" are handed over to RQ's workers.
if REDIS := os.environ.get("SHOP_REDIS"):
    INSTALLED_APPS += ["django_rq", "heavy"]
    RQ_QUEUES = {"reports": {"URL": REDIS, "DEFAULT_TIMEOUT": -1}}  # the jobs have timeouts of their own
    TASKS = {"rq": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": ["reports"]}}
    SCHEDULER_BRIDGE["TASKS_BACKEND"] = "rq"
    SCHEDULER_BRIDGE["OVERRIDES"] |= {
        "shop.import_orders": {"queue": "reports"},
        "shop.hanging_rate_update": {"queue": "reports"},
    }

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"scheduler_bridge": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
