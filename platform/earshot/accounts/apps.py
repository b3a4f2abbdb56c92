from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "earshot.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        # The Celery app is loaded here, so that `earshot/__init__.py` stays empty and shared tasks find their app.
        from earshot import celery  # noqa: F401
