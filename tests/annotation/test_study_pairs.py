"""Pairs by design: which dialogues meet, what that costs before anything is made, and what is kept of it."""

from collections import Counter

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.queries.families import designs_of
from annotation.services import studies as services
from annotation.services.studies import Design, Kind, costs
from earshot.accounts.models import Role
from tests.factories import NOW, join, make_dialogue, make_pair, make_scenario, make_study, make_system, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher)


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def speak(n_systems, n_scenarios, *, seconds=60.0, **fields):
    """That many systems, each with a dialogue in each of that many new scenarios."""
    systems = [make_system() for _each in range(n_systems)]
    for _each in range(n_scenarios):
        scenario = make_scenario(**fields)
        for system in systems:
            make_dialogue(scenario, system, seconds=seconds)
    return systems


def keys(systems):
    return tuple(system.pk for system in systems)


def plan(study, kind, systems, **chosen):
    return services.plan_design(study, Design(kind, keys(systems), **chosen))


def test_balanced_blocks_let_every_two_systems_meet_equally_often(study):
    systems = speak(4, 6)

    planned = plan(study, Kind.BLOCKS, systems, systems_per_scenario=2)

    assert len(planned.pairs) == 6
    assert set(planned.meetings.values()) == {1}
    assert costs.meetings_in_words(planned) == "Each two systems meet in 1 pair."


def test_blocks_of_pairs_have_that_many_in_each_scenario(study):
    systems = speak(4, 3)

    planned = plan(study, Kind.BLOCKS, systems, pairs_per_scenario=2)

    assert list(Counter(pair.scenario for pair in planned.pairs).values()) == [2, 2, 2]
    assert set(planned.meetings.values()) == {1}


def test_the_same_seed_plans_the_same_pairs_and_another_one_others(study):
    systems = speak(5, 8)

    first, again, other = (
        plan(study, Kind.BLOCKS, systems, pairs_per_scenario=1, seed=seed).pairs for seed in (1, 1, 2)
    )

    assert (first == again, first == other) == (True, False)


def test_no_system_is_always_a(study):
    systems = speak(4, 2)

    planned = plan(study, Kind.ALL, systems)

    as_a = Counter(pair.a.system for pair in planned.pairs)
    assert {as_a[system.pk] for system in systems} == {3}  # of six pairs each
    turned = Counter((min(pair.a.system, pair.b.system), pair.a.system) for pair in planned.pairs)
    assert max(turned.values()) <= 3


def test_only_scenarios_with_a_chosen_tag_are_paired_and_at_most_so_many(study):
    systems = [make_system(), make_system()]
    for tags in (["angry", "long"], ["angry"], ["calm"], []):
        scenario = make_scenario(tags=tags)
        for system in systems:
            make_dialogue(scenario, system)

    angry = plan(study, Kind.ALL, systems, tags=("angry",))
    either = plan(study, Kind.ALL, systems, tags=("calm", "long"))
    drawn = plan(study, Kind.ALL, systems, scenarios_at_most=3)

    assert [len(each.pairs) for each in (angry, either, drawn)] == [2, 2, 3]


def test_an_adaptive_design_makes_all_pairs_and_lends_them_adaptively(study, researcher):
    systems = speak(5, 3)

    planned = plan(study, Kind.ADAPTIVE, systems)
    services.make_design(study, planned, by=researcher, at=NOW)

    study.refresh_from_db()
    assert (study.pairs.count(), planned.n_start, study.selection) == (30, 10, "adaptive")
    assert study.pair_designs[0]["start"] == 10


