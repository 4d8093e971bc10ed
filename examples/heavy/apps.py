from django.apps import AppConfig


class HeavyConfig(AppConfig):
    name = "heavy"
    verbose_name = "Heavy jobs"
