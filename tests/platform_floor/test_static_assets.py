"""What the browser gets: vendored files as published, nothing inline or from elsewhere, colours that can be read."""

import gzip
import hashlib
import math
import re
from pathlib import Path

import pytest

from tests.servers import ROOT

STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
VENDOR = STATIC / "vendor"
OWN_SCRIPTS = sorted((STATIC / "js").glob("*.js"))
OWN_SHEETS = sorted((STATIC / "css").glob("*.css"))
PAGES = sorted(TEMPLATES.rglob("*.html"))
LISTENING_BUDGET_BYTES = 60 * 1024  # gzip, htmx included: the page must answer a key at once on a slow line
READABLE = 4.5  # WCAG 2.2 AA, text
VISIBLE = 3.0  # WCAG 2.2 AA, edges of controls, marks, focus


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def vendored_lines() -> dict[str, str]:
    """File → sha256, from the table in static/vendor/README.md."""
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| (\S+) \|[^|]*\|[^|]*\| ([0-9a-f]{64}) \|$", table, re.MULTILINE))


def test_every_vendored_file_is_listed_with_the_hash_it_has():
    files = {p for p in VENDOR.rglob("*") if p.suffix in {".js", ".css"}}

    hashes = {str(p.relative_to(VENDOR)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert vendored_lines() == hashes


@pytest.mark.parametrize("folder", sorted(p for p in VENDOR.iterdir() if p.is_dir()), ids=lambda p: p.name)
def test_every_vendored_library_has_its_licence_beside_it(folder):
    licences = [p for p in folder.iterdir() if p.name.startswith("LICENSE")]
    assert len(licences) == 1
    assert len(licences[0].read_text(encoding="utf-8")) > 400


INLINE = re.compile(
    r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*["']|\shx-on|javascript:|<script(?![^>]*(?:src=|type="application/json"))""",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_template_has_no_inline_script_or_style(page):
    assert INLINE.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "markup",
    [
        "<p style='x'>",
        '<a onclick="x">',
        "<script>x</script>",
        '<script type="module">x',
        "<style>",
        '<b hx-on:click="x">',
    ],
)
def test_the_search_for_inline_code_finds(markup):
    assert INLINE.search(markup)


ELSEWHERE = re.compile(
    r"""(?:src|href)\s*=\s*["'](?:https?:)?//|url\(\s*["']?(?:https?:)?//|(?:from|import)\s*\(?["']https?:"""
)


@pytest.mark.parametrize("path", [*PAGES, *OWN_SCRIPTS, *OWN_SHEETS], ids=name_of)
def test_nothing_is_fetched_from_another_server(path):
    assert ELSEWHERE.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=name_of)
def test_a_script_never_turns_text_into_code_or_markup(script):
    source = script.read_text(encoding="utf-8")
    assert re.findall(r"\beval\(|new Function|\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write", source) == []


def test_every_static_file_that_a_template_names_exists():
    named = {
        (name_of(page), asset)
        for page in PAGES
        for asset in re.findall(r"""{%\s*static\s+["']([^"']+)["']""", page.read_text(encoding="utf-8"))
    }
    of_allauth = ("mfa/js/", "account/js/")

    missing = {pair for pair in named if not pair[1].startswith(of_allauth) and not (STATIC / pair[1]).is_file()}

    assert missing == set()
    assert len(named) > 10


def test_every_partial_that_a_template_includes_exists():
    from django.template.loader import get_template

    names = {
        n for p in PAGES for n in re.findall(r"""{%\s*include\s+["']([^"']+)["']""", p.read_text(encoding="utf-8"))
    }

    assert "_messages.html" in names
    for name in names:
        get_template(name)


IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.{1,2}/[^"']+)["']""")


def imports_of(script: Path) -> set[Path]:
    return {(script.parent / target).resolve() for target in IMPORT.findall(script.read_text(encoding="utf-8"))}


def with_all_imports(script: Path) -> set[Path]:
    found, open_scripts = set(), [script]
    while open_scripts:
        current = open_scripts.pop()
        if current not in found:
            found.add(current)
            open_scripts += imports_of(current)
    return found


@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=name_of)
def test_what_a_script_imports_exists(script):
    assert {p for p in imports_of(script) if not p.is_file()} == set()


def test_all_scripts_of_the_listening_page_fit_the_budget():
    room = STATIC / "js" / "room.js"
    starts = [STATIC / "js" / "app.js", STATIC / "js" / "lanes.js", *([room] if room.exists() else [])]
    scripts = {VENDOR / "htmx" / "htmx.min.js"}.union(*(with_all_imports(start) for start in starts))

    size = sum(len(gzip.compress(script.read_bytes(), 6)) for script in scripts)

    assert size <= LISTENING_BUDGET_BYTES
    assert not any("uPlot" in script.name for script in scripts)


def test_the_room_asks_for_all_its_scripts_at_once():
    named = (TEMPLATES / "annotation" / "listening" / "_scripts.html").read_text(encoding="utf-8")
    starts = {STATIC / "js" / "app.js", STATIC / "js" / "room.js"}
    later = {"lanes_mount.js", "room_catch_up.js"}  # app.js imports them when a page needs them

    needed = {script.name for script in set().union(*(with_all_imports(start) for start in starts)) - starts} - later

    assert set(re.findall(r"modulepreload.*}}(\w+\.js)", named)) == needed


# --- Colours ----------------------------------------------------------------------------------------------------------


def tokens(theme: str) -> dict[str, tuple[float, float, float]]:
    """Name → (lightness, chroma, hue) of each colour of tokens.css in the "light" or the "dark" theme."""
    colour = r"oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)"
    sheet = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    pairs = re.findall(rf"^  --([\w-]+): light-dark\({colour}, {colour}\);", sheet, re.MULTILINE)
    first = 1 if theme == "light" else 4
    return {pair[0]: (float(pair[first]), float(pair[first + 1]), float(pair[first + 2])) for pair in pairs}


def luminance(oklch: tuple[float, float, float]) -> float:
    """Relative luminance of an OKLCH colour, clipped to sRGB. Source: Ottosson (2020), "A perceptual color space"."""
    lightness, chroma, hue = oklch
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return sum(w * min(1.0, max(0.0, v)) for w, v in zip((0.2126, 0.7152, 0.0722), (red, green, blue), strict=True))


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """WCAG contrast ratio, 1 … 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_white_on_black_is_21():
    assert contrast((1, 0, 0), (0, 0, 0)) == pytest.approx(21, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft", "side-a", "side-b", "good", "caution", "bad"])
@pytest.mark.parametrize("ground", ["ground", "panel", "sunk"])
def test_text_can_be_read(theme, text, ground):
    colours = tokens(theme)
    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *[("ink", f"{tone}-tint") for tone in ("side-a", "side-b", "good", "caution", "bad")],
        *[(tone, f"{tone}-tint") for tone in ("good", "caution", "bad")],
        *[("panel", side) for side in ("side-a", "side-b")],
        *[("on-fill", fill) for fill in ("fill", "fill-hover")],
    ],
)
def test_text_on_colour_can_be_read(theme, text, ground):
    colours = tokens(theme)
    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("mark", ["line-strong", "now"])
@pytest.mark.parametrize("ground", ["ground", "panel"])
def test_edges_marks_and_focus_can_be_seen(theme, mark, ground):
    colours = tokens(theme)
    assert contrast(colours[mark], colours[ground]) >= VISIBLE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_and_b_have_one_lightness_and_one_chroma_and_are_neither_red_nor_green(theme):
    colours = tokens(theme)
    (lightness_a, chroma_a, hue_a), (lightness_b, chroma_b, hue_b) = colours["side-a"], colours["side-b"]

    assert (lightness_a, chroma_a) == (lightness_b, chroma_b)
    assert colours["side-a-tint"][:2] == colours["side-b-tint"][:2]
    assert abs(hue_a - hue_b) >= 120
    for hue in (hue_a, hue_b):
        assert not 0 <= hue <= 45  # reds
        assert not 100 <= hue <= 190  # greens
