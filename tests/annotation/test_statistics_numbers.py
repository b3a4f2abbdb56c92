"""What is computed: style covariates, marks, checks, repeats, sides; each on votes worked out by hand."""

import math

import numpy as np
import pytest

from annotation.models import Consent, Judgment, Pair, Score, Turn, TurnMark
from annotation.queries.quality import raters_of, with_checks
from annotation.services.quality import judge_judgment
from annotation.services.statistics import keeping
from annotation.services.statistics.checking import repeated_votes
from annotation.services.statistics.material import read_material
from annotation.services.statistics.reading import read_votes
from annotation.services.statistics.sounds import COVARIATES, measure_missing_pitch, read_sound_facts
from earshot.acoustics.rendition import write_master_flac
from earshot.estimation.sequential import Check
from earshot.jobs import artefacts
from tests.annotation.judged import judge
from tests.factories import NOW, join, make_dialogue, make_pair, make_scenario, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def payload(study, stratum=""):
    return keeping.current_statistics(study, stratum, at=NOW).payload


def test_votes_are_read_as_they_are_stored():
    study = make_study()
    judgment = judge(make_pair(study), 2, prosody=-3)

    votes = read_votes(study)

    assert votes.judgment.tolist() == [judgment.pk]
    assert votes.value.tolist() == [[-3, 2, 2, 2]]
    assert votes.side.tolist() == [1 if judgment.lease.side_left == "a" else -1]
    assert votes.audio_seconds.tolist() == [20.0]


def test_a_study_without_judgments_is_read_as_nothing():
    assert len(read_votes(make_study())) == 0
    assert payload(make_study())["n"] == {"judgments": 0, "raters": 0, "pairs": 0, "scenarios": 0}


def test_a_dialogues_sound_is_described_by_its_own_facts():
    scenario = make_scenario()
    dialogue = make_dialogue(scenario, seconds=10.0, lufs=-30.0, gain_db=7.0, pitch=[None, [200.0, 6.5]])
    Turn.objects.filter(dialogue=dialogue, position=1).update(start=5.0, end=9.0, text="four score and seven")
    study = make_study()
    make_pair(study, scenario=scenario, dialogue_a=dialogue)

    from annotation.services.statistics.reading import read_pairs

    facts = read_sound_facts(read_pairs(study))

    row = dict(zip(COVARIATES, facts.facts[np.searchsorted(facts.dialogue, dialogue.pk)], strict=True))
    assert row == {
        "duration": math.log(10.0),
        "level": -23.0,
        "speech_rate": math.log(17 / 4.0),
        "pitch_mean": 12 * math.log2(200.0),
        "pitch_spread": 6.5,
        "response_gap": 0.5,
        "turns": 2.0,
    }
    assert facts.n_unmeasured == 1  # the other side


def test_pitch_is_measured_once_and_kept_and_a_lost_sound_stays_unknown(tmp_path):
    rate, seconds = 16_000, np.arange(10 * 16_000) / 16_000
    write_master_flac(np.sin(2 * np.pi * 150 * seconds).astype(np.float32) * 0.3, rate, 0.0, tmp_path / "a.flac")
    spoken = make_dialogue(make_scenario(), master_sha256=artefacts.put_file(tmp_path / "a.flac"))
    study = make_study()
    judge(make_pair(study, scenario=spoken.scenario, dialogue_a=spoken))
    material = read_material(study)

    assert measure_missing_pitch(material.voted_on, lambda done, total: None) == (1, 1)

    spoken.refresh_from_db()
    assert [round(median) for median, _range in spoken.pitch] == [150, 150]
    assert material.sounds.n_unmeasured == 2
    assert material.with_sounds().sounds.n_unmeasured == 1


def test_dialogues_whose_pitch_is_missing_are_measured_by_a_job_that_is_asked_for_once():
    study = make_study()
    judge(make_pair(study))
    kept = keeping.current_statistics(study, at=NOW)
    assert keeping.freshness_of(study, kept).has_unmeasured

    from earshot.jobs import services as jobs

    job = keeping.request_update(study, by=None)
    with jobs.running(job.pk, job.fence) as held:
        keeping.run_update(held, at=NOW)

    kept.refresh_from_db()
    assert not keeping.freshness_of(study, kept).has_unmeasured  # tried in vain: the sounds are not in the store


