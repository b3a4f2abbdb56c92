import math
from collections import Counter
from datetime import UTC, datetime
from io import StringIO

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from annotation.models import Heartbeat, Judgment, Lease, ListeningLog, Score
from annotation.services import simulation, studies
from annotation.services.simulation import RaterModel, simulate_judgments
from earshot.accounts.models import User
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, make_dialogue, make_pair, make_scenario, make_study, make_system

pytestmark = pytest.mark.django_db

PLAIN = RaterModel(lapse_rate=0.0)


def test_simulated_raters_judge_through_leases_until_no_pair_is_open():
    study = make_simulated_study(n_scenarios=2)  # 6 pairs of overlap 3

    done = simulate_judgments(study, n_raters=4, n_judgments=100, seed=1)

    assert done == 18
    assert list(study.pairs.values_list("seats_left", flat=True)) == [0] * 6
    assert set(Lease.objects.values_list("state", flat=True)) == {"submitted"}
    assert Judgment.objects.counted().filter(is_simulated=True).count() == 18
    assert Score.objects.count() == 18 * 4
    assert set(Judgment.objects.values_list("quality__verdict", flat=True)) == {"unknown"}
    assert ListeningLog.objects.count() == Heartbeat.objects.count() == 0


def test_simulated_raters_stop_at_the_number_wanted():
    study = make_simulated_study()

    assert simulate_judgments(study, n_raters=3, n_judgments=7, seed=1) == 7
    assert Judgment.objects.submitted().count() == 7


def test_repeats_between_the_pairs_are_not_of_the_number_wanted():
    study = make_study(is_simulated=True, check_rate=0.5, overlap=2)
    for _each in range(12):
        make_pair(study)

    assert simulate_judgments(study, n_raters=2, n_judgments=24, seed=1) == 24

    judged = Judgment.objects.filter(lease__study=study).values_list("lease__pair__kind", flat=True)
    assert Counter(judged)["regular"] == 24
    assert Counter(judged)["repeat"] > 0


def test_a_simulated_study_has_no_checks_unless_they_are_asked_for():
    study = studies.create_study(title="Practice", by=None, at=NOW, is_simulated=True)

    assert study.check_rate == 0


def test_simulated_raters_can_never_sign_in(client):
    study = make_simulated_study()

    simulate_judgments(study, n_raters=2, n_judgments=2, seed=1)

    raters = User.objects.filter(is_simulated=True)
    assert [(user.is_active, user.has_usable_password(), user.role) for user in raters] == [
        (False, False, "annotator")
    ] * 2


def test_the_same_seed_gives_the_same_judgments_and_another_seed_others():
    def votes(seed):
        study = make_simulated_study()
        simulate_judgments(study, n_raters=4, n_judgments=20, seed=seed)
        first = study.pairs.order_by("pk").first().pk
        rows = Score.objects.filter(judgment__lease__pair__study=study).order_by("pk")
        return [
            (pair - first, side, value)
            for pair, side, value in rows.values_list("judgment__lease__pair", "judgment__lease__side_left", "value")
        ]

    once, again, other = votes(3), votes(3), votes(4)

    assert once == again
    assert once != other


def test_a_study_for_people_takes_no_simulated_judgments():
    study = make_study(title="For people")

    with pytest.raises(ValidationError, match="Study 'For people' is for people"):
        simulate_judgments(study, n_raters=1, n_judgments=1, seed=1)
    assert User.objects.filter(is_simulated=True).count() == 0


def test_a_study_marked_simulated_that_enforces_listening_is_judged_all_the_same():
    study = make_simulated_study(listening_policy="enforced")

    assert simulate_judgments(study, n_raters=2, n_judgments=3, seed=1) == 3


def test_times_come_from_the_clock_given():
    study = make_simulated_study()
    moment = datetime(2026, 11, 24, tzinfo=UTC)

    simulate_judgments(study, n_raters=1, n_judgments=1, seed=1, clock=lambda: moment)

    assert Judgment.objects.get().submitted_at == moment


def test_utility_is_taken_from_the_construction_and_overall_is_its_mean():
    dialogue = make_dialogue(meta={"construction": {"prosody": 1.0, "immersion": 0.5}})

    assert [simulation.utility(dialogue, key) for key in ("prosody", "overall")] == [1.0, 0.75]


