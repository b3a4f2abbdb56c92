"""The practice world's listener: what it likes, by numbers worked by hand, and what it must not care about."""

import math

import pytest

from earshot.demo.listener import FITS, SCALES, USUAL_GAP, USUAL_SPREAD, huber, utilities
from policy.learning.scenarios import EMOTIONS


def phrase(level=0.0, *, log_spread=0.0, energy=0.0, pause=USUAL_GAP, rate=0.0):
    spread = USUAL_SPREAD * math.exp(log_spread)
    return {"level_st": level, "spread": spread, "energy_db": energy, "pause_s": pause, "log_rate": rate}


def fitting(emotion):
    """The reply that fits best, two phrases."""
    fit = FITS[emotion]
    shape = {"log_spread": fit.spread, "energy": fit.energy, "pause": USUAL_GAP * math.exp(fit.gap)}
    return [phrase(fit.level - fit.step / 2, **shape), phrase(fit.level + fit.step / 2, **shape)]


def dialogue(*replies):
    return {"user": [{"log_rate": 0.0}] * len(replies), "assistant": list(replies)}


def test_the_fitting_reply_to_every_emotion_costs_nothing():
    arc = tuple(FITS)

    assert utilities(dialogue(*map(fitting, arc)), arc) == {
        "prosody": pytest.approx(0),
        "emotional_continuity": pytest.approx(0),
        "immersion": pytest.approx(0),
        "overall": pytest.approx(0),
    }


def test_the_listener_knows_the_emotions_of_the_scenarios():
    assert tuple(FITS) == EMOTIONS


def test_what_is_far_off_grows_in_proportion():
    assert [huber(z) for z in (0.0, 1.0, -1.0, 1.5, 2.5, -2.5)] == [0.0, 1.0, 1.0, 2.25, 5.25, 5.25]


def test_prosody_is_the_spread_and_the_step_within_a_reply():
    flat = dialogue([phrase(log_spread=-0.25), phrase(log_spread=-0.25)])

    # Calm: spread off by 0.25, one unit; step 0 instead of −0.5 semitones.
    assert utilities(flat, ["calm"])["prosody"] == pytest.approx(-(1 + 0.6 * (0.5 / 1.8) ** 2) / SCALES["prosody"])


def test_emotional_continuity_is_the_change_between_replies_alone():
    same = dialogue([phrase(2), phrase(2)], [phrase(2), phrase(2)])
    higher = dialogue([phrase(7), phrase(7)], [phrase(7), phrase(7)])
    rising = dialogue([phrase(0), phrase(0)], [phrase(1.8), phrase(1.8)])

    scale = SCALES["emotional_continuity"]
    assert utilities(same, ["calm", "calm"])["emotional_continuity"] == 0
    assert utilities(higher, ["calm", "calm"])["emotional_continuity"] == 0
    assert utilities(rising, ["calm", "calm"])["emotional_continuity"] == pytest.approx(-1 / scale)
    assert utilities(dialogue([phrase(9), phrase(9)]), ["calm"])["emotional_continuity"] == 0


def test_immersion_is_the_gap_and_the_users_pace():
    late = dialogue([phrase(pause=USUAL_GAP * math.exp(0.6)), phrase()])
    hurried = dialogue([phrase(rate=0.07), phrase(rate=0.07)]) | {"user": [{"log_rate": 0.1}]}

    assert utilities(late, ["calm"])["immersion"] == pytest.approx(-1 / SCALES["immersion"])
    assert utilities(hurried, ["calm"])["immersion"] == pytest.approx(0)


def test_overall_is_the_sum_over_the_root_of_three():
    found = utilities(dialogue([phrase(1), phrase(3)], [phrase(0), phrase(1)]), ["joy", "anger"])

    assert found["overall"] == pytest.approx(sum(found[name] for name in SCALES) / math.sqrt(3))


def test_loudness_of_the_whole_and_the_break_within_replies_do_not_matter():
    plain = dialogue([phrase(), phrase()], [phrase(1), phrase(0)])
    louder = dialogue([phrase(energy=6), phrase(energy=6, pause=2)], [phrase(1, energy=6), phrase(0, energy=6)])

    assert utilities(plain, ["calm", "joy"]) == utilities(louder, ["calm", "joy"])


def test_an_unknown_emotion_or_another_number_of_exchanges_is_refused():
    with pytest.raises(ValueError, match="knows no emotion 'boredom'; write an arc of calm, joy"):
        utilities(dialogue(fitting("calm")), ["boredom"])
    with pytest.raises(ValueError, match="The arc has 2 emotions, but the delivery 1 user turns and 1 replies"):
        utilities(dialogue(fitting("calm")), ["calm", "joy"])
