"""Writes about systems."""

from django.db import transaction

from annotation.models import System
from earshot.accounts.models import User
from earshot.accounts.services import record_action


@transaction.atomic
def describe_system(system: System, description: str, *, by: User) -> None:
    """Say for researchers what a system is. Its name comes from the manifests and stays as it is."""
    system.description = description
    system.save(update_fields=["description"])
    record_action(by, "system.described", system)