def test_utility_of_a_practice_dialogue_is_what_the_listener_makes_of_its_delivery():
    said = {"level_st": 0.0, "spread": 3.3, "log_rate": 0.0, "energy_db": 0.0}
    reply = [said | {"pause_s": 0.45}, said | {"pause_s": 0.2, "level_st": 1.3}]
    delivery = {"user": [said], "assistant": [reply]}
    dialogue = make_dialogue(make_scenario(arc=["calm"]), meta={"delivery": delivery})

    # Only the step between the phrases is off, by 1.3 + 0.5 semitones: one unit, weighted by 0.6, scaled by 0.45.
    assert simulation.utility(dialogue, "prosody") == pytest.approx(-0.6 / 0.45)
    assert simulation.utility(dialogue, "immersion") == simulation.utility(dialogue, "emotional_continuity") == 0
    assert simulation.utility(dialogue, "overall") == pytest.approx(-0.6 / 0.45 / math.sqrt(3))


def test_utility_without_a_construction_is_the_systems_own():
    one, other = (make_dialogue(system=make_system("plain")) for _ in range(2))

    assert simulation.utility(one, "prosody") == simulation.utility(other, "prosody")
    assert simulation.utility(one, "prosody") != simulation.utility(make_dialogue(), "prosody")


def test_vote_probabilities_are_the_cut_logistic_distribution_worked_by_hand():
    probability = simulation.value_probabilities(0.5, PLAIN, a_is_left=True)

    assert probability.sum() == pytest.approx(1)
    assert probability[6] == pytest.approx(1 / (1 + math.exp(2.4 - 0.5)))  # felt above the last threshold
    assert probability[3] == pytest.approx(0.5 - 1 / (1 + math.exp(1.0)))  # felt between −0.5 and +0.5, centre 0.5


def test_a_lapsing_rater_votes_anything_equally_often():
    probability = simulation.value_probabilities(2.0, RaterModel(lapse_rate=1.0), a_is_left=True)

    assert probability == pytest.approx(np.full(7, 1 / 7))


def test_side_bias_favours_the_left_and_cancels_in_the_true_preference():
    scenario = make_scenario()
    one, other = (make_dialogue(scenario, make_system("same")) for _ in range(2))
    leaning = RaterModel(side_bias=1.0, lapse_rate=0.0)

    left, right = (simulation.value_probabilities(0.0, leaning, a_is_left=side) for side in (True, False))

    assert left == pytest.approx(right[::-1])
    assert left[4:].sum() > 0.6
    assert simulation.true_preference(one, other, "prosody", leaning) == pytest.approx(0.5)


def test_true_preference_is_what_many_votes_show():
    study = make_simulated_study(n_scenarios=1)
    pair = study.pairs.order_by("pk")[0]
    rng = np.random.default_rng(0)

    p = simulation.true_preference(pair.dialogue_a, pair.dialogue_b, "prosody", PLAIN)
    values = rng.choice(7, 20_000, p=simulation.value_probabilities(1.5, PLAIN, a_is_left=True)) - 3

    assert p == pytest.approx((values > 0).sum() / (values != 0).sum(), abs=0.01)


def test_exact_ceiling_lies_between_a_toss_and_certainty_and_falls_with_noise():
    pairs = list(make_simulated_study().pairs.all())

    sharp, noisy = (simulation.exact_ceiling(pairs, "prosody", [RaterModel(noise=noise)]) for noise in (1.0, 4.0))

    assert 0.5 < noisy < sharp < 1.0


def test_the_command_fills_every_seat_and_counts_towards_their_number_if_none_is_asked_for():
    study = make_simulated_study(n_scenarios=1)
    out, told = StringIO(), StringIO()

    call_command("simulate_judgments", study.pk, "--raters", "3", stdout=out, stderr=told)

    assert told.getvalue() == "\r9 of 9 judgments\n"
    assert out.getvalue() == f"9 simulated judgments in study '{study}'.\n"


def test_command_reports_and_refuses():
    study = make_simulated_study(n_scenarios=1)
    out = StringIO()

    call_command("simulate_judgments", study.pk, "--raters", "3", "--judgments", "20", stdout=out, stderr=StringIO())

    assert f"9 simulated judgments in study '{study}'." in out.getvalue()
    assert "No pair is open to any of the 3 raters now." in out.getvalue()
    with pytest.raises(CommandError, match="There is no study 9999"):
        call_command("simulate_judgments", 9999, "--judgments", "1")
    with pytest.raises(CommandError, match="is for people"):
        call_command("simulate_judgments", make_study().pk, "--judgments", "1")
    with pytest.raises(CommandError, match="at least one rater"):
        call_command("simulate_judgments", study.pk, "--judgments", "1", "--raters", "0")
