from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "earshot.demo"
    label = "demo"
    verbose_name = "Demo"