def test_what_was_designed_is_kept_with_names_and_read_on_the_page_of_the_pairs(client, study, researcher):
    systems = speak(3, 2, tags=["angry"])

    planned = plan(study, Kind.REFERENCE, systems, reference=systems[1].pk, tags=("angry",), seed=7)
    services.make_design(study, planned, by=researcher, at=NOW)

    study.refresh_from_db()
    assert study.pair_designs == [
        {
            "design": "reference",
            "systems": sorted(system.name for system in systems),
            "reference": systems[1].name,
            "tags": ["angry"],
            "seed": 7,
            "pairs": 4,
            "at": NOW.isoformat(),
        }
    ]
    (made,) = designs_of(study)
    assert (made.n_pairs, made.name, made.at) == (4, "each system against a reference", NOW)
    assert f"reference {systems[1].name}" in client.get(page("study_pairs", study.pk)).content.decode()


def test_pairs_the_study_has_are_counted_and_left_out(study):
    scenario = make_scenario()
    one, other = make_dialogue(scenario), make_dialogue(scenario)
    make_pair(study, scenario=scenario, dialogue_a=other, dialogue_b=one)
    speak(1, 0)

    planned = plan(study, Kind.ALL, [one.system, other.system])

    assert (planned.pairs, planned.n_known) == ([], 1)


def test_a_check_of_the_same_dialogues_does_not_hide_the_regular_pair(study):
    scenario = make_scenario()
    one, other = make_dialogue(scenario), make_dialogue(scenario)
    make_pair(study, scenario=scenario, dialogue_a=one, dialogue_b=other, kind="gold", expected_value=3)

    assert len(plan(study, Kind.ALL, [one.system, other.system]).pairs) == 1


def test_designs_that_cannot_be_say_why_and_what_to_do(study, monkeypatch):
    apart = [*speak(2, 1), *speak(2, 1)]
    silent = make_system()

    with pytest.raises(ValidationError, match=r"Choose more per scenario, or more scenarios\."):
        plan(study, Kind.BLOCKS, apart, pairs_per_scenario=1)
    with pytest.raises(
        ValidationError, match="Choose fewer systems, or import dialogues that answer the same scenarios"
    ):
        plan(study, Kind.ADAPTIVE, apart)
    with pytest.raises(ValidationError, match=r"The reference has spoken none of these scenarios\. Choose another one"):
        plan(study, Kind.REFERENCE, [*apart, silent], reference=silent.pk)
    monkeypatch.setattr("annotation.services.studies.designs.LARGEST", 1)
    with pytest.raises(ValidationError, match=r"These are 2 pairs; at most 1 can be made at a time\. Choose fewer"):
        plan(study, Kind.ALL, apart)


def test_the_cost_counts_votes_checks_hours_and_sittings(study):
    study.check_rate = 1 / 6
    planned = plan(study, Kind.ALL, speak(3, 4, seconds=150.0))

    cost = costs.cost_of(study, planned, n_raters=4)

    assert (cost.n_pairs, cost.n_scenarios, cost.n_votes) == (12, 4, 36)
    assert cost.n_checks == 7  # one in six of 43
    assert cost.listening_hours == pytest.approx(43 * 300 / 3600)
    assert cost.hours == pytest.approx(43 * 360 / 3600)
    assert (cost.working_each, cost.sittings_each) == ("1.1 hours", 2)


def test_what_speaks_against_a_plan_is_said_with_a_remedy(study):
    study.judgments_at_most, study.hours_at_most, study.pairs_per_rater = 5, 0.05, 2
    planned = plan(study, Kind.ALL, [*speak(2, 1), *speak(2, 1)])

    said = " ".join(costs.cautions(study, planned, costs.cost_of(study, planned, n_raters=2)))

    assert "No chain of pairs leads from" in said
    assert "2 raters cannot give a pair 3 judgments" in said
    assert "the pairs of the study want 6 judgments; its budget is 5." in said
    assert "take 0.2 hours of listening; its budget is 0.1." in said
    assert "2 raters with at most 2 pairs each give 4 of the 6 judgments. Add people" in said


def test_a_good_plan_has_no_cautions_and_an_adaptive_one_without_an_end_has_one(study):
    systems = speak(3, 2)

    def said(kind):
        planned = plan(study, kind, systems)
        return list(costs.cautions(study, planned, costs.cost_of(study, planned, n_raters=3)))

    without_end = said(Kind.ADAPTIVE)
    study.half_width_enough = 0.3

    assert (said(Kind.ALL), said(Kind.ADAPTIVE), len(without_end)) == ([], [], 1)
    assert "adaptive lending saves nothing. Set a budget" in without_end[0]


