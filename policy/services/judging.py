"""The study in which people compare what policies said."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from annotation.models import Dialogue, Membership, Study
from annotation.services import studies
from earshot.jobs.services import RunningJob
from policy.models import Round, Speech

RULES = (  # what makes votes of two studies the same measurement
    "instructions",
    "language",
    "lease_factor",
    "lease_minimum_seconds",
    "listening_policy",
    "coverage_wanted",
    "transcript_policy",
    "question_layout",
    "content_warning",
    "entry",
    "consent_text",
    "check_rate",
    "selection",
    "uniform_floor",
    "eligible_groups",
)
QUESTION = ("key", "name", "question", "help_text", "weight", "anchors", "translations", "examples")


def source_study(round: Round) -> Study:
    """The study whose votes taught the first reward model: the new study asks the same, in the same way."""
    return round.reward_models.select_related("snapshot__study").order_by("pk")[0].snapshot.study


def open_round_study(held: RunningJob, round: Round, pairs: Sequence[tuple[Dialogue, Dialogue]]) -> Study:
    """The study of new against reference, by the rules, questions and people of the source study.

    Its title names no policy: annotators read it. Simulated if any reward model learned from simulated votes.
    """
    if round.study is None:
        source = source_study(round)
        with transaction.atomic():
            held.lock()
            round.study = studies.create_study(
                title=f"{source.title}, round {round.pk}"[:200],
                by=round.created_by,
                at=timezone.now(),
                description=f"{round.new_policy} against its reference {round.policy}, from round '{round}'.",
                overlap=round.parameters["overlap"],
                is_simulated=round.is_simulated,
                translations=_words_of_the_rules(source),
                **{rule: getattr(source, rule) for rule in RULES},
            )
            _ask_the_same(round.study, source)
            _invite_the_same(round.study, source)
            round.save(update_fields=["study"])
    fill_study(held, round.study, pairs, start=round.parameters["start_study"])
    return round.study


def open_speech_study(held: RunningJob, speech: Speech, pairs: Sequence[tuple[Dialogue, Dialogue]]) -> Study:
    """A study of one policy's own dialogues, from which its first reward model can learn."""
    if speech.study is None:
        chosen = speech.parameters["study"]
        with transaction.atomic():
            held.lock()
            speech.study = studies.create_study(
                title=chosen["title"],
                by=speech.created_by,
                at=timezone.now(),
                description=f"Dialogues of {speech.policy}, each against others of the same scenario.",
                overlap=chosen["overlap"],
                is_simulated=chosen["is_simulated"],
            )
            speech.save(update_fields=["study"])
    fill_study(held, speech.study, pairs, start=speech.parameters["study"]["start"])
    return speech.study


def fill_study(held: RunningJob, study: Study, pairs: Sequence[tuple[Dialogue, Dialogue]], *, start: bool) -> None:
    """Add the pairs that are not there yet, then start the study if that was wanted and nobody did."""
    known = {frozenset(pair) for pair in study.pairs.values_list("dialogue_a", "dialogue_b")}
    missing = [(one, other) for one, other in pairs if frozenset((one.pk, other.pk)) not in known]
    if not known and not missing:
        raise ValueError("No scenario was spoken by both sides, so there is nothing to compare. Look at the imports.")
    held.check()
    studies.add_pairs(study, missing, by=held.job.created_by)
    if start and study.state == Study.State.DRAFT:
        studies.change_state(study, Study.State.RUNNING, by=held.job.created_by)


def _words_of_the_rules(source: Study) -> dict[str, dict[str, str]]:
    """What its annotators read in further languages, but for the title: a round's is another."""
    return {
        language: {name: text for name, text in words.items() if name in RULES}
        for language, words in source.translations.items()
    }


def _ask_the_same(study: Study, source: Study) -> None:
    study.dimensions.all().delete()
    for dimension in source.dimensions.all():
        asked = {name: getattr(dimension, name) for name in QUESTION}
        study.dimensions.create(position=dimension.position, **asked)


def _invite_the_same(study: Study, source: Study) -> None:
    """Everybody of the source study; simulated raters belong to one study alone."""
    for member in source.memberships.filter(user__is_simulated=False).select_related("user"):
        Membership.objects.get_or_create(
            study=study, user=member.user, role=member.role, defaults={"group": member.group}
        )
