"""The scripts under the dialogue picture, run where they run: in the browser."""

import numpy as np
import pytest

from earshot.acoustics.peaks import make_peaks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_page):
    page = open_page(device_scale_factor=2)
    page.goto("/account/login/")
    return page


def test_peaks_of_the_server_are_read_in_the_browser(page):
    rate = 8000
    samples = np.zeros(2 * rate, dtype=np.float32)
    samples[rate + 100] = 0.5  # one click, in the second second

    read = page.evaluate(
        """async bytes => {
            const { parsePeaks, levelFor, extent } = await import("/static/js/peaks.js");
            const peaks = parsePeaks(new Uint8Array(bytes).buffer);
            const level = levelFor(peaks, 10);
            const [first, second] = [0, 1].map(start => extent(level, peaks.loudest, start, start + 1));
            const rates = peaks.levels.map(level => level.bucketsPerSecond);
            const { seconds, loudest } = peaks;
            return { seconds, loudest, rates, chosen: level.bucketsPerSecond, first, second };
        }""",
        list(make_peaks(samples, rate).to_bytes()),
    )

    assert read["seconds"] == 2
    assert read["rates"] == [2, 10, 50]
    assert read["chosen"] == 10
    assert read["loudest"] in (63, 64)  # 0.5 of 127
    assert read["first"] == [0, 0]
    assert read["second"] == [0, 1]


def test_bytes_that_are_no_peaks_are_refused_with_the_reason(page):
    said = page.evaluate(
        """async () => {
            const { parsePeaks } = await import("/static/js/peaks.js");
            const bytes = new TextEncoder().encode("RIFF0000000000000000");
            try { parsePeaks(bytes.buffer); } catch (error) { return error.message; }
        }"""
    )

    assert said == 'Peaks must begin with EPK1 but begin with "RIFF"; import the dialogue again.'


def test_sides_are_aligned_so_that_each_scenario_turn_begins_at_one_place(page):
    quick = {"duration": 30, "turns": [{"scenario_turn": 0, "start": 0}, {"scenario_turn": 1, "start": 10}]}
    slow = {"duration": 50, "turns": [{"scenario_turn": 0, "start": 0}, {"scenario_turn": 1, "start": 25}]}

    units, back = page.evaluate(
        """async sides => {
            const { alignAxes } = await import("/static/js/axis.js");
            const [quick, slow] = alignAxes(sides);
            return [[quick.toUnit(10), slow.toUnit(25), quick.toUnit(30), slow.toUnit(50)],
                    [quick.toTime(0.5), quick.toTime(0.4), slow.toTime(0.5), quick.toTime(quick.toUnit(17))]];
        }""",
        [quick, slow],
    )

    # Columns are 25 s (the slower first turn) and 25 s (the slower second): 50 s in all.
    assert units == pytest.approx([0.5, 0.5, 0.9, 1.0])
    # At 0.4 the quick side is in its empty stretch: it stands at the end of its first turn.
    assert back == pytest.approx([10, 10, 25, 17])


def test_the_picture_tells_heard_from_unheard_and_shows_the_playhead(page):
    seen = page.evaluate(
        """async () => {
            const { drawLanes, timeAt } = await import("/static/js/lanes.js");
            const frame = Object.assign(document.createElement("div"), { className: "lanes-frame tone-a" });
            const canvas = Object.assign(document.createElement("canvas"), { className: "lanes" });
            frame.append(canvas);
            document.querySelector("main").append(frame);
            const turns = [{ speaker: "Agent", role: "assistant", start: 0, end: 10, scenario_turn: 0 }];
            const scene = { turns, duration: 10, heard: [[0, 5]], playhead: null };
            const box = canvas.getBoundingClientRect();
            const alphaAt = seconds => {
                let x = 0;
                while (timeAt(canvas, box.left + x + 1) <= seconds) x += 1;
                const pixels = canvas.getContext("2d").getImageData(2 * x, canvas.height / 2, 4, 1).data;
                return Math.max(pixels[3], pixels[7], pixels[11], pixels[15]);
            };
            drawLanes(canvas, scene);
            const still = { heard: alphaAt(2.5), unheard: alphaAt(7.5) };
            drawLanes(canvas, { ...scene, playhead: 7.5 });
            const moving = alphaAt(7.5);
            drawLanes(canvas, { ...scene, playhead: 2.5 });
            return { ...still, moving, gone: alphaAt(7.5), sharp: canvas.width / box.width };
        }"""
    )

    assert seen["heard"] > 100
    assert seen["unheard"] == 0
    assert seen["moving"] == 255
    assert seen["gone"] == 0
    assert seen["sharp"] == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("width", [320, 800])  # without and with the speakers' names
def test_the_playhead_is_whole_at_both_ends(page, width):
    widths = page.evaluate(
        """async width => {
            const { drawLanes } = await import("/static/js/lanes.js");
            const frame = Object.assign(document.createElement("div"), { className: "lanes-frame" });
            const canvas = Object.assign(document.createElement("canvas"), { className: "lanes" });
            frame.append(canvas);
            document.body.append(frame);
            canvas.style.width = `${width}px`;
            const turns = [{ speaker: "Agent", role: "assistant", start: 0, end: 10, scenario_turn: 0 }];
            const headWidth = (playhead) => {
                drawLanes(canvas, { turns, duration: 10, playhead });
                const top = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1).data;
                return top.filter((value, index) => index % 4 === 3 && value > 200).length / 2;
            };
            return [0, 5, 10].map(headWidth);
        }""",
        width,
    )

    assert widths[0] == widths[1] == widths[2]
    assert widths[0] == pytest.approx(10, abs=1)


def test_the_drawing_follows_the_theme(page):
    colours = page.evaluate(
        """async () => {
            const { drawLanes } = await import("/static/js/lanes.js");
            const frame = Object.assign(document.createElement("div"), { className: "lanes-frame tone-b" });
            const canvas = Object.assign(document.createElement("canvas"), { className: "lanes" });
            frame.append(canvas);
            document.querySelector("main").append(frame);
            const turn = { speaker: "Agent", role: "assistant", start: 0, end: 10, scenario_turn: 0 };
            const scene = { duration: 10, turns: [turn] };
            const colour = () => {
                drawLanes(canvas, scene);
                return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
            };
            const before = colour();
            document.querySelector("[data-theme-choice] [value=dark]").click();
            return [before, colour()];
        }"""
    )

    light, dark = colours
    assert light[3] == dark[3] > 0
    assert sum(dark[:3]) > sum(light[:3]) + 150
