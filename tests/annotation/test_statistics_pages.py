"""The statistics pages: what they say, their plots as files, how fresh they are, and who is refused."""

import csv
import io
import re
import xml.etree.ElementTree as ET

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Scenario, StudyStatistics
from annotation.queries.statistics import SECTIONS
from annotation.queries.statistics.raters import cards_of
from annotation.queries.statistics.reasons import REASONS, for_reader
from annotation.services.simulation import simulate_judgments
from annotation.services.statistics import keeping
from earshot.accounts.models import Role
from earshot.jobs.models import Job
from tests.annotation.judged import judge
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, join, make_dialogue, make_pair, make_scenario, make_study, make_system, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def judged(researcher):
    """Three systems in twelve scenarios, judged by eight simulated raters."""
    study = make_simulated_study(n_scenarios=12)
    join(study, researcher, "researcher")
    simulate_judgments(study, n_raters=8, n_judgments=108, seed=2, clock=lambda: NOW)
    return study


def page(study, section="ranking", **query):
    return reverse("annotation:statistics", args=[study.pk, section], query=query)


def addresses(study):
    key = study.pk
    return [
        reverse("annotation:statistics", args=[key]),
        *(page(study, section) for section in SECTIONS),
        reverse("annotation:statistics_freshness", args=[key, "ranking"]),
        reverse("annotation:statistics_picture", args=[key, "ranking", "ranking-overall"]),
        reverse("annotation:statistics_numbers", args=[key, "ranking", "ranking-overall"]),
    ]


@pytest.mark.parametrize("value", [2, 0])
def test_a_study_whose_raters_all_say_the_same_is_shown_with_means_and_no_interval(client, researcher, value):
    study = make_study(researcher=researcher)
    systems = make_system(), make_system()
    for _each in range(5):
        scenario = make_scenario()
        dialogue_a, dialogue_b = (make_dialogue(scenario, system) for system in systems)
        judge(make_pair(study, scenario=scenario, dialogue_a=dialogue_a, dialogue_b=dialogue_b), value)

    overview = client.get(reverse("annotation:study", args=[study.pk]))
    sections = [client.get(page(study, section, dimension="overall")).status_code for section in SECTIONS]

    assert (overview.status_code, sections) == (200, [200] * len(SECTIONS))
    rows = keeping.current_statistics(study, at=NOW).payload["dimensions"][-1]["rows"]
    assert {row["system"]: (row["cmos"], row["cmos_low"]) for row in rows} == {
        systems[0].name: (value, None),
        systems[1].name: (-value, None),
    }


def test_an_annotator_is_told_that_statistics_are_for_researchers(client, judged):
    client.force_login(join(judged, make_user(Role.ANNOTATOR)))

    assert {client.get(address).status_code for address in addresses(judged)} == {403}
    assert client.post(reverse("annotation:update_statistics", args=[judged.pk])).status_code == 403


def test_a_researcher_of_another_study_finds_nothing(client, judged):
    client.force_login(make_user(Role.RESEARCHER))

    assert {client.get(address).status_code for address in addresses(judged)} == {404}
    assert client.post(reverse("annotation:update_statistics", args=[judged.pk])).status_code == 404
    assert not Job.objects.exists()


def test_whoever_has_not_signed_in_is_sent_to_sign_in(client, judged):
    client.logout()

    for address in addresses(judged):
        assert client.get(address)["Location"].startswith("/account/login/")


def test_the_ranking_says_who_stands_above_and_from_how_many_votes(client, judged):
    html = client.get(page(judged)).content.decode()

    assert "good stands above all others (108 votes of 8 raters on 36 pairs)." in html
    assert "From 108 judgments" in html
    assert html.count("<svg ") == 2 * 4 + 1  # each dimension wide and narrow, and the logo


def test_one_dimension_is_shown_in_depth_with_the_plain_mean_and_davidsons_model(client, judged):
    html = client.get(page(judged, dimension="prosody")).content.decode()

    assert re.findall(r'id="plot-([\w-]+)"', html) == ["ranking-prosody", "cmos-prosody", "davidson-prosody"]
    assert "Davidson&#x27;s model, Prosody" in html


