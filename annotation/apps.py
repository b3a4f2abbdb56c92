from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out


class AnnotationConfig(AppConfig):
    name = "annotation"
    verbose_name = "Annotation"

    def ready(self) -> None:
        # Signing out happens on the ground floor, which knows nobody above: its signal is the one way to hear of it.
        user_logged_out.connect(free_reserved_pair, dispatch_uid="free_reserved_pair")


def free_reserved_pair(*, user: Any, **_signal: Any) -> None:
    """A pair reserved ahead goes back when its annotator signs out."""
    from annotation.services import leases

    if user is not None and user.is_authenticated:
        leases.release_reserved(user)
