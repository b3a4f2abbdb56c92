"""What the statistics pages say, and do not say, of numbers worked out by hand: nothing without its interval."""

import pytest

from annotation.queries.statistics.agreement import agreement_plots, estimate_words, halo_sentence
from annotation.queries.statistics.alarms import alarms_of
from annotation.queries.statistics.forecast import forecast_plot, forecast_words
from annotation.queries.statistics.marks import marks_plots
from annotation.queries.statistics.plots import with_interval
from annotation.queries.statistics.ranking import board_plot, compare_orders, side_sentence, style_sentence
from annotation.queries.statistics.wins import wins_plot
from annotation.services.statistics import keeping
from tests.annotation.judged import judge
from tests.factories import NOW, make_pair, make_study

NO_INTERVAL = {"value": 0.9, "low": None, "high": None, "n": 3, "reason": "from 1 raters; an interval needs 5 or more"}
FEW = "Cannot say yet: from 1 raters; an interval needs 5 or more."


def halo(value, low, high, *, is_too_much=False):
    figure = {"value": value, "low": low, "high": high, "n": 40, "reason": ""}
    return {"halo": {"correlation": figure, "alike": figure, "is_too_much": is_too_much}}


def test_an_estimate_without_its_interval_is_not_shown():
    assert with_interval(1.0, 0.5, 1.5) == (1.0, 0.5, 1.5)
    assert with_interval(1.0, None, None) == (None, None, None)
    assert estimate_words(NO_INTERVAL) == FEW
    assert estimate_words(NO_INTERVAL | {"low": 0.5, "high": 1.0}) == "0.90 [0.50, 1.00], n = 3"


def test_halo_is_told_only_by_where_the_whole_interval_lies():
    assert halo_sentence(halo(0.5, 0.3, 0.55)) == "The dimensions say different things."
    assert halo_sentence(halo(0.5, 0.3, 0.7)) == "Cannot say yet: the interval holds the limit of 0.6."
    assert halo_sentence(halo(0.8, 0.7, 0.9, is_too_much=True)).startswith("One impression answers every question.")
    assert halo_sentence({"halo": {"correlation": NO_INTERVAL, "is_too_much": False}}) == FEW


def board(wins, ties, **fields):
    names = ["good", "poor"]
    rows = [{"system": name} for name in names]
    sizes = {"n_votes": 12, "n_raters": 3, "n_scenarios": 4, "reason": ""}
    return {"key": "overall", "name": "Overall", "rows": rows, **sizes} | {
        "wins": {"systems": names, "wins": wins, "ties": ties},
        **fields,
    }


def test_ties_alone_name_no_winner():
    found = wins_plot(board([[0, 0], [0, 0]], [[0, 12], [12, 0]]))

    assert found.sentence == "Cannot say yet: every vote is a tie."
    assert found.rows[0] == ["good", "poor", 0, 0, 12, None, None, None]


def test_a_winner_is_named_only_where_the_interval_lies_above_a_half():
    few, many = (wins_plot(board([[0, n], [1, 0]], [[0, 0], [0, 0]])) for n in (3, 11))

    assert few.sentence.startswith("Of no system can it be said yet that it won most votes")
    assert many.sentence == (
        "good won most of its decided votes against every system that it met (12 votes of 3 raters in 4 scenarios)."
    )
    assert [round(cell, 2) for cell in many.rows[0][5:]] == [0.92, 0.65, 0.99]
    assert list(many.heading[5:]) == ["share won", "95 % low", "95 % high"]


def row(system, low, high):
    return {"system": system, "strength": (low + high) / 2, "low": low, "high": high}


def test_an_order_changes_only_where_intervals_say_so():
    clear, turned = [row("a", 1, 2), row("b", -2, -1)], [row("b", 1, 2), row("a", -2, -1)]
    open_ = [row("b", -1, 2), row("a", -2, 1)]

    assert compare_orders(clear, clear) == "same"
    assert compare_orders(turned, clear) == "other"
    assert compare_orders(open_, clear) == "open"


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        (
            {"duration": "alike", "level": "alike"},
            "Nothing in the sound tells the sides of a pair apart, so the controlled board is the raw one.",
        ),
        (
            {"duration": "alike", "level": "unknown"},
            "Nothing could be held equal, so the controlled board is the raw one.",
        ),
    ],
)
def test_the_sound_tells_nothing_apart_only_where_everything_known_is_alike(left_out, sentence):
    style = {"reason": "", "coefficients": [], "left_out": left_out, "rows": [], "raw": [], "n_votes": 3}

    assert style_sentence({"style": style}) == sentence


def test_a_forecast_says_its_middle_and_both_ends():
    waiting = {"is_separated": False, "forecast": {"n": 41, "low": 20, "high": 516, "reason": ""}}

    assert forecast_words(waiting) == "41 (20 to 516) more votes"


@pytest.mark.django_db
@pytest.mark.database
def test_with_one_rater_no_table_holds_a_number_of_its_own():
    study = make_study()
    rater = judge(make_pair(study), 2).lease.annotator
    judge(make_pair(study), -1, rater)
    payload = keeping.current_statistics(study, at=NOW).payload
    board = payload["dimensions"][-1]

    assert all(line[4:10] == [None] * 6 for line in board_plot(board).rows)
    assert all(line[1:4] == [None] * 3 for plot in agreement_plots(payload["dimensions"]) for line in plot.rows)
    assert all(line[2:5] == [None] * 3 for line in forecast_plot(board).rows)
    assert side_sentence(board) == "" or side_sentence(board).startswith("Cannot say yet")
    named = {alarm.title: alarm for alarm in alarms_of(study, payload)}
    assert [(named[title].is_raised, named[title].is_known) for title in ("Side, Overall", "Halo")] == [
        (False, False)
    ] * 2


def marked(bad_by_system, *, bins=20):
    """Bad marks of each system by place; every system was listened to 50 times."""
    rows = [
        {"dimension": "", "polarity": "bad", "system": pk, "role": "assistant", "counts": counts}
        for pk, counts in bad_by_system.items()
    ]
    n = sum(sum(counts) for counts in bad_by_system.values())
    listenings = {str(pk): 50 for pk in bad_by_system}
    return {
        "marks": {"n": n, "bins": bins, "rows": rows, "listenings": listenings},
        "dimensions": [],
        "systems": {str(pk): f"system {pk}" for pk in bad_by_system},
        "n": {"judgments": 50, "raters": 4, "scenarios": 10},
    }


def test_marks_are_said_to_be_more_only_by_their_interval_and_thirds_are_summed():
    at_the_end = [4] + [0] * 13 + [3] * 6  # the fullest part is the first one, the fullest third the last
    found = {plot.name: plot.sentence for plot in marks_plots(marked({1: at_the_end, 2: [1] + [0] * 19}))}

    assert found["marks-systems"] == (
        "23 marks on 50 judgments of 4 raters in 10 scenarios. system 1 has more bad ones than the others: 22 of 23, "
        "a share of 0.96 [0.79, 0.99]. More than elsewhere fall in the last third of the dialogue: 18 of 22, "
        "a share of 0.82 [0.61, 0.93]."
    )


def test_a_few_marks_say_nothing_of_where_they_fall():
    found = {plot.name: plot.sentence for plot in marks_plots(marked({1: [1] + [0] * 19, 2: [0] * 20}))}

    assert found["marks-systems"] == (
        "1 mark on 50 judgments of 4 raters in 10 scenarios. 1 is bad; where more of them fall than elsewhere cannot "
        "be said yet. No third of the dialogue has clearly more of them."
    )
