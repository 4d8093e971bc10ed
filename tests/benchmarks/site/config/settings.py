"""The settings of the site; the environment chooses database, scheduler, and whether the project is a bare one."""

import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[1]
SYSTEM = os.environ.get("BENCH_SYSTEM", "bridge")
ENGINE = os.environ.get("BENCH_ENGINE", "sqlite")
NAME = os.environ.get("BENCH_DATABASE", ":memory:")
HOST = os.environ.get("DATABASE_HOST", "127.0.0.1")
BARE = bool(os.environ.get("BENCH_BARE"))
DATABASES = {
    "default": {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": NAME,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
        },
        "postgres": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "HOST": HOST,
            "PORT": os.environ.get("BENCH_PORT", "5432"),
            "USER": "postgres",
            # In the clear, so that statements can be counted on their way.
            "OPTIONS": {"client_encoding": "UTF8", "sslmode": "disable", "gssencmode": "disable"},
        },
        "mariadb": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": NAME,
            "HOST": HOST,
            "USER": "root",
            "OPTIONS": {"charset": "utf8mb4"},
        },
    }[ENGINE]
}
if os.environ.get("BENCH_TUNED"):
    tuned = {
        "sqlite": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"},
        "postgres": {"server_side_binding": True, "prepare_threshold": 2},
    }
    DATABASES["default"]["OPTIONS"].update(tuned.get(ENGINE, {}))
SCHEDULERS = {
    "bridge": ["django_apscheduler", "scheduler_bridge"],
    "apscheduler": ["django_apscheduler"],
    "q2": ["django_q"],
    "celery": ["django_celery_beat", "django_celery_results"],
    "plain": ["django_celery_results"],
    "none": [],
}
# The engine that runs are handed over to, where one is chosen.
TASKS_ENGINE = os.environ.get("BENCH_TASKS", "")
REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0")
ENGINES = {
    "": {"apps": []},
    "rq": {"apps": ["django_rq"], "BACKEND": "django_tasks_rq.RQBackend"},
    "db": {"apps": ["django_tasks_db"], "BACKEND": "django_tasks_db.DatabaseBackend"},
    "celery": {
        "apps": [],
        "BACKEND": "django_tasks_celery.CeleryBackend",
        "OPTIONS": {"CELERY_APP": "config.celery.app"},
    },
}[TASKS_ENGINE]
STARTPROJECT_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
FURTHER_APPS = [
    "django.contrib.admindocs",
    "django.contrib.flatpages",
    "django.contrib.humanize",
    "django.contrib.redirects",
    "django.contrib.sitemaps",
    "django.contrib.sites",
    "django.contrib.syndication",
]
PROJECT_APPS = json.loads((BASE_DIR / "apps.json").read_text())
INSTALLED_APPS = [
    *STARTPROJECT_APPS,
    *([] if BARE else [*FURTHER_APPS, *PROJECT_APPS]),
    *(["many"] if os.environ.get("BENCH_MANY") else []),
    *(["crowd"] if os.environ.get("BENCH_CROWD") else []),
    *(["crew"] if os.environ.get("BENCH_CREW") else []),
    *SCHEDULERS[SYSTEM],
    *ENGINES.pop("apps"),
    "work",
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
ROOT_URLCONF = "config.bare_urls" if BARE else "config.urls"
SECRET_KEY = "only for benchmarks"
ALLOWED_HOSTS = ["*"]
STATIC_URL = "static/"
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "Europe/Stockholm"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SCHEDULER_BRIDGE = {"SPAWN": os.environ["BENCH_SPAWN"]} if os.environ.get("BENCH_SPAWN") else {}
# One worker each, as one runner runs one job at a time. All results are kept, since they are counted.
Q_CLUSTER = {"name": "bench", "workers": 1, "orm": "default", "timeout": 300, "retry": 600, "save_limit": 0}
if TASKS_ENGINE:
    SCHEDULER_BRIDGE["TASKS_BACKEND"] = "engine"
    TASKS = {"engine": {**ENGINES, "QUEUES": ["bench"]}}
    RQ_QUEUES = {"bench": {"URL": REDIS, "DEFAULT_TIMEOUT": -1}}
CELERY_BROKER_URL = REDIS
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": os.environ.get("BENCH_PREFIX", "bench:")}
CELERY_RESULT_BACKEND = None if TASKS_ENGINE else "django-db"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = TIME_ZONE