def test_covariates_that_are_alike_or_unknown_are_left_out_and_said():
    study = make_study()
    judge(make_pair(study), 1)

    style = payload(study)["dimensions"][0]["style"]

    assert (style["left_out"]["pitch_mean"], style["left_out"]["level"], style["n_votes"]) == ("unknown", "alike", 1)


def test_marks_are_counted_by_place_dimension_polarity_system_and_role():
    study = make_study()
    judgment = judge(make_pair(study), 1)
    pair, prosody = judgment.lease.pair, study.dimensions.get(key="prosody")
    turn = pair.dialogue_a.turns.get(position=1)
    for seconds, dimension, polarity in ((9.9, prosody, "bad"), (9.6, prosody, "bad"), (0.2, None, "good")):
        TurnMark.objects.create(
            judgment=judgment, turn=turn, side="a", seconds=seconds, dimension=dimension, polarity=polarity
        )

    marks = payload(study)["marks"]

    assert (marks["n"], marks["n_judgments"]) == (3, 1)
    found = {(row["dimension"], row["polarity"], row["role"], row["system"]): row["counts"] for row in marks["rows"]}
    system = pair.dialogue_a.system_id
    assert found["prosody", "bad", "assistant", system] == [0] * 19 + [2]
    assert found["", "good", "assistant", system] == [1] + [0] * 19
    assert marks["listenings"] == {str(system): 1, str(pair.dialogue_b.system_id): 1}


def test_marks_of_judgments_that_do_not_count_are_left_out():
    study = make_study()
    judgment = judge(make_pair(study))
    TurnMark.objects.create(
        judgment=judgment, turn=judgment.lease.pair.dialogue_a.turns.first(), side="a", seconds=1.0, polarity="bad"
    )
    assert payload(study)["marks"]["n"] == 1

    judgment.quality.verdict = "fail"
    judgment.quality.save()

    assert payload(study)["marks"]["n"] == 0


def test_the_side_balance_counts_where_a_stood_and_what_was_heard_first():
    study = make_study()
    leases = [judge(make_pair(study)).lease for _ in range(4)]

    sides = payload(study)["sides"]

    assert sides == {
        "n": 4,
        "a_left": sum(lease.side_left == "a" for lease in leases),
        "left_first": sum(lease.heard_first == "left" for lease in leases),
    }


def outcomes(study, rater):
    return [(check.kind, check.outcome) for check in read_material(study).checks[rater.pk]]


def test_checks_pass_and_fail_by_the_rules_of_the_protocol():
    study = make_study()
    rater = join(study)
    gold = {"kind": Pair.Kind.GOLD, "expected_value": 3}
    same = make_dialogue()
    for value, fields in (
        (2, gold),
        (1, gold),
        (1, {"kind": Pair.Kind.IDENTICAL, "scenario": same.scenario, "dialogue_a": same, "dialogue_b": same}),
        (-2, {"kind": Pair.Kind.IDENTICAL, "scenario": same.scenario, "dialogue_a": same, "dialogue_b": same}),
        (-1, {"kind": Pair.Kind.SPOKEN_CHECK, "expected_value": -1}),
        (0, {"kind": Pair.Kind.SPOKEN_CHECK, "expected_value": -1}),
    ):
        judge(make_pair(study, **fields), value, rater)

    assert outcomes(study, rater) == [
        ("gold", "pass"),
        ("gold", "fail"),
        ("identical", "pass"),
        ("identical", "fail"),
        ("spoken", "pass"),
        ("spoken", "fail"),
    ]


def repeat_of(judgment, value, *, swapped=False):
    """The same pair again with its sides exchanged; `value` as stored in the first pair's terms."""
    pair, lease = judgment.lease.pair, judgment.lease
    one, other = (pair.dialogue_b, pair.dialogue_a) if swapped else (pair.dialogue_a, pair.dialogue_b)
    again = make_pair(
        pair.study, kind="repeat", check_of=pair, scenario=pair.scenario, dialogue_a=one, dialogue_b=other
    )
    repeated = judge(again, -value if swapped else value, lease.annotator)
    left_again = lease.side_right if not swapped else lease.side_left  # the other dialogue stands left now
    type(lease).objects.filter(pk=repeated.lease_id).update(side_left=left_again)
    judge_judgment(Judgment.objects.get(pk=repeated.pk), at=NOW)
    return repeated


