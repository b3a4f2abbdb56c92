"""The pages of a study's checks: listed, made, heard, taken out, declared; by its researchers and by nobody else."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Pair
from annotation.services import checks
from earshot.accounts.models import Role
from earshot.jobs.models import Job
from tests.annotation.checked import judged, plain_check
from tests.annotation.sounding import sounding_dialogue
from tests.factories import NOW, join, make_pair, make_scenario, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER)


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher, check_rate=0.2)


@pytest.fixture
def client(researcher):
    client = Client()
    client.force_login(researcher)
    return client


def address(name: str, *args) -> str:
    return reverse(f"annotation:{name}", args=args)


def test_the_list_says_what_was_done_what_is_right_and_how_raters_answered(client, study):
    gold = plain_check(study, expected=3, treatment={"letter": "b", "kind": "flat", "changes": [], "inserted": []})
    judged(gold, value=3)
    judged(gold, value=-3)

    page = client.get(address("study_checks", study.pk)).content.decode()

    assert "B speaks on one note, and replies late" in page
    assert "A by 3, or one step off" in page
    cells = page.partition("A by 3, or one step off")[2].partition("</tr>")[0]
    assert re.findall(r">(\d+)</td>", cells) == ["2", "0", "1"]  # the right one is unknown: no listening was recorded


def test_asking_for_checks_starts_one_job_and_shows_how_far_it_is(client, study):
    make_pair(study)
    page = client.get(address("study_checks", study.pk)).content.decode()
    assert 'name="n_gold" value="1"' in page

    response = client.post(address("study_checks", study.pk), {"n_gold": 2, "n_identical": 1, "n_spoken": 0})

    assert response["Location"] == address("study_checks", study.pk)
    job = Job.objects.get(kind=checks.KIND)
    assert (job.arguments["n_gold"], job.arguments["n_identical"], job.arguments["n_spoken"]) == (2, 1, 0)
    assert "Waiting for a worker" in client.get(response["Location"]).content.decode()
    progress = address("checks_progress", study.pk)
    assert client.get(progress, headers={"HX-Request": "true"}).status_code == 200
    Job.objects.update(state="succeeded")
    ended = client.get(progress, headers={"HX-Request": "true"})
    assert (ended.status_code, ended["HX-Refresh"]) == (286, "true")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"n_gold": 0, "n_identical": 0, "n_spoken": 0}, "Ask for 1 to 200 checks of a kind."),
        ({"n_gold": -1, "n_identical": 0, "n_spoken": 0}, "greater than or equal to 0"),
        ({"n_gold": "", "n_identical": 1, "n_spoken": 1}, "This field is required."),
    ],
)
def test_numbers_that_cannot_be_are_refused_on_the_page(client, study, numbers, words):
    make_pair(study)

    response = client.post(address("study_checks", study.pk), numbers)

    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Job.objects.exists()


def test_a_check_is_heard_as_raters_hear_it(client, study):
    scenario = make_scenario()
    dialogues = [sounding_dialogue(scenario) for _each in "ab"]
    check = plain_check(study, scenario=scenario, dialogue_a=dialogues[0], dialogue_b=dialogues[1])

    response = client.get(address("check_sound", study.pk, check.pk, "a"), headers={"Range": "bytes=0-99"})

    assert (response.status_code, len(b"".join(response.streaming_content))) == (206, 100)
    assert client.get(address("check_sound", study.pk, check.pk, "c")).status_code == 404


def test_a_checks_page_shows_each_answer_with_its_reasons(client, study):
    check = plain_check(study, expected=3)
    judged(check, value=-2)

    page = client.get(address("check", study.pk, check.pk)).content.decode()

    assert "−2 on overall where +3 was expected, more than one step off" in page
    assert "the study records no listening" in page


def test_a_spoken_check_says_what_its_voice_says(client, study):
    treatment = {"letter": "a", "kind": "spoken", "prompt": "this", "language": "en", "changes": [], "inserted": []}
    check = plain_check(study, "spoken_check", treatment=treatment)

    assert (
        "answer that this one, which you hear now, is much better"
        in client.get(address("check", study.pk, check.pk)).content.decode()
    )


def test_a_check_is_taken_out_and_put_back(client, study):
    check = plain_check(study)

    client.post(address("take_out_check", study.pk, check.pk))
    assert Pair.objects.get(pk=check.pk).is_open is False
    assert "Put it back" in client.get(address("check", study.pk, check.pk)).content.decode()

    client.post(address("put_back_check", study.pk, check.pk))
    assert Pair.objects.get(pk=check.pk).is_open is True


def test_a_pair_on_which_all_agree_is_declared_gold_on_its_page(client, study):
    pair = make_pair(study)
    for _each in range(3):
        judged(pair, value=3)
    page = address("pair", study.pk, pair.pk)
    assert "Declare it gold" in client.get(page).content.decode()

    response = client.post(address("declare_gold", study.pk, pair.pk))

    gold = Pair.objects.get(kind="gold")
    assert response["Location"] == address("check", study.pk, gold.pk)
    assert "A copy of this pair is gold." in client.get(page).content.decode()


def test_a_pair_whose_votes_disagree_offers_no_gold_and_refuses_it(client, study):
    pair = make_pair(study)
    for value in (3, -3, 2):
        judged(pair, value=value)
    page = address("pair", study.pk, pair.pk)
    assert "Declare it gold" not in client.get(page).content.decode()

    response = client.post(address("declare_gold", study.pk, pair.pk), follow=True)

    assert "must all be for one side of the pair" in response.content.decode()


def test_a_regular_pair_has_no_page_among_the_checks(client, study):
    assert client.get(address("check", study.pk, make_pair(study).pk)).status_code == 404


def test_strangers_read_make_and_change_no_checks(study):
    check, pair = plain_check(study), make_pair(study)
    reads = [
        address("study_checks", study.pk),
        address("checks_progress", study.pk),
        address("check", study.pk, check.pk),
        address("check_sound", study.pk, check.pk, "a"),
    ]
    changes = [address(name, study.pk, check.pk) for name in ("take_out_check", "put_back_check")]
    changes += [address("declare_gold", study.pk, pair.pk), reads[0]]

    for user, status in ((join(study), 403), (make_user(Role.RESEARCHER), 404)):
        client = Client()
        client.force_login(user)
        assert [client.get(each).status_code for each in reads] == [status] * 4
        assert [client.post(each, {}).status_code for each in changes] == [status] * 4
    assert [Client().get(each).status_code for each in reads] == [302] * 4
    assert [Client().post(each).status_code for each in changes] == [302] * 4
    assert Pair.objects.get(pk=check.pk).is_open is True


def test_an_empty_list_says_where_checks_come_from(client, study):
    assert "No checks yet" in client.get(address("study_checks", study.pk)).content.decode()


def test_a_simulated_study_offers_no_making(client, researcher):
    study = make_study(researcher=researcher, is_simulated=True)

    assert "Make them" not in client.get(address("study_checks", study.pk)).content.decode()


def test_the_lists_take_as_many_queries_for_three_as_for_one(client, study):
    def queries(name: str, *args) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(address(name, *args))
        return len(captured)

    check = plain_check(study)

    def counts() -> list[int]:
        return [queries("study_checks", study.pk), queries("check", study.pk, check.pk)]

    judged(check, value=3, at=NOW)
    one = counts()
    for _each in range(2):
        judged(check, value=-3)
        plain_check(study, "identical")
    assert counts() == one
