"""The settings of the test site; DATABASE_ENGINE in the environment chooses the database.

DATABASE_DRIVER=psycopg2 hides psycopg 3 from Django, which then takes the other driver of PostgreSQL.

With ODD_SITE=1 it is a site with naive times and a user model of its own, where PostgreSQL binds the parameters itself.
"""

import os
import sys

import django

DRIVER = os.environ.get("DATABASE_DRIVER", "psycopg")
if DRIVER == "psycopg2":
    sys.modules["psycopg"] = None
ENGINE = os.environ.get("DATABASE_ENGINE", "sqlite")
ODD = os.environ.get("ODD_SITE") == "1"
_DATABASES = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_NAME", ":memory:"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("DATABASE_NAME", "scheduler_bridge"),
        "HOST": os.environ.get("DATABASE_HOST", "127.0.0.1"),
        "USER": os.environ.get("DATABASE_USER", "postgres"),
        "OPTIONS": {"client_encoding": "UTF8", "server_side_binding": ODD},
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ.get("DATABASE_NAME", "scheduler_bridge"),
        "HOST": os.environ.get("DATABASE_HOST", "127.0.0.1"),
        "USER": os.environ.get("DATABASE_USER", "root"),
        "OPTIONS": {"charset": "utf8mb4"},
        "TEST": {"CHARSET": "utf8mb4"},
    },
}
DATABASES = {"default": _DATABASES[ENGINE]}
SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_apscheduler",
    "scheduler_bridge",
    "tests.demo",
    *(["tests.people"] if ODD else []),
]
AUTH_USER_MODEL = "people.Person" if ODD else "auth.User"
MIDDLEWARE = [
    "tests.policy.strict",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
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
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
USE_TZ = not ODD
TIME_ZONE = "Europe/Stockholm"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ADMINS = ["ops@example.com"] if os.environ.get("PLAIN_ADMINS") else [("Ops", "ops@example.com")]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
