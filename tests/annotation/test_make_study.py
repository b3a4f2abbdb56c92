"""manage.py make_study: a study with pairs by design, safe to repeat."""

import io

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Study
from annotation.services import studies as services
from earshot.accounts.models import Role
from tests.factories import NOW, make_dialogue, make_scenario, make_system, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _three_systems_in_three_scenarios():
    systems = [make_system(name) for name in ("base", "flat", "warm")]
    for _each in range(3):
        scenario = make_scenario()
        for system in systems:
            make_dialogue(scenario, system)


def made(*arguments, **options):
    call_command("make_study", "Demo", *arguments, stdout=io.StringIO(), **options)
    return Study.objects.get(title="Demo", is_pilot=False)


def test_all_pairs_are_made_once_and_kept_as_a_design():
    study = made()
    again = made()

    assert (again.pairs.count(), [each["design"] for each in again.pair_designs]) == (9, ["all"])
    assert study == again


def test_blocks_and_a_reference_are_made_as_they_are_asked_for():
    assert made("--design=blocks", "--pairs-per-scenario=1").pairs.count() == 3

    study = made("--design=reference", "--reference=flat")

    blocks, reference = study.pair_designs
    assert (blocks["design"], blocks["pairs"], reference["reference"]) == ("blocks", 3, "flat")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--design=reference"], "--design reference and --reference SYSTEM belong together"),
        (["--reference=flat"], "--design reference and --reference SYSTEM belong together"),
        (["--design=blocks"], "--design blocks needs --systems-per-scenario or --pairs-per-scenario"),
        (["--pairs-per-scenario=2"], "no other design takes one"),
        (["--design=reference", "--reference=nobody"], "There is no system nobody. Import its dialogues first."),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        made(*arguments)


def test_a_pilot_of_the_study_is_not_taken_for_it():
    study, researcher = made(), make_user(Role.RESEARCHER)
    services.pilot_study(study, n_pairs=2, overlap=1, annotators=False, myself=True, by=researcher, at=NOW, seed=1)

    again = made("--start")

    assert (again, again.state, again.pairs.count()) == (study, "running", 9)