def test_the_page_shows_a_plan_at_once_and_anew_at_each_change_and_makes_nothing(client, study):
    systems = speak(3, 2)
    htmx = {"HX-Request": "true"}
    chosen = {"kind": "blocks", "systems": keys(systems), "pairs_per_scenario": "1", "n_raters": "6", "seed": "5"}

    opened = client.get(page("add_pairs", study.pk)).content.decode()
    changed = client.post(page("add_pairs", study.pk), chosen, headers=htmx).content.decode()
    wrong = client.post(page("add_pairs", study.pk), {"kind": "blocks", "systems": keys(systems)}, headers=htmx)

    assert "<strong>6 new pairs</strong> on 2 scenarios" in opened
    assert changed.strip().startswith('<div id="plan"')
    assert "<strong>2 new pairs</strong>" in changed
    assert "For each of 6 raters" in changed
    assert (wrong.status_code, "how many pairs, a scenario has: one of the two." in wrong.content.decode()) == (
        200,
        True,
    )
    assert not study.pairs.exists()


def test_another_number_than_was_seen_is_shown_again_and_not_made(client, study):
    systems = speak(3, 2)
    chosen = {"kind": "all", "systems": keys(systems), "make": "5"}

    response = client.post(page("add_pairs", study.pk), chosen)

    assert "The number of pairs has changed meanwhile." in response.content.decode()
    assert not study.pairs.exists()


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"kind": "reference"}, "Choose the system that each other one meets."),
        ({"kind": "blocks"}, "Say how many systems, or how many pairs, a scenario has: one of the two."),
        ({"kind": "blocks", "systems_per_scenario": "2", "pairs_per_scenario": "2"}, "one of the two."),
        ({"kind": "blocks", "systems_per_scenario": "4"}, "4 systems per scenario are more than the 3 chosen."),
        ({"kind": "all", "scenarios_at_most": "0"}, "Ensure this value is greater than or equal to 1."),
    ],
)
def test_choices_that_miss_something_are_named_at_their_field(client, study, chosen, sentence):
    response = client.post(page("add_pairs", study.pk), {"systems": keys(speak(3, 1)), **chosen})

    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_the_pages_of_pairs_cost_no_more_queries_with_more_systems_and_designs(client, study, researcher):
    def queries(name):
        with CaptureQueriesContext(connection) as captured:
            client.get(page(name, study.pk))
        return len(captured)

    systems = speak(2, 1)
    services.make_design(study, plan(study, Kind.ALL, systems), by=researcher, at=NOW)
    speak(2, 1)
    one = [queries(name) for name in ("study_pairs", "add_pairs")]
    for _each in range(2):
        services.make_design(study, plan(study, Kind.ALL, speak(3, 1)), by=researcher, at=NOW)

    assert [queries(name) for name in ("study_pairs", "add_pairs")] == one


def test_a_finished_study_takes_no_more_pairs(client, study):
    systems = speak(2, 1)
    services.change_state(study, "finished", by=None)

    html = client.post(
        page("add_pairs", study.pk), {"kind": "all", "systems": keys(systems), "make": "1"}
    ).content.decode()

    assert "is finished and takes no more pairs. Reopen it, or copy it." in html
    assert not study.pairs.exists()


def test_nobody_else_sees_or_makes_a_plan(client, study):
    chosen = {"kind": "all", "systems": keys(speak(2, 1)), "make": "1"}
    statuses = []
    for user in (make_user(Role.RESEARCHER), join(study), None):
        client.force_login(user) if user else client.logout()
        statuses.append(client.post(page("add_pairs", study.pk), chosen, headers={"HX-Request": "true"}).status_code)

    assert statuses[:2] == [404, 403]
    assert not study.pairs.exists()
