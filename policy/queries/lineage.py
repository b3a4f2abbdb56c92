"""From votes to policy: study → snapshot → reward model → round → policy → dialogues → study, by generations."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Study
from earshot.accounts.models import User
from policy.models import PolicyCheckpoint, Round, Speech
from rewardmodel.models import RewardModelRun

MOST_GENERATIONS = 20  # on one page; the oldest beyond are named, not drawn
SHORT = 12  # characters of a hash
ROUND = ("round__study", "round__held_out_reward_model__snapshot__study")  # what a policy's round is asked for here


@dataclass(frozen=True)
class Entry:
    """One box of the picture."""

    title: str
    address: str = ""  # of its page; empty: it has none, or none for this reader
    detail: str = ""
    hash: str = ""
    is_here: bool = False  # the policy whose page this is
    is_simulated: bool = False


@dataclass(frozen=True)
class Step:
    """The boxes that stand at one place of the way, such as several reward models."""

    kind: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Generation:
    title: str
    steps: tuple[Step, ...]


class Lineage:
    """Draws for one reader: a study that is another's has no name and no address."""

    def __init__(self, user: User) -> None:
        self.readable = set(Study.objects.readable_by(user).values_list("pk", flat=True))

    def of(self, policy: PolicyCheckpoint) -> list[Generation]:
        """The oldest generation first, this policy's last."""
        found: list[Generation] = []
        here: PolicyCheckpoint | None = policy
        while here is not None and len(found) < MOST_GENERATIONS:
            found.append(self._generation(here, is_here=here == policy))
            here = (
                PolicyCheckpoint.objects.select_related("system", *ROUND).get(pk=here.parent_id)
                if here.parent_id
                else None
            )
        return found[::-1]

    def _generation(self, policy: PolicyCheckpoint, *, is_here: bool) -> Generation:
        speeches = list(
            policy.speeches.filter(round=policy.round).select_related("study").order_by("pk")
        )  # its own first words, or those of the round that made it
        steps = [Step(_("Policy"), (self._policy(policy, is_here=is_here),)), *self._words(speeches)]
        if policy.round is None:
            return Generation(_("Supervised start"), (*steps, *self._studies(each.study for each in speeches)))
        made_by = policy.round
        return Generation(
            str(made_by),
            (
                *self._origin(made_by),
                Step(_("Round"), (self._round(made_by),)),
                *steps,
                *self._studies([made_by.study]),
            ),
        )

    def _origin(self, made_by: Round) -> list[Step]:
        judges, held_out = made_by.judges, made_by.held_out_reward_model
        snapshots = {judge.snapshot_id: judge.snapshot for judge in judges}.values()
        return [
            *self._studies(snapshot.study for snapshot in snapshots),
            Step(
                _("Snapshot"),
                tuple(
                    Entry(
                        snapshot.name if snapshot.study_id in self.readable else _("of others"),
                        snapshot.get_absolute_url() if snapshot.study_id in self.readable else "",
                        ngettext("%(n)d judgment", "%(n)d judgments", snapshot.counts["in"])
                        % {"n": snapshot.counts["in"]},
                        snapshot.content_id[:SHORT],
                    )
                    for snapshot in snapshots
                ),
            ),
            Step(_("Reward model"), tuple(self._reward_model(judge, is_apart=judge == held_out) for judge in judges)),
        ]

    def _studies(self, studies: Iterable[Study | None]) -> list[Step]:
        shown = {study.pk: study for study in studies if study is not None}.values()
        entries = tuple(
            Entry(str(study), study.get_absolute_url(), study.get_state_display(), is_simulated=study.is_simulated)
            if study.pk in self.readable
            else Entry(_("of others"), is_simulated=study.is_simulated)
            for study in shown
        )
        return [Step(_("Study"), entries)] if entries else []

    def _reward_model(self, model: RewardModelRun, *, is_apart: bool) -> Entry:
        may_read = model.snapshot.study_id in self.readable
        seed = _("seed %(seed)s") % {"seed": model.parameters.get("seed")}
        return Entry(
            model.name if may_read else _("of others"),
            model.get_absolute_url() if may_read else "",
            _("held out: gives no reward, may stop the round; %(seed)s") % {"seed": seed} if is_apart else seed,
            model.content_hash[:SHORT],
            is_simulated=model.is_simulated,
        )

    def _round(self, made_by: Round) -> Entry:
        plan = made_by.parameters
        detail = _("%(steps)s steps, KL target %(kl)s") % {"steps": plan["steps"], "kl": plan["kl_target"]}
        return Entry(str(made_by), made_by.get_absolute_url(), detail)

    def _policy(self, policy: PolicyCheckpoint, *, is_here: bool) -> Entry:
        detail = _("this policy") if is_here else ""
        return Entry(str(policy), policy.get_absolute_url(), detail, policy.content_hash[:SHORT], is_here=is_here)

    def _words(self, speeches: list[Speech]) -> list[Step]:
        count = sum(len(speech.dialogue_ids) for speech in speeches)
        if not count:
            return []
        address = f"{reverse('annotation:dialogues')}?system={speeches[0].policy.system_id}"
        return [
            Step(_("Dialogues"), (Entry(ngettext("%(n)d dialogue", "%(n)d dialogues", count) % {"n": count}, address),))
        ]
