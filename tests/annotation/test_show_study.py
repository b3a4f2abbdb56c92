"""What `manage.py show_study` tells people and scripts."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.services import judgments
from annotation.services.simulation import simulate_judgments
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, answer, make_dialogue, make_lease, make_pair, make_scenario, make_study, make_system

pytestmark = pytest.mark.django_db


def shown(study, **options) -> str:
    out = StringIO()
    call_command("show_study", study.pk, stdout=out, **options)
    return out.getvalue()


def vote(pair, value) -> None:
    lease = make_lease(pair)
    answer(lease, lease.shown_value(value))
    judgments.submit(lease, at=NOW)


def make_pair_of(study, one: str, other: str):
    scenario = make_scenario()
    sides = [make_dialogue(scenario, make_system(name)) for name in (one, other)]
    return make_pair(study, scenario=scenario, dialogue_a=sides[0], dialogue_b=sides[1])


def test_wins_are_counted_for_the_system_wherever_it_stood():
    study = make_study(overlap=3)
    first, second = make_pair_of(study, "new", "old"), make_pair_of(study, "old", "new")
    for pair, value in ((first, 2), (first, -1), (first, 0), (second, -3)):
        vote(pair, value)

    told = json.loads(shown(study, json=True))

    assert told == {
        "pairs": 2,
        "seats_left": 2,
        "judgments": 4,
        "wins": {"new": 2, "old": 1},
        "ties": 1,
        "true_utility": {},
    }


def test_a_simulated_study_tells_what_was_made_better_and_that_it_is_simulated():
    study = make_simulated_study(n_scenarios=2)
    simulate_judgments(study, n_raters=4, n_judgments=100, seed=1)

    told = json.loads(shown(study, json=True))

    assert told["true_utility"] == {"fair": 0.0, "good": 1.5, "poor": -1.5}
    assert (told["pairs"], told["seats_left"], told["judgments"]) == (6, 0, 18)
    assert "18, by simulated raters; 0 seats open on 6 pairs" in shown(study)


def test_a_study_without_votes_names_no_winner():
    assert json.loads(shown(make_study(), json=True))["wins"] == {}


def test_a_study_that_does_not_exist_is_refused_with_where_to_look():
    with pytest.raises(CommandError, match=r"There is no study 4711. Its number stands in its address"):
        call_command("show_study", 4711)
