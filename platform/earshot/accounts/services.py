"""What admins do to people, and people to themselves; each change leaves a line in the audit log."""

from importlib import import_module
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from earshot.accounts.models import AuditEntry, Role, User


def record_action(user: User | None, action: str, subject: object, **detail: Any) -> AuditEntry:
    """Write one line into the audit log, in the caller's transaction: both happen or neither."""
    name = subject.email if isinstance(subject, User) else str(subject)  # a person's name may change
    address = subject.get_absolute_url() if hasattr(subject, "get_absolute_url") else ""
    return AuditEntry.objects.create(user=user, action=action, subject=name[:200], address=address, detail=detail)


@transaction.atomic
def add_user(email: str, *, name: str, role: str, by: User | None) -> User:
    """Add a person without a password; `invitation_path` is where they choose one."""
    user = User.objects.create_user(email=email.lower(), name=name, role=role)
    record_action(by, "user.added", user, role=role)
    return user


def invitation_path(user: User) -> str:
    """The address where this person, and nobody else, sets a password. It ends with its use or the next sign-in."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    uid, _dash, token = key.partition("-")
    return reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": token})


def mail_is_logged() -> bool:
    """Whether mail is written to standard output, which becomes a log, because no mail server is set up."""
    return bool(settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend")


def send_invitation(user: User, *, by: User, link: str) -> bool:
    """E-mail the link; False if the mail server did not take it (the admin still sees the link once)."""
    with translation.override(user.language or translation.get_language()):
        subject, text = _("Your invitation to Earshot"), _invitation_text(user, by=by, link=link)
    try:
        return send_mail(subject, text, None, [user.email]) == 1
    except OSError:  # smtplib's errors are OSErrors
        return False


def _invitation_text(user: User, *, by: User, link: str) -> str:
    words = _("%(by)s invites you to Earshot as %(role)s.\n\nChoose a password here; the link works once:\n%(link)s\n")
    return words % {"by": by, "role": user.get_role_display().lower(), "link": link}


@transaction.atomic
def change_user(user: User, *, name: str, role: str, is_active: bool, by: User) -> User:
    """Change a person's name, role or right to sign in. Who may no longer sign in is signed out at once.

    Raises:
        ValidationError: if an admin would lower themselves, or nobody would be left who can administer.
    """
    # All admins are locked in one order, so that of two admins who remove each other at once one is refused.
    admins = list(User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk"))
    user = User.objects.select_for_update().get(pk=user.pk)
    stays_admin = role == Role.ADMIN and is_active
    if user == by and not stays_admin:
        raise ValidationError(_("You cannot take your own role or sign-in away. Ask another admin to do it."))
    if user in admins and not stays_admin and len(admins) == 1:
        raise ValidationError(_("%(user)s is the last admin. Make somebody else an admin first.") % {"user": user})
    before = {"name": user.name, "role": user.role, "is_active": user.is_active}
    after = {"name": name, "role": role, "is_active": is_active}
    changed = {field: [before[field], after[field]] for field in before if before[field] != after[field]}
    if not changed:
        return user
    for field, value in after.items():
        setattr(user, field, value)
    user.save(update_fields=list(after))
    record_action(by, "user.changed", user, **changed)
    if not is_active:
        end_sessions(user)
    return user


def end_sessions(user: User, *, but: str | None = None) -> int:
    """Sign a person out everywhere, except the session `but`; returns how many sessions ended."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    ended = 0
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.session_key != but and session.get_decoded().get("_auth_user_id") == str(user.pk):
            store(session.session_key).delete()
            ended += 1
    return ended
