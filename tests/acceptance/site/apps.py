from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tests.acceptance.site"
    label = "acceptance_site"
