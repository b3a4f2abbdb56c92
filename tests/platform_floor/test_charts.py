"""Plots as SVG text: they are well-formed, say what they show, and carry no style that the CSP would refuse."""

import xml.etree.ElementTree as ET

import pytest

from earshot.charts import Bars, Interval, draw_bars, draw_intervals, draw_matrix
from earshot.charts.svg import fitted, number, round_steps, wrapped

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [Interval("good <one>", 1.25, 0.5, 2.0, "12 votes"), Interval("poor & other", -1.0, -2.0, 0.0, "9 votes")]


def parsed(svg):
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert not any("style" in element.attrib for element in root.iter())
    assert not list(root.iter(f"{SVG}style"))
    assert not list(root.iter(f"{SVG}script"))
    return root


def words_in(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("width", [340, 720])
def test_an_interval_plot_writes_each_estimate_with_its_interval_and_the_reference(width):
    root = parsed(draw_intervals(ROWS, title="Who is ahead", axis="logits", reference_label="mean", width=width))

    assert root.attrib["aria-label"] == "Who is ahead"
    assert {"good <one>", "1.25 [0.50, 2.00]", "−1.00 [−2.00, 0.00]", "mean", "logits", "12 votes"} <= set(
        words_in(root)
    )
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles[0] == "good <one>: 1.25 [0.50, 2.00], 12 votes"


def test_an_interval_lies_inside_the_picture_and_around_its_dot():
    root = parsed(draw_intervals(ROWS, title="", axis="", width=720))

    whisker = next(each for each in root.iter(f"{SVG}line") if each.attrib["class"] == "whisker")
    dot = next(root.iter(f"{SVG}circle"))
    low, high, at = (float(value) for value in (whisker.attrib["x1"], whisker.attrib["x2"], dot.attrib["cx"]))
    assert 0 < low < at < high < 720
    assert at == pytest.approx((low + high) / 2, abs=0.02)


def test_a_matrix_writes_shares_in_percent_and_leaves_out_who_never_met():
    root = parsed(draw_matrix(["a", "b"], [[None, 0.75], [0.25, None]], title="wins", column_label="against"))

    assert [words for words in words_in(root) if words in ("75", "25")] == ["75", "25"]
    assert len(list(root.iter(f"{SVG}rect"))) == 2


def test_a_matrix_of_many_systems_is_a_few_paths():
    names = [f"system {place}" for place in range(100)]
    shares = [[None if i == j else 0.5 + (j - i) / 250 for j in range(100)] for i in range(100)]

    svg = draw_matrix(names, shares, title="wins", column_label="against")

    assert len(list(parsed(svg).iter(f"{SVG}path"))) <= 8
    assert len(svg) < 300_000


def test_bars_go_up_and_down_on_one_scale_and_say_which_is_which():
    rows = [Bars("Prosody", [2.0, 0.0], [0.0, 1.0])]
    root = parsed(draw_bars(rows, title="marks", axis="place", ends=("begin", "end"), words=("good", "bad")))

    up, down = root.iter(f"{SVG}rect")
    assert (float(up.attrib["height"]), float(down.attrib["height"])) == (44.0, 22.0)
    assert float(up.attrib["y"]) + 44.0 == float(down.attrib["y"])
    assert [title.text for title in root.iter(f"{SVG}title")] == ["good: 2.00", "bad: 1.00"]


@pytest.mark.parametrize(
    "svg",
    [
        draw_intervals([], title="Nothing yet", axis="logits"),
        draw_bars([], title="Nothing yet", axis="", ends=("", ""), words=("", "")),
        draw_matrix([], [], title="Nothing yet", column_label=""),
    ],
    ids=["intervals", "bars", "matrix"],
)
def test_a_plot_of_nothing_is_still_a_picture_with_its_title(svg):
    root = parsed(svg)

    assert root.tag == f"{SVG}svg"
    assert root.attrib["aria-label"] == "Nothing yet"
    width, height = (float(each) for each in root.attrib["viewBox"].split()[2:])
    assert min(width, height) > 0
    assert [*root.iter(f"{SVG}rect"), *root.iter(f"{SVG}circle")] == []


def test_steps_are_round_and_inside_their_range():
    assert round_steps(-1.05, 1.3, 5) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert round_steps(0, 95, 5) == [0, 20, 40, 60, 80]
    assert round_steps(2, 2, 5) == [2]


def test_a_number_has_a_true_minus_sign_and_no_negative_zero():
    assert (number(-1.256), number(-0.001), number(0.5, 1)) == ("−1.26", "0.00", "0.5")


def test_a_long_name_keeps_its_ends_and_a_long_line_is_broken_at_a_space():
    assert fitted("short", 100) == "short"
    assert fitted("a-very-long-system-name-v17", 100) == "a-very…me-v17"
    assert wrapped("lead of the first over the second", 120) == ["lead of the", "first over the", "second"]
