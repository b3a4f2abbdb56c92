from typing import Any

from earshot.accounts.models import AuditEntry, User


def record_action(user: User | None, action: str, subject: object, **detail: Any) -> AuditEntry:
    """Write one line into the audit log, in the caller's transaction: both happen or neither."""
    return AuditEntry.objects.create(user=user, action=action, subject=str(subject)[:200], detail=detail)
