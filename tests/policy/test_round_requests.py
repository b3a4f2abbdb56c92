"""Asking for a round: what it will cost, which scenarios and names it takes, and what is refused."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from annotation.models import Scenario
from annotation.services.ingest.catalogue import scenario_hash
from earshot.formats import manifest
from earshot.formats.dialogues import ScenarioTurn
from earshot.jobs.models import Job
from policy.models import Round
from policy.services import estimates, first, names, rounds, scenarios
from policy.services.plans import RoundPlan
from tests.factories import NOW, make_scenario, make_system
from tests.policy.fake_round import make_policy, make_round, run_round
from tests.rewardmodel.fake_learning import make_reward_model

pytestmark = pytest.mark.django_db(transaction=True)


def practice(name: str, *tags: str) -> Scenario:
    """As an import would have left it."""
    asked = [ScenarioTurn(number, f"question {number}") for number in range(2)]
    written = manifest.Scenario(name, "Good news", "en", tuple(asked), tags=("practice", *tags))
    turns = [{"scenario_turn": turn.scenario_turn, "role": turn.role, "text": turn.text} for turn in asked]
    fields = {"scenario_id": name, "topic": written.topic, "tags": list(written.tags), "turns": turns}
    return make_scenario(**fields, content_hash=scenario_hash(written))


def test_a_round_takes_from_the_catalogue_what_has_the_tag_that_was_chosen(fake_learning):
    practice("learn", "train", "pilot")
    practice("compare", "held_out", "pilot")
    practice("other", "held_out", "later")
    practice("learn more", "train")
    round = make_round(catalogue=True, tag="pilot")

    job = run_round(round)

    assert (job.state, job.error) == ("succeeded", "")
    assert set(round.study.pairs.values_list("scenario__scenario_id", flat=True)) == {"compare"}
    assert scenarios.tags_to_choose() == ["pilot"]  # later has nothing to learn on
    assert estimates.estimate_round(RoundPlan(system="x", catalogue=True, tag="pilot")).n_scenarios == 1


def test_a_round_compares_on_no_scenario_that_a_reward_model_learned_from(fake_learning):
    for name, tag in (("learn", "train"), ("judged", "held_out"), ("fresh", "held_out")):
        practice(name, tag)
    learned = make_reward_model(config={"training": {"scenarios": ["judged", "elsewhere"]}})
    round = make_round(models=[learned], catalogue=True)

    run_round(round)

    assert set(round.study.pairs.values_list("scenario__scenario_id", flat=True)) == {"fresh"}


def test_scenarios_that_cannot_be_taken_are_refused_before_a_round_begins():
    policy, model = make_policy(), make_reward_model(config={"training": {"scenarios": ["compare"]}})
    apart = make_reward_model(config={"training": {"scenarios": ["compare"]}})
    other = make_reward_model()
    practice("learn", "train")
    practice("compare", "held_out")

    for problem, models, held_out, chosen in (
        ("no scenario with the tags practice, train and pilot", [other], None, {"catalogue": True, "tag": "pilot"}),
        ("A tag chooses among scenarios of the catalogue", [other], None, {"tag": "pilot"}),
        ("A reward model learned from every held-out scenario", [model], None, {"catalogue": True}),
        ("A reward model learned from every held-out scenario", [other], apart, {"catalogue": True}),
    ):
        plan = RoundPlan(system="policy-r1", **chosen)
        with pytest.raises(ValidationError, match=problem):
            rounds.request_round(policy, models, plan, by=None, held_out_reward_model=held_out)

    assert Round.objects.count() == 0


def test_a_round_is_refused_before_it_begins():
    policy, model = make_policy(), make_reward_model()
    unready = make_reward_model(registered_at=None, content_hash="", archive_sha256="")
    plan = RoundPlan(system="policy-r1")
    make_system("taken")

    for problem, asked in (
        ("needs at least one reward model", ([], plan)),
        ("is done, not ready", ([unready], plan)),
        ("A system is called 'taken' already", ([model], RoundPlan(system="taken"))),
        ("0 is out of range for steps", ([model], RoundPlan(system="policy-r1", steps=0))),
        ("A KL target of 0 cannot be", ([model], RoundPlan(system="policy-r1", kl_target=0))),
        ("no scenario with the tags practice and train", ([model], RoundPlan(system="policy-r1", catalogue=True))),
    ):
        with pytest.raises(ValidationError, match=problem):
            rounds.request_round(policy, *asked, by=None)
    with pytest.raises(ValidationError, match="so it cannot be held out"):
        rounds.request_round(policy, [model], plan, by=None, held_out_reward_model=model)

    assert (Round.objects.count(), Job.objects.filter(kind=rounds.KIND).count()) == (0, 0)


def test_the_estimate_of_a_round_counts_pairs_votes_and_listening():
    estimate = estimates.estimate_round(RoundPlan(system="x", steps=30, per_text=2, samples=1, overlap=3))

    n_texts = estimates.n_texts("held_out")
    assert (estimate.n_scenarios, estimate.n_pairs, estimate.n_votes) == (2 * n_texts, 2 * n_texts, 6 * n_texts)
    assert estimate.listening_hours == pytest.approx(6 * n_texts * 50 / 3600)
    spoken, evaluated = 4 * n_texts, 2 * n_texts * 12
    assert estimate.seconds == pytest.approx(40 + 30 * 1.2 + evaluated * 0.2 + spoken * 0.5)
    assert "no round was done here yet" in estimate.basis


def test_speaking_and_evaluating_much_takes_long_whatever_the_steps():
    few = estimates.estimate_round(RoundPlan(system="x", steps=60, per_text=2, samples=1))
    many = estimates.estimate_round(RoundPlan(system="x", steps=60, per_text=64, samples=64))

    n_scenarios = 64 * estimates.n_texts("held_out")
    assert many.seconds == pytest.approx(40 + 60 * 1.2 + n_scenarios * (12 * 0.2 + 2 * 64 * 0.5))
    assert many.seconds > 100 * few.seconds
    assert (few.time_words, many.time_words) == ("3 minutes", "11.8 hours")


def test_the_rule_knows_how_many_replies_an_evaluation_speaks():
    from policy.learning.evaluation import EvaluationConfig

    assert EvaluationConfig.rollouts + EvaluationConfig.references == estimates.REPLIES_PER_SCENARIO


def test_earlier_rounds_tell_the_pace_of_this_machine_by_what_they_were_asked_for(fake_learning):
    plan = RoundPlan(system="x", steps=60, per_text=64, samples=64)
    stated = estimates.estimate_round(plan).seconds
    round = make_round(steps=600)
    take_time(round, seconds=10)
    its_rule = 40 + 600 * 1.2 + 20 * 12 * 0.2 + 20 * 2 * 0.5  # its report tells 20 scenarios

    estimate = estimates.estimate_round(plan)

    assert (estimate.seconds, estimate.basis) == (pytest.approx(10 / its_rule * stated), "by the last round here")


def test_a_round_that_was_started_more_than_once_tells_no_pace(fake_learning):
    round = make_round()
    take_time(round, seconds=10, fence=2)  # its time counts the last start alone

    assert "no round was done here yet" in estimates.estimate_round(RoundPlan(system="x")).basis


def take_time(round: Round, *, seconds: float, fence: int = 1) -> None:
    run_round(round)
    ended = NOW + timedelta(seconds=seconds)
    Job.objects.filter(pk=round.job_id).update(started_at=NOW, finished_at=ended, fence=fence)


def test_the_same_model_under_another_name_is_no_second_opinion():
    policy, model = make_policy(), make_reward_model(name="first")
    same = make_reward_model(name="again", content_hash=model.content_hash)
    plan = RoundPlan(system="policy-r1")

    with pytest.raises(ValidationError, match="'again' is bit by bit 'first', which gives the reward"):
        rounds.request_round(policy, [model], plan, by=None, held_out_reward_model=same)
    with pytest.raises(ValidationError, match="'again' is bit by bit 'first', so it is no second opinion"):
        rounds.request_round(policy, [model, same], plan, by=None)

    assert Round.objects.count() == 0


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_name_that_a_round_or_a_first_policy_will_take_is_refused_when_it_is_asked_for(state):
    policy, model = make_policy("start"), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")
    job = first.request_policy(name="policy-2", by=None, tell_worker=False)
    Job.objects.filter(pk__in=[round.job_id, job.pk]).update(state=state)

    for name, who in (("policy-r1", f"Round '{round}'"), ("policy-2", "A first policy that is being made")):
        with pytest.raises(ValidationError, match=f"{who} takes the name '{name}'. Choose another"):
            rounds.request_round(policy, [model], RoundPlan(system=name), by=None)
        with pytest.raises(ValidationError, match=f"{who} takes the name '{name}'. Choose another"):
            first.request_policy(name=name, by=None)

    assert (Round.objects.count(), Job.objects.filter(kind=first.KIND).count()) == (1, 1)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_round_that_ended_without_a_policy_leaves_its_name_to_another(state):
    policy, model = make_policy(), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")
    Job.objects.filter(pk=round.job_id).update(state=state)

    other = make_round(policy, [model], system="policy-r1")

    assert other.parameters["system"] == "policy-r1"


def test_the_name_proposed_is_neither_in_use_nor_asked_for():
    make_round(make_policy("policy-2"), system="policy-r1")
    first.request_policy(name="policy-3", by=None, tell_worker=False)

    assert (names.free_name("policy-", 2), names.free_name("policy-r", 1)) == ("policy-4", "policy-r2")
