"""A round: asking for it, and its job, stage by stage. Safe to kill anywhere and to run again, on any machine.

Each stage leaves a mark on the round when it is finished, and is skipped in the next start, unless what it left was on
the disk of another machine. Inside a stage, the learning side goes on in the job's run folder by the same command, and
what is in the database is not made twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import programs
from earshot.jobs import services as jobs
from earshot.jobs.children import run_child
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob
from policy.models import PolicyCheckpoint, Round, Speech
from policy.services import commands, judging, names, registry, scenarios, speaking
from policy.services.plans import HELD_OUT, TRAIN, RoundPlan
from rewardmodel.models import RewardModelRun
from rewardmodel.services.training import read_json, unpack_model

KIND = "policy.run_round"
Stage = Round.Stage
SHARES = {  # of the progress bar
    Stage.UPDATE: (0.0, 0.65),
    Stage.REGISTER: (0.65, 0.67),
    Stage.SPEAK: (0.67, 0.82),
    Stage.IMPORT: (0.82, 0.95),
    Stage.STUDY: (0.95, 1.0),
}
UPDATING, EVALUATING = (0.0, 0.8), (0.8, 1.0)  # of the first stage
HALVES = ((0.0, 0.5), (0.5, 1.0))  # of a stage: first the new policy, then the reference
SPEAKING, COMPARING = (0.0, 0.9), (0.9, 1.0)  # of the third stage
FIGURES = (  # of the report, that the job's result tells as plain numbers where the report has them
    "n_scenarios",
    "reward_before",
    "reward_after",
    "reward_gain_sd",
    "held_out_gain_sd",
    "truth_gain_sd",
    "kl_nats_per_token",
)


@transaction.atomic
def request_round(
    policy: PolicyCheckpoint,
    reward_models: Sequence[RewardModelRun],
    plan: RoundPlan,
    *,
    by: User | None,
    name: str = "",
    held_out_reward_model: RewardModelRun | None = None,
    tell_worker: bool = True,
) -> Round:
    """Hand a round to a worker.

    Args:
        tell_worker: False where the caller runs the job itself.
    Raises:
        ValidationError: for no reward model, one that is not ready or comes twice, a name that is in use or asked for,
            or numbers that cannot be.
    """
    plan = replace(plan, system=plan.system.strip()).checked()
    names.refuse_taken(plan.system)
    _refuse_judges(reward_models, held_out_reward_model)
    if plan.catalogue:
        judges = [*reward_models, *([held_out_reward_model] if held_out_reward_model else [])]
        scenarios.refuse_missing(plan, judges)
    round = Round.objects.create(
        name=(name.strip() or f"{policy} → {plan.system}")[:200],
        policy=policy,
        held_out_reward_model=held_out_reward_model,
        parameters=plan.to_json(),
        created_by=by,
    )
    round.reward_models.set(reward_models)
    round.job = jobs.enqueue(
        KIND,
        {"round": round.pk},
        title=f"Round: {round.name}",
        queue=Job.Queue.GPU,
        created_by=by,
        tell_worker=tell_worker,
    )
    round.save(update_fields=["job"])
    models = [str(model) for model in round.reward_models.all()]
    record_action(by, "round.started", round, policy=str(policy), reward_models=models)
    return round


def _refuse_judges(reward_models: Sequence[RewardModelRun], held_out: RewardModelRun | None) -> None:
    """Raises: ValidationError, for reward models that a round cannot have."""
    if not reward_models:
        raise ValidationError(_("A round needs at least one reward model. Train one from a snapshot first."))
    for model in [*reward_models, *([held_out] if held_out else [])]:
        if not model.is_registered:
            raise ValidationError(
                _("Reward model '%(model)s' is %(state_label)s, not ready. Wait for it, or choose another.")
                % {"model": model, "state_label": model.state_label}
            )
    if held_out in reward_models:
        raise ValidationError(
            _("Reward model '%(held_out)s' gives the reward, so it cannot be held out. Choose another.")
            % {"held_out": held_out}
        )
    for model in reward_models:
        if held_out is not None and held_out.is_same_as(model):
            raise ValidationError(
                _(
                    "Reward model '%(held_out)s' is bit by bit '%(model)s', which gives the "
                    "reward, so it cannot be held out. Choose one of another seed, or better of "
                    "other votes."
                )
                % {"held_out": held_out, "model": model}
            )
    for model, other in combinations(reward_models, 2):
        if model.is_same_as(other):
            raise ValidationError(
                _("Reward model '%(other)s' is bit by bit '%(model)s', so it is no second opinion. Choose one of them.")
                % {"other": other, "model": model}
            )


def run_round(held: RunningJob) -> None:
    """Carry the round's job on from the first stage that is not finished.

    Raises:
        ValueError: in a sentence for the job's page; the stages before are kept.
    """
    round = Round.objects.select_related("policy__system", "job").get(pk=held.arguments["round"])
    stages: dict[Round.Stage, Callable[[RunningJob, Round, Path], None]] = {
        Stage.UPDATE: _update,
        Stage.REGISTER: _register,
        Stage.SPEAK: _speak,
        Stage.IMPORT: _import,
        Stage.STUDY: _study,
    }
    folder = programs.run_folder(held.id)
    _take_back_lost(held, round, folder)
    while (stage := round.next_stage) is not None:
        with held.stretch(*SHARES[stage]):
            held.report(0.0, str(stage.label))
            stages[stage](held, round, folder)
        _finish(held, round, stage)
    held.result = result_of(round)
    programs.remove_run_folder(held.id)


def result_of(round: Round) -> dict[str, Any]:
    """What scripts want to know of a finished round; the same however often its job was started."""
    new = round.new_policy
    assert new is not None, "a finished round has registered its policy"
    program = new.lineage["program"]
    figures = {name: _number(round.report[name]) for name in FIGURES if name in round.report}
    return {
        "round": round.pk,
        "policy": new.pk,
        "study": round.study_id,
        "checkpoint": new.content_hash,
        "step": program.get("figures", {}).get("step"),
        "stopped": program.get("stopped", ""),  # the sentence of the guard that ended the update early
        **figures,
    }


def _number(told: Any) -> Any:
    """Of an estimate with its interval the estimate."""
    return told["value"] if isinstance(told, Mapping) else told


def _take_back_lost(held: RunningJob, round: Round, folder: Path) -> None:
    """A finished stage counts only if what it left is kept by hash, or here: the last start may have been elsewhere."""
    lost = {
        Stage.UPDATE: round.new_policy is None and registry.kept_checkpoint(held.job) is None,
        Stage.SPEAK: round.new_policy is not None
        and Stage.IMPORT.value not in round.finished_stages
        and any(each.dialogue_import is None and not speaking.is_spoken(each, folder) for each in speeches_of(round)),
    }
    gone = [stage for stage, is_lost in lost.items() if is_lost and stage.value in round.finished_stages]
    if not gone:
        return
    with transaction.atomic():
        held.lock()
        left = {name: at for name, at in round.finished_stages.items() if name not in [stage.value for stage in gone]}
        round.finished_stages = left
        round.save(update_fields=["finished_stages"])
    for stage in gone:
        held.write_log(f"Lost with another machine's disk, so it is done again: {stage.label}")


def _finish(held: RunningJob, round: Round, stage: Round.Stage) -> None:
    with transaction.atomic():
        held.lock()
        round.finished_stages = {**round.finished_stages, stage.value: timezone.now().isoformat()}
        round.save(update_fields=["finished_stages"])
    held.write_log(f"Finished: {stage.label}")


def _update(held: RunningJob, round: Round, folder: Path) -> None:
    """Update the policy and evaluate it on held-out scenarios, in the learning side's own processes."""
    programs.require_learning_side()
    plan = RoundPlan.from_json(round.parameters)
    names.refuse_taken_meanwhile(plan.system, held.job)
    apart = round.held_out_reward_model
    folders = commands.RoundFolders(
        start=registry.unpack_policy(round.policy, folder),
        reward_models=[unpack_model(model, folder) for model in round.reward_models.order_by("pk")],
        held_out_reward_model=unpack_model(apart, folder) if apart else None,
        new=folder / "new",
        report=folder / "report.json",
    )
    with held.stretch(*UPDATING):
        run_child(held, commands.update(folders, plan, _chosen(round, folder, TRAIN)))
    with held.stretch(*EVALUATING):
        scenarios_apart = _chosen(round, folder, HELD_OUT)
        run_child(held, commands.evaluate(folders, plan, scenarios_apart, is_simulated=round.is_simulated))
    registry.keep_checkpoint(held, folders.new)
    _keep_report(held, round, read_json(folders.report))


