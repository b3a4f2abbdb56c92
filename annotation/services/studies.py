"""Studies and their pairs: create, change, start, copy, and lend seats."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import combinations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models import Dialogue, Dimension, Membership, Pair, Score, Study, System
from annotation.models.studies import OVERALL, OVERALL_POSITION
from annotation.queries.wording import DIMENSION_TEXTS
from annotation.rubric import DEFAULT_RUBRIC
from annotation.services import leases, renditions
from earshot.accounts.models import User
from earshot.accounts.services import record_action

FIXED_BY_VOTES = {  # later votes would be another measurement
    "language": gettext_lazy("language"),
    "listening_policy": gettext_lazy("listening"),
    "coverage_wanted": gettext_lazy("share of the speech to be heard"),
    "transcript_policy": gettext_lazy("transcript"),
    "question_layout": gettext_lazy("layout of the questions"),
    "is_simulated": gettext_lazy("simulation"),
}


@transaction.atomic
def create_study(*, title: str, by: User | None, at: datetime, **fields: object) -> Study:
    """A draft study with the default rubric; its maker becomes a researcher of it."""
    study = Study(title=title, created_by=by, created_at=at, **fields)
    study.full_clean(exclude=["created_by"])
    study.save()
    for position, (key, name, question) in enumerate(DEFAULT_RUBRIC):
        Dimension.objects.create(
            study=study,
            key=key,
            name=name,
            question=question,
            position=OVERALL_POSITION if key == OVERALL else position,
        )
    if by is not None:
        Membership.objects.create(study=study, user=by, role=Membership.Role.RESEARCHER)
    record_action(by, "study.created", study)
    return study


@transaction.atomic
def change_study(study: Study, *, changed: Sequence[str], by: User | None) -> None:
    """Save what a form changed.

    Raises:
        ValidationError: if votes were given and what is changed would make later votes another measurement.
    """
    fixed = [str(words) for name, words in FIXED_BY_VOTES.items() if name in changed]
    if fixed and study.has_votes:
        raise ValidationError(
            _("Study '%(study)s' has votes, so this stays as it is: %(fields)s. Copy it to a new version to change it.")
            % {"study": study, "fields": ", ".join(fixed)}
        )
    if changed:
        study.save(update_fields=list(changed))  # nothing else: it may have been paused meanwhile
        record_action(by, "study.changed", study, fields=list(changed))


@transaction.atomic
def copy_study(study: Study, *, by: User, at: datetime) -> Study:
    """The next version: same rules, rubric and members, no pairs and no votes; its rubric can be changed."""
    newest = Study.objects.filter(title=study.title).order_by("-version").first()
    copy = Study.objects.get(pk=study.pk)
    copy.pk = None
    copy.state = Study.State.DRAFT
    copy.version = (newest or study).version + 1
    copy.parent = study
    copy.created_by, copy.created_at = by, at
    copy.save()
    for dimension in study.dimensions.all():
        dimension.pk = None
        dimension.study = copy
        dimension.save()
    for member in study.memberships.all():
        Membership.objects.create(study=copy, user=member.user, role=member.role)
    record_action(by, "study.copied", copy, parent=str(study))
    return copy


def has_answers(study: Study) -> bool:
    """Whether anybody has answered one of its questions, submitted or not: then its rubric stays as it is."""
    return Score.objects.filter(dimension__study=study).exists()


def refuse_rubric_change(study: Study) -> None:
    """Raises: ValidationError, if votes, or answers of drafts, were given under this rubric."""
    if study.has_votes:
        raise ValidationError(
            _("Study '%(study)s' has votes, so its rubric stays as it is. Copy the study to a new version instead.")
            % {"study": study}
        )
    if has_answers(study):
        raise ValidationError(
            _(
                "Study '%(study)s' has answers that are not submitted yet, so its rubric stays as it is. "
                "Copy the study to a new version instead."
            )
            % {"study": study}
        )


@transaction.atomic
def save_dimensions(study: Study, rows: Sequence[dict[str, object]], *, by: User) -> list[Dimension]:
    """Replace the rubric by these rows (key, name, question, help_text, weight, anchors), in order; overall goes last.

    What was written in further languages stays with its key. Returned are the dimensions of which that is now a
    translation of other words.

    Raises:
        ValidationError: if the study has votes, a key comes twice, or overall is missing.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    refuse_rubric_change(study)
    keys = [str(row["key"]) for row in rows]
    if len(set(keys)) != len(keys):
        raise ValidationError(
            _("Each dimension needs a key of its own; one comes twice: %(keys)s.") % {"keys": ", ".join(keys)}
        )
    if OVERALL not in keys:
        raise ValidationError(_("A rubric ends with the dimension 'overall'; add it back."))
    before = {dimension.key: dimension for dimension in study.dimensions.all()}
    study.dimensions.all().delete()
    outdated = []
    for position, row in enumerate(rows):
        dimension = Dimension(study=study, **row)
        dimension.position = OVERALL_POSITION if dimension.key == OVERALL else position
        known = before.get(dimension.key)
        dimension.translations = known.translations if known else {}
        dimension.full_clean()
        dimension.save()
        if known and known.translations and texts_of(known) != texts_of(dimension):
            outdated.append(dimension)
    record_action(by, "study.rubric_changed", study, dimensions=keys)
    return outdated


