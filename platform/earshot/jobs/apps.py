from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "earshot.jobs"
    label = "jobs"
    verbose_name = "Jobs"
