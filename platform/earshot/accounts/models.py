"""People: who they are and which of the three roles they have. Their studies are annotation.Membership."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    ANNOTATOR = "annotator", _("Annotator")
    RESEARCHER = "researcher", _("Researcher")
    ADMIN = "admin", _("Admin")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        if not email:
            raise ValueError("A user needs an e-mail address; it is what people sign in with.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, role=Role.ADMIN, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True, default="")  # empty: as the browser says
    role = models.CharField(_("role"), max_length=12, choices=Role.choices, default=Role.ANNOTATOR)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_simulated = models.BooleanField(_("simulated rater"), default=False)  # can never sign in
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []  # type: ignore[misc]
    objects = UserManager()

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_user_per_address"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_absolute_url(self) -> str:
        return reverse("accounts:user", args=[self.pk])

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)

    @property
    def signs_in_by_link(self) -> bool:
        """Who came by a crowd site's link has neither address nor password; with one, the link would end to open."""
        return not self.has_usable_password()

    @property
    def is_annotator(self) -> bool:
        return self.role == Role.ANNOTATOR

    @property
    def is_researcher(self) -> bool:
        """Admins may do all that researchers may."""
        return self.role in {Role.RESEARCHER, Role.ADMIN}

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN


class AuditEntry(models.Model):
    """Who did what to what, and when. Written once, never changed."""

    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="audit_entries")
    action = models.CharField(max_length=60)  # "study.started", "user.role_changed"
    subject = models.CharField(max_length=200)
    address = models.CharField(max_length=200, blank=True, default="")  # of the subject's page
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"

    @property
    def action_words(self) -> str:
        """study.member_added → "added a member to the study"."""
        return str(ACTIONS.get(self.action, "")) or self.action.replace(".", " ").replace("_", " ")

    @property
    def detail_words(self) -> str:
        """{"role": ["annotator", "admin"], "pairs": 6} → pairs: 6, role: annotator → admin.

        By name: PostgreSQL keeps the keys of a JSON object in an order of its own.
        """
        told = [(name, value) for name, value in sorted(self.detail.items()) if name not in IDS]
        return ", ".join(f"{DETAILS.get(name, name)}: {_in_words(name, value)}" for name, value in told)


# The words of every floor, so that the log can be read without any of them.
ACTIONS = {
    "user.added": _("added the user"),
    "user.changed": _("changed the user"),
    "user.invited": _("made a new link for the user"),
    "study.created": _("created the study"),
    "study.changed": _("changed the study"),
    "study.copied": _("made the study as a copy"),
    "study.rubric_changed": _("changed the rubric of the study"),
    "study.running": _("started the study"),
    "study.paused": _("paused the study"),
    "study.finished": _("finished the study"),
    "study.reopened": _("reopened the study"),
    "study.piloted": _("made a pilot of the study"),
    "study.group_set": _("put annotators of the study into a group"),
    "study.member_added": _("added a member to the study"),
    "study.member_removed": _("removed a member from the study"),
    "study.pairs_added": _("added pairs to the study"),
    "study.invitation_made": _("made an invitation link for the study"),
    "study.invitation_withdrawn": _("withdrew an invitation link of the study"),
    "study.consent_withdrawn": _("withdrew the consent to the study"),
    "study.translated": _("changed the languages of the study"),
    "study.pair_flagged": _("flagged a pair of the study"),
    "study.flag_resolved": _("resolved a flag in the study"),
    "study.flag_reopened": _("reopened a flag in the study"),
    "study.checks_made": _("made checks of the study"),
    "study.gold_declared": _("declared a pair of the study gold"),
    "study.check_taken_out": _("took a check out of the study"),
    "study.check_put_back": _("put a check back into the study"),
    "study.rater_excluded": _("excluded a rater from the study"),
    "study.exclusion_lifted": _("lifted the exclusion of a rater from the study"),
    "study.adjudication_requested": _("asked for an adjudication in the study"),
    "study.adjudication_begun": _("began an adjudication in the study"),
    "study.adjudication_taken_back": _("took back an adjudication in the study"),
    "snapshot.made": _("made the snapshot"),
    "snapshot.downloaded": _("downloaded the snapshot"),
    "dialogues.import_started": _("started the import"),
    "system.described": _("described the system"),
    "reward_model.started": _("started the reward model"),
    "reward_model.registered": _("registered the reward model"),
    "reward_model.downloaded": _("downloaded the reward model"),
    "policy.started": _("started the first policy"),
    "policy.registered": _("registered the policy"),
    "policy.spoke": _("had the policy speak"),
    "policy.downloaded": _("downloaded the policy"),
    "round.started": _("started the round"),
    "job.cancelled": _("cancelled the job"),
    "job.started_again": _("started again the job"),
}
DETAILS = {
    "is_active": _("may sign in"),
    "content_id": _("content id"),
    "fields": _("what"),
    "parent": _("copied from"),
}
BEFORE_AND_AFTER = {"name", "role", "is_active"}
IDS = {"import_id", "system_id", "job"}  # the subject's own: its name and its address say it


def _in_words(name: str, value: object) -> str:
    if isinstance(value, list):
        words = [_in_words(name, each) for each in value]
        return " → ".join(words) if name in BEFORE_AND_AFTER else get_text_list(words, str(_("and"))).replace("_", " ")
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return str(value) if value != "" else "–"