def _keep_report(held: RunningJob, round: Round, report: dict[str, Any]) -> None:
    with transaction.atomic():
        held.lock()
        round.report = report
        round.save(update_fields=["report"])


def _chosen(round: Round, folder: Path, part: str) -> Path | None:
    """The catalogue's scenarios of a part as a manifest; None where the program draws them itself."""
    plan = RoundPlan.from_json(round.parameters)
    if not plan.catalogue:
        return None
    return scenarios.write_scenarios(folder / f"scenarios-{part}", scenarios.chosen_scenarios(plan, part, round.judges))


def _register(held: RunningJob, round: Round, folder: Path) -> None:
    registry.register_round(held, round, registry.unpack_kept(held.job, folder))


def _speak(held: RunningJob, round: Round, folder: Path) -> None:
    """New and reference speak the same held-out scenarios, and the sound of both is measured."""
    programs.require_learning_side()
    is_compared = "instruments" in round.report
    new, reference = speeches_of(round)
    with held.stretch(*SPEAKING):
        for each, half in zip((new, reference), HALVES, strict=True):
            if each.dialogue_import is None or not is_compared:
                with held.stretch(*half):
                    _speak_one(held, round, each, folder)
    if not is_compared:
        before, after = (speaking.speech_folder(each, folder) for each in (reference, new))
        report = folder / "instruments.json"
        with held.stretch(*COMPARING):
            run_child(held, commands.compare(before, after, report))
        _keep_report(held, round, {**round.report, "instruments": read_json(report)})


def _speak_one(held: RunningJob, round: Round, speech: Speech, folder: Path) -> None:
    chosen = _chosen(round, folder, HELD_OUT)
    speaking.speak(held, speech, registry.unpack_policy(speech.policy, folder), folder, scenarios=chosen)


def _import(held: RunningJob, round: Round, folder: Path) -> None:
    for each, half in zip(speeches_of(round), HALVES, strict=True):
        with held.stretch(*half):
            speaking.import_speech(held, each, folder)


def _study(held: RunningJob, round: Round, folder: Path) -> None:
    new, reference = speeches_of(round)
    judging.open_round_study(held, round, speaking.pairs_of(new, reference))


def speeches_of(round: Round) -> list[Speech]:
    """What the new policy says and what the reference says, in this order; made when they are first asked for."""
    assert round.new_policy is not None, "a round's policy is registered before it speaks"
    plan = RoundPlan.from_json(round.parameters).speech.to_json()
    return [
        Speech.objects.select_related("policy__system", "dialogue_import__job").get_or_create(
            round=round, policy=policy, defaults={"parameters": plan, "created_by": round.created_by}
        )[0]
        for policy in (round.new_policy, round.policy)
    ]
