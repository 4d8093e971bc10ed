"""The Celery of a site: its workers are told of this module."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")