@pytest.mark.parametrize("swapped", [False, True])
def test_a_repeat_gives_both_votes_in_the_same_terms(swapped):
    study = make_study()
    first = judge(make_pair(study), 2)
    repeat_of(first, -1, swapped=swapped)
    material = read_material(study)

    rater, before, after = repeated_votes(material.heard, material.counts)

    assert (rater.tolist(), before.tolist(), after.tolist()) == ([first.lease.annotator_id], [2], [-1])


def test_a_repeat_fails_only_where_the_same_side_was_strongly_preferred_twice():
    study = make_study()
    consistent, changed, sided = make_user(), make_user(), make_user()
    repeat_of(judge(make_pair(study), 3, consistent), 3)
    repeat_of(judge(make_pair(study), 1, changed), -1)
    repeat_of(judge(make_pair(study), 3, sided), -2)  # the other dialogue, on the same side

    found = [outcomes(study, rater)[0][1] for rater in (consistent, changed, sided)]

    assert found == ["pass", "pass", "fail"]


def test_the_card_and_the_list_of_raters_say_the_same_of_checks():
    """Also where the expected answer is a slight one, a spoken wish got no number, and a rater is simulated."""
    study = make_study(is_simulated=True)
    slight = make_pair(study, kind=Pair.Kind.GOLD, expected_value=2)
    spoken = make_pair(study, kind=Pair.Kind.SPOKEN_CHECK, expected_value=-1)
    deaf, machine = join(study), join(study, make_user(is_simulated=True))
    for rater in (deaf, machine):
        judge(make_pair(study), 1, rater)
        judge(slight, -3, rater)
        silent = judge(spoken, 0, rater)
        Score.objects.filter(judgment=silent, dimension__key="overall").update(kind="both_bad", value=None)
        judge_judgment(silent, at=NOW)

    cards = {row["rater"]: row["card"]["checks"] for row in payload(study)["raters"]}
    listed = {row.rater.pk: row.test for row in with_checks(raters_of(study), study)}

    assert {rater: card["n_failed"] for rater, card in cards.items()} == {deaf.pk: 2, machine.pk: 0}
    assert cards == {rater: {name: getattr(test, name) for name in cards[rater]} for rater, test in listed.items()}
    assert read_material(study).checks[deaf.pk] == [
        Check("gold", "fail", guessing=3 / 7),
        Check("spoken", "fail"),
    ]


def test_checks_of_whoever_took_the_consent_back_stand_nowhere():
    study = make_study()
    gone = judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3).lease.annotator
    assert payload(study)["n_checks"] == 1

    Consent.objects.create(study=study, user=gone, given_at=NOW, withdrawn_at=NOW)

    assert payload(study)["n_checks"] == 0


def test_checks_stay_out_of_every_board_and_stand_on_the_raters_card():
    study = make_study()
    rater = join(study)
    judge(make_pair(study), 1, rater)
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3, rater)

    found = payload(study)

    assert (found["n"]["judgments"], found["n_checks"]) == (1, 1)
    assert [(row["rater"], row["n"]) for row in found["raters"]] == [(rater.pk, 1)]
    assert found["raters"][0]["card"]["checks"]["n_passed"] == 1


def test_a_system_is_called_by_its_name_in_boards_and_in_reasons():
    study = make_study()
    pair = make_pair(study)
    judge(pair, 2)

    board = payload(study)["dimensions"][-1]

    better = pair.dialogue_a.system.name
    assert board["rows"][0]["system"] == better
    assert board["reason"] == f"{better} never lost to another system, so how far ahead it is cannot be known yet"
    assert board["wins"] == {
        "systems": [pair.dialogue_a.system.name, pair.dialogue_b.system.name],
        "wins": [[0, 1], [0, 0]],
        "ties": [[0, 0], [0, 0]],
    }