def test_every_section_has_its_plots_their_numbers_and_files_that_open(client, judged):
    for section in SECTIONS:
        html = client.get(page(judged, section)).content.decode()
        plots = re.findall(r'id="plot-([\w-]+)"', html)
        assert bool(plots) == (section != "alarms")
        for name in plots:
            numbers = client.get(reverse("annotation:statistics_numbers", args=[judged.pk, section, name]))
            rows = list(csv.reader(io.StringIO(numbers.content.decode())))
            assert numbers.status_code == 200
            assert len({len(row) for row in rows}) == 1
            picture = client.get(reverse("annotation:statistics_picture", args=[judged.pk, section, name]))
            if picture.status_code == 200:
                assert ET.fromstring(picture.content).tag.endswith("svg")
                assert picture["Content-Disposition"] == f'attachment; filename="study-{judged.pk}-{name}.svg"'


def test_the_csv_of_the_ranking_has_ranks_strengths_and_means(client, judged):
    address = reverse("annotation:statistics_numbers", args=[judged.pk, "ranking", "ranking-overall"])

    rows = list(csv.DictReader(io.StringIO(client.get(address).content.decode())))

    assert [(row["system"], row["rank"]) for row in rows] == [("good", "1"), ("fair", "2"), ("poor", "3")]
    assert float(rows[0]["strength"]) > float(rows[0]["95 % low"]) > float(rows[1]["95 % high"])
    assert {row["votes"] for row in rows} == {"72"}


def test_a_page_that_is_not_there_says_which_are(client, judged):
    assert client.get(page(judged, "weather")).status_code == 404
    assert client.get(page(judged, stratum="language:xx")).status_code == 404
    address = reverse("annotation:statistics_picture", args=[judged.pk, "ranking", "weather"])
    assert client.get(address).status_code == 404


def test_a_stratum_shows_its_part_of_the_judgments(client, judged):
    japanese = Scenario.objects.filter(pairs__study=judged).distinct().first()
    Scenario.objects.filter(pk=japanese.pk).update(language="ja")
    StudyStatistics.objects.all().delete()

    html = client.get(page(judged, stratum="language:ja")).content.decode()

    assert '<option value="language:ja" selected>language: ja (9)</option>' in html
    assert "Cannot say yet: votes on 1 scenarios; an interval needs 5 or more." in html


def test_alarms_are_of_all_judgments_and_offer_no_part(client, judged):
    Scenario.objects.filter(pk=Scenario.objects.filter(pairs__study=judged).first().pk).update(language="ja")
    StudyStatistics.objects.all().delete()

    html = client.get(page(judged, "alarms", stratum="language:ja")).content.decode()

    assert "Of all judgments." in html
    assert "From 108 judgments" in html
    assert "<select" not in html.split('id="statistics"')[1]


def test_a_stratum_that_the_job_has_not_come_to_is_being_computed_and_one_that_is_none_is_not_found(
    client, large, judged
):
    assert "The numbers are being computed" in client.get(page(judged, stratum="language:ja")).content.decode()

    payload = {"form": keeping.FORM, "strata": [{"key": "language:ja"}]}
    StudyStatistics.objects.create(study=judged, payload=payload, made_at=NOW, n_judgments=1, seconds=0)

    assert "The numbers are being computed" in client.get(page(judged, stratum="language:ja")).content.decode()
    assert client.get(page(judged, stratum="language:xx")).status_code == 404


def test_answers_without_a_number_stand_beside_the_ranking_by_kind(client, judged):
    judgment = judge(make_pair(judged), 1)
    judgment.scores.filter(dimension__key="prosody").update(kind="both_bad", value=None)

    assert "<li>Prosody: both bad 1</li>" in client.get(page(judged)).content.decode()