def texts_of(dimension: Dimension) -> list[object]:
    """What annotators read of it, in the original."""
    return [getattr(dimension, field) for field in DIMENSION_TEXTS]


Translations = Mapping[str, Mapping[str, object]]  # {"ja": {"title": …}}


@transaction.atomic
def save_translations(study: Study, own: Translations, dimensions: Mapping[str, Translations], *, by: User) -> None:
    """Replace what is written in further languages: of the study itself, and of its dimensions by their keys.

    Raises:
        ValidationError: if words of a dimension change although answers were given under this rubric.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    changed = [
        each for each in study.dimensions.filter(key__in=dimensions) if each.translations != dimensions[each.key]
    ]
    if changed:
        refuse_rubric_change(study)
    for dimension in changed:
        dimension.translations = dict(dimensions[dimension.key])
        dimension.save(update_fields=["translations"])
    if not changed and study.translations == own:
        return
    study.translations = dict(own)
    study.save(update_fields=["translations"])
    languages = sorted({*own, *(code for each in changed for code in each.translations)})
    record_action(by, "study.translated", study, languages=languages)


TRANSITIONS = {
    Study.State.RUNNING: {Study.State.DRAFT, Study.State.PAUSED},
    Study.State.PAUSED: {Study.State.RUNNING},
    Study.State.FINISHED: {Study.State.RUNNING, Study.State.PAUSED},
}


@transaction.atomic
def change_state(study: Study, state: str, *, by: User | None) -> None:
    """Start, pause or finish. `study` has its state anew from the database, also when the change is refused.

    Raises:
        ValidationError: if the study is not in a state from which that is possible, or starts without pairs.
    """
    study.refresh_from_db(fields=["state"], from_queryset=Study.objects.select_for_update())
    if study.state not in TRANSITIONS.get(Study.State(state), set()):
        raise ValidationError(
            _("Study '%(study)s' is %(now)s and cannot become %(state)s.")
            % {"study": study, "now": study.get_state_display(), "state": Study.State(state).label}
        )
    if state == Study.State.RUNNING and not study.pairs.exists():
        raise ValidationError(_("Study '%(study)s' has no pairs yet. Add pairs, then start it.") % {"study": study})
    study.state = state
    study.save(update_fields=["state"])
    record_action(by, f"study.{state}", study)


@transaction.atomic
def add_member(study: Study, user: User, role: str, *, by: User | None) -> Membership:
    if role == Membership.Role.RESEARCHER and not user.is_researcher:
        raise ValidationError(
            _("%(user)s has the role annotator. An admin can make them a researcher first.") % {"user": user}
        )
    membership, is_new = Membership.objects.get_or_create(study=study, user=user, role=role)
    if is_new:
        record_action(by, "study.member_added", study, member=user.email, role=role)
    return membership


@transaction.atomic
def remove_member(membership: Membership, *, by: User | None) -> None:
    """End a membership; judgments stay.

    Raises:
        ValidationError: if nobody would be left to read the study.
    """
    study = Study.objects.select_for_update().get(pk=membership.study_id)
    researchers = study.memberships.filter(role=Membership.Role.RESEARCHER)
    if membership.role == Membership.Role.RESEARCHER and researchers.count() == 1:
        raise ValidationError(
            _("%(user)s is the last researcher of '%(study)s'. Add another one first.")
            % {"user": membership.user, "study": study}
        )
    membership.delete()
    if membership.role == Membership.Role.ANNOTATOR:
        leases.release_all(membership.user, study)
    record_action(by, "study.member_removed", study, member=membership.user.email, role=membership.role)


def plan_pairs(
    study: Study, systems: Iterable[System], *, reference: System | None = None
) -> list[tuple[Dialogue, Dialogue]]:
    """Which pairs would be new: all pairs of systems per scenario, or each system against a reference.

    Which one is called a alternates, so that no system is always a. Existing pairs, in either order, are left out.
    """
    wanted = {system.pk for system in systems}
    dialogues = Dialogue.objects.filter(system__in=wanted, scenario__language=study.language)
    by_scenario: dict[int, list[Dialogue]] = {}
    for dialogue in dialogues.select_related("scenario", "system").order_by("scenario_id", "system_id", "pk"):
        by_scenario.setdefault(dialogue.scenario_id, []).append(dialogue)
    known = {frozenset(pair) for pair in study.pairs.values_list("dialogue_a", "dialogue_b")}
    planned: list[tuple[Dialogue, Dialogue]] = []
    for group in by_scenario.values():
        for one, other in combinations(group, 2):
            if one.system_id == other.system_id or frozenset((one.pk, other.pk)) in known:
                continue
            if reference is not None and reference.pk not in {one.system_id, other.system_id}:
                continue
            planned.append((one, other) if len(planned) % 2 == 0 else (other, one))
    return planned


def add_pairs(study: Study, dialogues: Sequence[tuple[Dialogue, Dialogue]], *, by: User | None = None) -> list[Pair]:
    """Make regular pairs, both sides at one level: the lower of the two masters'.

    Raises:
        ValidationError: if the two dialogues of a pair answer different scenarios, the study is finished, or somebody
            else added one of the pairs meanwhile.
    """
    if study.state == Study.State.FINISHED:
        raise ValidationError(_("Study '%(study)s' is finished and takes no more pairs. Copy it.") % {"study": study})
    pairs = []
    for one, other in dialogues:
        if one.scenario_id != other.scenario_id:
            raise ValidationError(
                _("%(one)s and %(other)s answer different scenarios and cannot be compared.")
                % {"one": one, "other": other}
            )
        level = common_level(one, other)
        pairs.append(
            Pair(
                study=study,
                scenario=one.scenario,
                dialogue_a=one,
                dialogue_b=other,
                level_lufs=level,
                seats_left=study.overlap,
            )
        )
    # Sound first: it takes seconds each, and a transaction would keep everybody else from writing (SQLite).
    for pair in pairs:
        for dialogue in (pair.dialogue_a, pair.dialogue_b):
            if abs(dialogue.level_lufs - pair.level_lufs) > renditions.LEVEL_TOLERANCE_LU:
                renditions.ensure_rendition(dialogue, pair.level_lufs)
    _store_pairs(study, pairs, by=by)
    return pairs


def _store_pairs(study: Study, pairs: Sequence[Pair], *, by: User | None) -> None:
    try:
        with transaction.atomic():
            Pair.objects.bulk_create(pairs)
            if pairs:
                record_action(by, "study.pairs_added", study, pairs=len(pairs))
    except IntegrityError:
        raise ValidationError(
            _("Some of these pairs were added meanwhile. Look at the pairs, then add the rest.")
        ) from None


def common_level(one: Dialogue, other: Dialogue) -> float:
    """The level for both sides in LUFS: if the target would clip one of them, both are lowered."""
    return round(min(one.level_lufs, other.level_lufs), 1)
