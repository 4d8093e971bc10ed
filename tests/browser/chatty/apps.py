from django.apps import AppConfig


class ChattyConfig(AppConfig):
    name = "tests.browser.chatty"
    label = "chatty"