def test_a_copier_is_shown_with_whom_it_copies(researcher):
    study = make_study(researcher=researcher)
    pair = make_pair(study)
    one, other = (judge(pair, 2).lease.annotator for _ in range(2))
    payload = keeping.current_statistics(study, at=NOW).payload
    found = next(row for row in payload["raters"] if row["rater"] == one.pk)["card"]
    found |= {"copies_with": [other.pk], "reasons": [{"code": "copying", "figure": None, "limit": 0.0}]}

    card = next(card for card in cards_of(payload) if card.rater == one.pk)

    assert card.reasons == [f"gives the same answers as somebody else: {other}"]


def test_the_studys_own_page_says_how_many_failed_quality_control(client, judged):
    judgment = judge(make_pair(judged), 1)
    judgment.quality.verdict = "fail"
    judgment.quality.save()

    html = client.get(reverse("annotation:study", args=[judged.pk])).content.decode()

    assert "Failed quality control and left out: 1" in html


def test_an_empty_study_says_what_will_stand_here(client, researcher):
    study = make_study(researcher=researcher)
    make_pair(study)

    for section in SECTIONS:
        html = client.get(page(study, section)).content.decode()
        assert "No numbers yet" in html or section == "alarms"


def test_the_studys_own_page_shows_the_boards_and_the_alarms(client, judged):
    html = client.get(reverse("annotation:study", args=[judged.pk])).content.decode()

    assert "good stands above all others" in html
    assert "Checks among the pairs." in html  # the study lends no checks
    assert f'href="{page(judged, "alarms")}"' in html


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(keeping, "SMALL_SCORES", 0)


def freshness(client, study, **query):
    address = reverse("annotation:statistics_freshness", args=[study.pk, "ranking"], query=query)
    return client.get(address, headers={"HX-Request": "true"})


def test_a_large_study_without_numbers_is_handed_to_a_job_and_its_page_asks_again(client, large, judged):
    html = client.get(page(judged)).content.decode()

    assert "The numbers are being computed" in html
    assert 'hx-trigger="every 2s"' in html
    assert Job.objects.get().arguments == {"study": judged.pk}


def test_polling_brings_the_line_until_newer_numbers_bring_the_page_and_end_it(client, judged):
    kept = keeping.current_statistics(judged, at=NOW)
    same = freshness(client, judged, made=kept.made_at.isoformat())
    assert (same.status_code, "HX-Retarget" in same.headers) == (200, False)
    assert 'id="freshness"' in same.content.decode()

    newer = freshness(client, judged, made="2026-01-01T00:00:00+00:00")

    assert (newer.status_code, newer["HX-Retarget"], newer["HX-Reswap"]) == (286, "#statistics", "outerHTML")
    assert 'id="statistics"' in newer.content.decode()


def test_polling_ends_where_nothing_will_change_by_itself(client, judged):
    judged.state = "finished"
    judged.save()
    kept = keeping.current_statistics(judged, at=NOW)
    kept.payload["n_tried"] = kept.payload["n_unmeasured"]
    kept.save()

    response = freshness(client, judged, made=kept.made_at.isoformat())

    assert response.status_code == 286
    assert "hx-get" not in response.content.decode()


def test_update_now_asks_for_one_job_in_the_researchers_name(client, researcher, judged):
    for _ in range(2):
        client.post(reverse("annotation:update_statistics", args=[judged.pk]), {"section": "wins"})

    job = Job.objects.get()
    assert (job.kind, job.created_by, job.arguments) == (keeping.KIND, researcher, {"study": judged.pk})


@pytest.mark.parametrize("section", [*SECTIONS])
def test_more_raters_pairs_and_systems_cost_no_more_queries(client, researcher, section):
    study = make_study(researcher=researcher)

    def queries():
        client.get(page(study, section))
        with CaptureQueriesContext(connection) as found:
            client.get(page(study, section))
        return len(found)

    judge(make_pair(study))
    one = queries()
    judge(make_pair(study))
    judge(make_pair(study))

    assert queries() == one


def test_a_reason_of_the_estimators_is_found_with_its_names():
    assert for_reader("votes of 3 raters; an interval needs 5 or more") == (
        "votes of 3 raters; an interval needs 5 or more"
    )
    assert for_reader("something new") == "something new"
    assert len(set(REASONS)) == len(REASONS)
