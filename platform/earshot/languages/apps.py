from django.apps import AppConfig


class LanguagesConfig(AppConfig):
    name = "earshot.languages"
    label = "languages"
