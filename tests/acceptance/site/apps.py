import importlib
import os

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tests.acceptance.site"
    label = "acceptance_site"

    def ready(self):
        if os.environ.get("SITE_CLOCK"):
            importlib.import_module("scheduler_bridge.runner")  # with all that the runner consists of
            importlib.import_module("tests.acceptance.site.clock").install()
        if os.environ.get("SITE_FAILURE"):
            importlib.import_module("tests.acceptance.site.failure").install(os.environ["SITE_FAILURE"])
