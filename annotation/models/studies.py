"""Studies: what is asked, of whom, and by which rules."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from earshot.accounts.models import User

OVERALL = "overall"
CHECK_RATE = 1 / 6  # one pair in six: docs/quality.md
OVERALL_POSITION = 1000  # overall is always last


class StudyQuerySet(models.QuerySet["Study"]):
    def readable_by(self, user: User) -> Self:
        """Studies whose numbers the user may see: an admin all, a researcher their own."""
        if user.is_admin:
            return self
        if not user.is_researcher:
            return self.none()
        mine = Membership.objects.filter(user=user, role=Membership.Role.RESEARCHER)
        return self.filter(pk__in=mine.values("study"))

    def judged_by(self, user: User) -> Self:
        """Studies in which the user listens."""
        mine = Membership.objects.filter(user=user, role=Membership.Role.ANNOTATOR)
        return self.filter(pk__in=mine.values("study"))


class Study(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")

    class ListeningPolicy(models.TextChoices):
        ENFORCED = "enforced", _("enforced: the questions open when enough was heard")
        RECORDED = "recorded", _("recorded: what was heard is stored, nothing is locked")
        NONE = "none", _("none: nothing is stored about listening")

    class TranscriptPolicy(models.TextChoices):
        NEVER = "never", _("never shown")
        AFTER_FIRST_LISTEN = "after_first_listen", _("after the first listen")
        ALWAYS = "always", _("always shown")

    class QuestionLayout(models.TextChoices):
        ONE_BY_ONE = "one_by_one", _("one after another")
        TOGETHER = "together", _("all on one page")

    class Entry(models.TextChoices):
        NONE = "none", _("none: who is added may judge at once")
        DEVICE = "device", _("device: consent, then a check of headphones and hearing")
        FULL = "full", _("full: consent, headphones and hearing, training, test pairs")

    class Selection(models.TextChoices):
        UNIFORM = "uniform", _("uniform: every open pair is as likely as any other")
        ADAPTIVE = "adaptive", _("adaptive: mostly the pairs that tell most about the ranking")

    class StopRule(models.TextChoices):
        JUDGMENTS = "judgments_at_most", _("the judgments of its budget were given")
        HOURS = "hours_at_most", _("the hours of sound of its budget were heard")
        WIDTH = "half_width_enough", _("every interval on overall is narrow enough")

    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)  # for researchers
    instructions = models.TextField(_("instructions"), blank=True)  # for annotators
    content_warning = models.CharField(_("content warning"), max_length=300, blank=True)  # before the first pair
    language = models.CharField(max_length=16, default="en")
    # What annotators read, in further languages: {"ja": {"title": …, "instructions": …, "content_warning": …}}
    translations = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    stopped_because = models.CharField(max_length=20, choices=StopRule.choices, blank=True)  # the rule that paused it
    version = models.PositiveSmallIntegerField(default=1)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="copies")
    overlap = models.PositiveSmallIntegerField(_("judgments per pair"), default=3)
    check_rate = models.FloatField(default=CHECK_RATE)  # share of the pairs lent that are checks
    selection = models.CharField(max_length=10, choices=Selection.choices, default=Selection.UNIFORM)
    uniform_floor = models.FloatField(default=0.1)  # share of adaptive picks that are uniform all the same
    # When enough is known: of a pair, and of the study. None, or 0: only the overlap ends it.
    agreeing_votes_enough = models.PositiveSmallIntegerField(null=True, blank=True)  # … all for one side, and it closes
    half_width_enough = models.FloatField(null=True, blank=True)  # logits, of every system's interval on overall
    raters_at_least = models.PositiveSmallIntegerField(default=5)  # before a width says that it is enough
    judgments_at_most = models.PositiveIntegerField(null=True, blank=True)  # the budget, in judgments …
    hours_at_most = models.FloatField(null=True, blank=True)  # … and in hours of sound that were lent to be heard
    pairs_per_rater = models.PositiveIntegerField(null=True, blank=True)  # quota of everybody; null: all
    # Rater groups as memberships name them. Empty: everybody. {"native": 300}: at most so many judgments of the group.
    eligible_groups = models.JSONField(default=list, blank=True)
    group_quotas = models.JSONField(default=dict, blank=True)
    pair_designs = models.JSONField(
        default=list, blank=True
    )  # how its pairs came about: [{design, systems, pairs, at}]
    is_pilot = models.BooleanField(default=False)  # a small trial of its parent; its votes stay apart
    lease_factor = models.FloatField(default=3.0)  # a lease lasts the pair's length times this …
    lease_minimum_seconds = models.PositiveIntegerField(default=600)  # … and at least this
    listening_policy = models.CharField(
        max_length=10, choices=ListeningPolicy.choices, default=ListeningPolicy.ENFORCED
    )
    coverage_wanted = models.FloatField(default=0.98)  # share of each side's speech to be heard before rating
    transcript_policy = models.CharField(
        max_length=20, choices=TranscriptPolicy.choices, default=TranscriptPolicy.AFTER_FIRST_LISTEN
    )
    question_layout = models.CharField(max_length=10, choices=QuestionLayout.choices, default=QuestionLayout.ONE_BY_ONE)
    entry = models.CharField(max_length=10, choices=Entry.choices, default=Entry.NONE)  # asked before the first pair
    consent_text = models.TextField(_("consent"), blank=True)  # empty: the usual text
    shows_agreement = models.BooleanField(default=False)  # to annotators: how often they agree with gold
    pairs_per_participant = models.PositiveSmallIntegerField(null=True, blank=True)  # of crowd workers; null: all
    completion_code = models.CharField(max_length=80, blank=True)  # what crowd workers leave with …
    completion_url = models.URLField(blank=True)  # … and where to
    is_simulated = models.BooleanField(_("simulated raters judge here"), default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="studies")
    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(condition=Q(overlap__gte=1), name="study_overlap_at_least_1"),
            models.CheckConstraint(
                condition=Q(coverage_wanted__gte=0, coverage_wanted__lte=1), name="study_coverage_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(check_rate__gte=0, check_rate__lte=0.5), name="study_check_rate_at_most_a_half"
            ),
            models.CheckConstraint(
                condition=Q(uniform_floor__gt=0, uniform_floor__lte=1), name="study_uniform_floor_above_0"
            ),
        ]

    def __str__(self) -> str:
        name = self.title if self.version == 1 else f"{self.title} (version {self.version})"
        return f"{name} ({_('pilot')})" if self.is_pilot else name

    def get_absolute_url(self) -> str:
        return reverse("annotation:study", args=[self.pk])

    @property
    def one_in(self) -> float:
        """One pair in so many that are lent is a check; 0 where none is."""
        return 1 / self.check_rate if self.check_rate else 0.0

    @property
    def has_votes(self) -> bool:
        from annotation.models.judgments import Judgment

        return Judgment.objects.submitted().filter(lease__pair__study=self).exists()


class Dimension(models.Model):
    """One question of a study's rubric. Overall is a dimension too, always the last."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="dimensions")
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField()
    question = models.CharField(max_length=300)
    help_text = models.TextField(blank=True)
    # How much better, in words: [much better, better, slightly better, about the same]; empty for the usual ones.
    anchors = models.JSONField(default=list, blank=True)
    translations = models.JSONField(default=dict, blank=True)  # {"ja": {"name": …, "question": …, …}}
    # What the question means, to hear: [{language, side: better or worse, words, sha256, seconds}]; sound by hash.
    examples = models.JSONField(default=list, blank=True)
    weight = models.FloatField(default=1.0)

    class Meta:
        ordering = ["study", "position"]
        constraints = [
            models.UniqueConstraint(fields=["study", "key"], name="one_dimension_per_study_and_key"),
            models.UniqueConstraint(fields=["study", "position"], name="one_dimension_per_study_and_position"),
            models.CheckConstraint(
                condition=(Q(key=OVERALL) & Q(position=OVERALL_POSITION))
                | (~Q(key=OVERALL) & Q(position__lt=OVERALL_POSITION)),
                name="overall_is_last",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    class Role(models.TextChoices):
        ANNOTATOR = "annotator", _("Annotator")
        RESEARCHER = "researcher", _("Researcher")

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    group = models.CharField(_("rater group"), max_length=40, blank=True)  # such as native; a stratum of the boards
    joined_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["study", "user"]
        constraints = [models.UniqueConstraint(fields=["study", "user", "role"], name="one_membership_per_role")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} in {self.study}"
