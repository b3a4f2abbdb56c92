"""Blindness: somebody who wants to know who spoke, asks over HTTP for everything, and learns nothing but the sound.

The strongest test sets two pairs beside each other whose sounds are alike and everything else is not: whatever the
server answers must be the same to the letter.
"""

import math
import random
import re
import statistics
import struct
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Lease, ListeningLog, Pair, Rendition, Study
from annotation.queries.listening import lease_data, listening_state, scene_of
from annotation.services import judgments, leases, renditions
from earshot.accounts.models import Role
from earshot.acoustics.peaks import Peaks
from earshot.acoustics.rendition import read_pcm16_wav
from tests.annotation.manifests import speech
from tests.annotation.sounding import RATE, Clock, Listener, sounding_dialogue
from tests.factories import (
    answer,
    join,
    make_dialogue,
    make_lease,
    make_pair,
    make_scenario,
    make_study,
    make_system,
    make_user,
)

pytestmark = pytest.mark.django_db
SIDES = ("left", "right")
STUDY = {"title": "A study", "listening_policy": "recorded", "transcript_policy": "always", "overlap": 4}
READS = ("lease_sound", "lease_peaks", "lease_turns")
TELLTALE = {"etag", "last-modified", "content-disposition", "expires", "server-timing", "age", "via", "link"}


def lent(pair: Pair, annotator=None, **fields) -> Lease:
    lease = make_lease(pair, annotator, at=timezone.now())
    if fields:
        Lease.objects.filter(pk=lease.pk).update(**fields)
        lease.refresh_from_db()
    return lease


def sounding_pair(scenario=None, *, names=("north", "south"), study: Study | None = None, kind="regular", **fields):
    """A pair of two different sounds, with names that must never be seen."""
    scenario = scenario or make_scenario(topic="Good news")
    dialogues = [
        sounding_dialogue(
            scenario,
            make_system(f"system-{name}-{scenario.pk}"),
            samples=speech(10.0, rate=RATE, hertz=hertz),
            dialogue_id=f"dialogue-{name}-{scenario.pk}",
            meta={"checkpoint": name},
        )
        for name, hertz in zip(names, (180.0, 210.0), strict=True)
    ]
    for name, dialogue in zip(names, dialogues, strict=True):
        dialogue.turns.filter(role="assistant").update(speaker=f"voice-{name}", reasoning=f"{name} thinks")
        dialogue.turns.update(text="Good morning.")
    study = study or make_study(**STUDY)
    letters = {"dialogue_a": dialogues[0], "dialogue_b": dialogues[1]} | fields
    return make_pair(study, scenario=scenario, kind=kind, **letters)


@pytest.fixture
def lease() -> Lease:
    return lent(sounding_pair())


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def addresses(lease: Lease) -> list[str]:
    """All that this lease's page may ask for, the page itself included."""
    sides = [reverse(f"annotation:{name}", args=[lease.key, side]) for name in READS for side in SIDES]
    return [reverse("annotation:room", args=[lease.key]), *sides]


def content_of(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


# --- Nothing but the sound --------------------------------------------------------------------------------------------


def all_answers(lease: Lease) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and content of every address, without what differs by lease and by request."""
    client = signed_in(lease.annotator)
    found = []
    for address in addresses(lease):
        response = client.get(address)
        content = content_of(response).replace(lease.key.encode(), b"KEY")
        if not address.endswith(("sound", "peaks")):
            content = re.sub(rb'(csrf[^"]*"[^"]*"|nonce=")[^"]+"', b"", content, flags=re.I)
            content = content.replace(str(lease.annotator).encode(), b"ME").replace(b"csrfmiddlewaretoken", b"")
            content = re.sub(rb"[A-Za-z0-9]{64}", b"TOKEN", content)
        headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
        found.append((response.status_code, headers, content))
    return found


def test_pairs_that_sound_alike_are_answered_alike_whoever_spoke_and_however_they_are_stored(monkeypatch):
    """Same sounds; other systems, ids, order of upload, letters, reasoning, voices: nothing of it comes through."""
    monkeypatch.setattr("django.utils.timezone.now", Clock(timezone.now()))  # pages say what time it is
    study = make_study(**STUDY)
    annotator = join(study)
    one = lent(sounding_pair(study=study), annotator, side_left="a", heard_first="left")
    first = all_answers(one)
    scenario = make_scenario(topic="Good news")
    other_pair = sounding_pair(scenario, names=("zulu", "alpha"), study=study)
    Pair.objects.filter(pk=other_pair.pk).update(
        dialogue_a=other_pair.dialogue_b, dialogue_b=other_pair.dialogue_a, seats_left=1
    )
    other_pair.refresh_from_db()
    other = lent(other_pair, annotator, side_left="b", heard_first="left")

    second = all_answers(other)

    assert [status for status, _headers, _content in first] == [200] * 7
    for address, mine, theirs in zip(addresses(one), first, second, strict=True):
        assert mine[:2] == theirs[:2], address
        lines = zip(mine[2].splitlines(), theirs[2].splitlines(), strict=True)
        assert [pair for pair in lines if pair[0] != pair[1]] == [], address


def test_no_answer_names_a_system_a_dialogue_a_file_or_its_hash(lease):
    secrets = ["north", "south", "checkpoint", "thinks"]
    for dialogue in (lease.pair.dialogue_a, lease.pair.dialogue_b):
        hashes = dialogue.renditions.values_list("sha256", flat=True)
        secrets += [dialogue.dialogue_id, dialogue.system.name, dialogue.master_sha256, dialogue.peaks_sha256, *hashes]
    client = signed_in(lease.annotator)

    for address in addresses(lease):
        response = client.get(address)
        said = content_of(response).decode("latin-1") + str(sorted(response.headers.items()))
        assert [secret for secret in secrets if secret in said] == [], address


def test_keys_are_opaque_and_differ_for_every_lease_and_annotator():
    pair = sounding_pair()
    held = [lent(pair, make_user()) for _each in range(4)]

    keys = [each.key for each in held]
    assert len(set(keys)) == 4
    assert all(re.fullmatch(r"[\w-]{22}", key) for key in keys)  # 128 bits
    pages = [signed_in(each.annotator).get(addresses(each)[0]).content.decode() for each in held]
    assert len({page.count(key) for page, key in zip(pages, keys, strict=True)}) == 1
    assert not any(key in page for page in pages for key in keys if page.count(key) == 0)


def test_the_letters_a_and_b_are_the_screens_and_not_the_pairs():
    pair = sounding_pair()
    held = {letter: lent(pair, make_user(), side_left=letter, heard_first="left") for letter in ("a", "b")}

    rooms = {letter: all_answers(each) for letter, each in held.items()}

    by_name = {letter: dict(zip(addresses(held["a"]), answers, strict=True)) for letter, answers in rooms.items()}
    left, right = addresses(held["a"])[1:3]
    assert by_name["a"][left] == by_name["b"][right]
    assert by_name["a"][right] == by_name["b"][left]
    turns = addresses(held["a"])[5:]
    assert by_name["a"][turns[0]][2] == by_name["b"][turns[1]][2]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("byte_range", [None, "bytes=0-", "bytes=100-199", "bytes=99999999-", "bytes=nonsense"])
@pytest.mark.parametrize("method", ["get", "head", "post", "options"])
def test_both_sides_answer_with_the_same_status_and_headers_but_for_the_length(lease, name, byte_range, method):
    client = signed_in(lease.annotator)
    headers = {"Range": byte_range} if byte_range else {}

    left, right = (
        getattr(client, method)(reverse(f"annotation:{name}", args=[lease.key, side]), headers=headers)
        for side in SIDES
    )

    assert left.status_code == right.status_code
    assert list(left.headers) == list(right.headers)
    for header, value in left.headers.items():
        alike = re.sub(r"\d+", "N", value) if header in {"Content-Length", "Content-Range"} else value
        other = right.headers[header]
        assert alike == (re.sub(r"\d+", "N", other) if header in {"Content-Length", "Content-Range"} else other)
    assert TELLTALE & {header.lower() for header in left.headers} == set()


def test_conditional_requests_get_the_whole_answer(lease):
    client = signed_in(lease.annotator)
    conditions = {"If-None-Match": "*", "If-Modified-Since": "Wed, 25 Nov 2099 10:00:00 GMT"}

    for address in addresses(lease)[1:]:
        assert client.get(address, headers=conditions).status_code == 200


@pytest.mark.parametrize("side", SIDES)
def test_the_wav_holds_its_format_and_its_samples_and_nothing_else(lease, side):
    wav = content_of(signed_in(lease.annotator).get(reverse("annotation:lease_sound", args=[lease.key, side])))

    names, place = [], 12
    while place < len(wav):
        names.append(wav[place : place + 4])
        place += 8 + struct.unpack("<I", wav[place + 4 : place + 8])[0]
    assert (wav[:4], wav[8:12], names, place) == (b"RIFF", b"WAVE", [b"fmt ", b"data"], len(wav))


def test_turns_carry_no_id_and_come_in_the_order_of_the_sound(lease):
    client = signed_in(lease.annotator)

    for side in SIDES:
        turns = client.get(reverse("annotation:lease_turns", args=[lease.key, side])).json()["turns"]
        assert {key for turn in turns for key in turn} == {"speaker", "role", "start", "end", "scenario_turn", "text"}
        assert [turn["start"] for turn in turns] == sorted(turn["start"] for turn in turns)


def test_a_side_that_was_lowered_is_drawn_as_loud_as_it_sounds():
    scenario = make_scenario()
    sides = {
        letter: sounding_dialogue(scenario, samples=speech(10.0, rate=RATE, hertz=hertz))
        for letter, hertz in (("dialogue_a", 180.0), ("dialogue_b", 210.0))
    }
    lease = lent(make_pair(scenario=scenario, level_lufs=-29.0, **sides))
    client = signed_in(lease.annotator)

    for side in SIDES:
        address = reverse("annotation:lease_sound", args=[lease.key, side])
        samples = np.frombuffer(content_of(client.get(address))[44:], "<i2")
        drawn = Peaks.from_bytes(client.get(reverse("annotation:lease_peaks", args=[lease.key, side])).content)
        assert np.abs(drawn.levels[2]).max() / 127 == pytest.approx(np.abs(samples).max() / 32_767, abs=0.012)


# --- Time tells nothing -----------------------------------------------------------------------------------------------


def medians_differ(one: Sequence[float], other: Sequence[float], *, bound: float) -> bool:
    """Whether two interleaved samples of durations have different medians, for sure.

    Not if the medians lie within `bound` (a share of the smaller one), nor if more than 1 in 1,000 random splits of all
    durations lie as far apart: so a busy machine, which slows both, does not matter.
    """
    found = abs(statistics.median(one) - statistics.median(other))
    if found <= bound * min(statistics.median(one), statistics.median(other)):
        return False
    every, dice, larger = [*one, *other], random.Random(1), 0
    for _split in range(2_000):
        dice.shuffle(every)
        larger += abs(statistics.median(every[: len(one)]) - statistics.median(every[len(one) :])) >= found
    return larger <= 2


def durations(ask: Callable[[str], object], *, each: int) -> dict[str, list[float]]:
    """How long `ask(side)` takes, each side equally often, in an order nobody could follow."""
    order, taken = [*SIDES] * each, {side: [] for side in SIDES}
    random.Random(7).shuffle(order)
    for side in order:
        began = time.perf_counter()
        ask(side)
        taken[side].append(time.perf_counter() - began)
    return taken


@pytest.mark.parametrize("name", READS)
def test_both_sides_answer_equally_fast(lease, name):
    client = signed_in(lease.annotator)

    def ask(side: str) -> None:
        content_of(
            client.get(reverse(f"annotation:{name}", args=[lease.key, side]), headers={"Range": "bytes=0-99999"})
        )

    for side in SIDES:
        ask(side)
    taken = durations(ask, each=60)

    assert not medians_differ(taken["left"], taken["right"], bound=0.15), {
        side: statistics.median(each) for side, each in taken.items()
    }


def test_a_side_that_is_slower_by_a_third_would_be_noticed():
    dice = random.Random(3)
    left, right = ([slow * dice.lognormvariate(0, 0.3) for _each in range(60)] for slow in (1.0, 1.35))

    assert medians_differ(left, right, bound=0.15)


def test_durations_that_only_scatter_are_not_taken_for_a_difference():
    dice = random.Random(3)
    scattered = [[dice.lognormvariate(0, 1) for _each in range(60)] for _side in SIDES]

    assert not medians_differ(*scattered, bound=0.15)


@pytest.mark.parametrize("first_asked", SIDES)
def test_the_first_access_to_one_side_makes_both_sides_sounds(first_asked, monkeypatch):
    scenario = make_scenario()
    sides = {
        "dialogue_a": sounding_dialogue(scenario, samples=speech(10.0, rate=RATE)),
        "dialogue_b": sounding_dialogue(scenario, samples=speech(10.0, rate=RATE, hertz=210.0)),
    }
    lease = lent(make_pair(scenario=scenario, level_lufs=-29.0, **sides))
    client = signed_in(lease.annotator)

    content_of(client.get(reverse("annotation:lease_sound", args=[lease.key, first_asked])))

    assert Rendition.objects.filter(level_lufs=-29.0).count() == 2
    monkeypatch.setattr(renditions, "write_rendition", None)  # nothing is left to be made
    assert {client.get(address).status_code for address in addresses(lease)} == {200}


# --- Refused exactly alike --------------------------------------------------------------------------------------------


GUESSED = Lease(key="A" * 22)


def refusals(client: Client, lease: Lease) -> list[tuple[int, dict[str, str], str]]:
    """Status, headers and content of all that is asked of a lease, without its key and what differs per request."""
    asked = [client.get(address) for address in addresses(lease)]
    beat = {"sequence": 1, "side": "left", "played": [], "media_time": 0}
    for name in ("heartbeat", "submit", "skip", "undo"):
        asked.append(
            client.post(reverse(f"annotation:{name}", args=[lease.key]), beat, content_type="application/json")
        )
    draft = reverse("annotation:draft", args=[lease.key])
    asked.append(client.patch(draft, {"confidence": 3}, content_type="application/json"))
    return [said_of(response, lease) for response in asked]


def said_of(response, lease: Lease) -> tuple[int, dict[str, str], str]:
    said = content_of(response).decode("latin-1").replace(lease.key, "KEY")
    return response.status_code, dict(response.headers), re.sub(r"[A-Za-z0-9]{64}|nonce=\"[^\"]+", "", said)


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RESEARCHER, Role.ADMIN])
def test_anothers_link_is_refused_as_a_guessed_one_is(lease, role):
    stranger = join(lease.pair.study, make_user(role))
    client = signed_in(stranger)

    anothers, nobodys = refusals(client, lease), refusals(client, GUESSED)

    assert {status for status, _headers, _said in anothers} == {404}
    assert anothers == nobodys
    lease.refresh_from_db()
    assert (lease.state, hasattr(lease, "judgment"), ListeningLog.objects.count()) == ("live", False, 0)


@pytest.mark.parametrize("ended", ["expired", "overdue", "submitted", "skipped", "late"])
def test_an_ended_link_gives_no_sound_waveform_or_turns_and_says_what_a_guessed_one_says(lease, ended):
    client = signed_in(lease.annotator)
    if ended in {"submitted", "late"}:
        answer(lease, at=timezone.now())
    if ended in {"expired", "overdue", "late"}:
        Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())
    if ended == "expired":
        leases.expire_overdue(at=timezone.now())
    if ended in {"submitted", "late"}:
        judgments.submit(lease, at=timezone.now())
    if ended == "skipped":
        leases.skip(lease, reason="noise", at=timezone.now())

    asked, guessed = (
        [said_of(client.get(address), each) for address in addresses(each)[1:]] for each in (lease, GUESSED)
    )

    assert {status for status, _headers, _said in asked} == {404}
    assert asked == guessed


def test_a_link_that_ran_out_gives_its_sound_again_once_it_was_opened_again(lease):
    client = signed_in(lease.annotator)
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())

    client.get(addresses(lease)[0])

    assert [client.get(address).status_code for address in addresses(lease)] == [200] * 7


def test_a_side_that_does_not_exist_is_not_there(lease):
    client = signed_in(lease.annotator)

    for side in ("a", "b", "LEFT", "left/", "left%00", "..", "0"):
        assert client.get(f"/listen/{lease.key}/{side}/sound").status_code in {404, 301}, side


# --- Identical checks: A = A ------------------------------------------------------------------------------------------


@pytest.fixture
def identical() -> Lease:
    scenario = make_scenario()
    samples = speech(10.0, rate=RATE)
    same = sounding_dialogue(scenario, samples=samples)
    pair = make_pair(
        make_study(listening_policy="enforced", transcript_policy="always"),
        scenario=scenario, kind=Pair.Kind.IDENTICAL, dialogue_a=same, dialogue_b=same,
    )  # fmt: skip
    return lent(pair)


def sounds(lease: Lease, tmp_path) -> dict[str, np.ndarray]:
    """What each dialogue of the pair sounds like, by letter."""
    client, found = signed_in(lease.annotator), {}
    for side in SIDES:
        path = tmp_path / f"{side}.wav"
        path.write_bytes(content_of(client.get(reverse("annotation:lease_sound", args=[lease.key, side]))))
        found[lease.letter(side)] = read_pcm16_wav(path)
    return found


def test_an_identical_checks_sides_differ_in_page_and_bytes_and_in_no_word(identical, tmp_path):
    scenes = {
        identical.letter(side): signed_in(identical.annotator)
        .get(reverse("annotation:lease_turns", args=[identical.key, side]))
        .json()
        for side in SIDES
    }
    sound = sounds(identical, tmp_path)

    assert scenes["a"]["duration"] != scenes["b"]["duration"]
    for one, other in zip(scenes["a"]["turns"], scenes["b"]["turns"], strict=True):
        assert one["start"] != other["start"]
        assert one["text"] == other["text"]
    assert len(sound["a"]) != len(sound["b"])
    plain, varied = (renditions.side_of_pair(identical.pair, letter) for letter in ("a", "b"))
    assert plain.speech == identical.pair.dialogue_a.speech
    for (start, end), (moved, _end) in zip(plain.speech, varied.speech, strict=True):
        word = sound["a"][round(start * RATE) : round(end * RATE)]
        first = round(moved * RATE)
        assert np.array_equal(word, sound["b"][first : first + len(word)])
    assert len(sound["b"]) / RATE == pytest.approx(varied.seconds, abs=0.001)


def test_an_identical_checks_waveforms_follow_their_own_sounds(identical, tmp_path):
    sound = sounds(identical, tmp_path)
    client = signed_in(identical.annotator)

    drawn = {}
    for side in SIDES:
        content = client.get(reverse("annotation:lease_peaks", args=[identical.key, side])).content
        drawn[identical.letter(side)] = Peaks.from_bytes(content)

    assert drawn["a"].seconds == pytest.approx(len(sound["a"]) / RATE, abs=0.001)
    assert drawn["b"].seconds == pytest.approx(len(sound["b"]) / RATE, abs=0.001)
    assert drawn["a"].to_bytes() != drawn["b"].to_bytes()
    assert np.abs(drawn["a"].levels[2]).max() == pytest.approx(np.abs(drawn["b"].levels[2]).max(), abs=1)


def test_an_identical_checks_second_side_is_the_same_every_time_and_another_for_every_pair(identical, tmp_path):
    first = sounds(identical, tmp_path)
    for kept in (renditions._varied_folder()).glob("*.json"):
        kept.unlink()

    again = sounds(identical, tmp_path)
    sibling = make_pair(
        identical.pair.study, scenario=identical.pair.scenario, kind=Pair.Kind.IDENTICAL,
        dialogue_a=identical.pair.dialogue_a, dialogue_b=identical.pair.dialogue_b,
    )  # fmt: skip
    other = sounds(lent(sibling), tmp_path)

    assert np.array_equal(first["b"], again["b"])
    assert np.array_equal(first["a"], other["a"])
    assert not np.array_equal(first["b"][: len(other["b"])], other["b"][: len(first["b"])])


def test_an_identical_check_can_be_heard_whole_and_opens_the_gate(identical, monkeypatch):
    clock = Clock(timezone.now())
    monkeypatch.setattr("django.utils.timezone.now", clock)
    listener = Listener(identical, clock)
    for side in listener.sides:
        listener.fetch(side)
        told = listener.listen(side, end=renditions.side_of(identical, side).seconds)

    assert told["gate_open"] is True
    assert {side: (each["coverage"], each["missing_turns"]) for side, each in told["sides"].items()} == {
        "left": (1.0, []),
        "right": (1.0, []),
    }


def test_an_identical_checks_two_sides_answer_equally_fast(identical):
    client = signed_in(identical.annotator)
    plain = next(side for side in SIDES if identical.letter(side) == "a")

    def ask(side: str) -> None:
        content_of(
            client.get(
                reverse("annotation:lease_sound", args=[identical.key, side]), headers={"Range": "bytes=0-99999"}
            )
        )

    for side in SIDES:
        ask(side)
    taken = durations(ask, each=60)

    assert not medians_differ(taken["left"], taken["right"], bound=0.15), (
        plain,
        {side: statistics.median(each) for side, each in taken.items()},
    )


# --- Treated checks: a gold or spoken check beside a regular pair of the same sounds ----------------------------------


def check_of_the_same_sound(lease: Lease, kind: str, letter: str = "b") -> Lease:
    """Another pair of the lease's study that sounds like its pair, whose one side's sound was made with the check."""
    scenario = make_scenario(topic="Good news")
    pair = sounding_pair(scenario, names=("zulu", "alpha"), study=lease.pair.study)
    renditions.ensure_sounds(pair)
    again = renditions.keep_sound(renditions.read_rendition(pair.dialogue(letter).renditions.get()), RATE)
    treatment = {
        "key": "1:gold:0", "letter": letter, "kind": "flat", "changes": [], "inserted": [], "sound": vars(again),
    }  # fmt: skip
    Pair.objects.filter(pk=pair.pk).update(kind=kind, expected_value=3, treatment=treatment, seats_left=1_000_000)
    pair.refresh_from_db()
    return lent(pair, lease.annotator, side_left=lease.side_left, heard_first=lease.heard_first)


@pytest.mark.parametrize("kind", ["gold", "spoken_check"])
def test_a_check_is_answered_as_a_regular_pair_of_the_same_sounds(kind, monkeypatch):
    """Kind, treatment, expected answer, seats, a sound of its own: nothing of it comes through."""
    monkeypatch.setattr("django.utils.timezone.now", Clock(timezone.now()))
    study = make_study(**STUDY)
    regular = lent(sounding_pair(study=study), join(study), side_left="a", heard_first="left")
    first = all_answers(regular)

    check = check_of_the_same_sound(regular, kind)

    second = all_answers(check)
    assert [status for status, _headers, _content in second] == [200] * 7
    for address, mine, theirs in zip(addresses(check), first, second, strict=True):
        assert mine[:2] == theirs[:2], address
        if not address.endswith("peaks"):  # drawn from 16 bits instead of the master: see below
            lines = zip(mine[2].splitlines(), theirs[2].splitlines(), strict=True)
            assert [pair for pair in lines if pair[0] != pair[1]] == [], address


def test_a_treated_sides_waveform_is_drawn_as_a_plain_ones(lease):
    check = check_of_the_same_sound(lease, "gold")

    plain, treated = (Peaks.from_bytes(renditions.peaks_of(each.pair, "b")) for each in (lease, check))

    assert plain.seconds == treated.seconds
    assert list(plain.levels) == list(treated.levels)
    for step, one in plain.levels.items():  # within one step of the picture's 127
        assert np.abs(one.astype(int) - treated.levels[step].astype(int)).max() <= 1


def test_a_check_asks_the_database_as_much_as_a_regular_pair(lease):
    """So it takes as long: the sound of its treated side stands in the pair, but the same things are looked up."""
    check = check_of_the_same_sound(lease, "gold")

    def queries(each: Lease, address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            content_of(signed_in(each.annotator).get(address))
        return len(captured)

    for one, other in zip(addresses(lease), addresses(check), strict=True):
        queries(lease, one)
        queries(check, other)
        assert queries(lease, one) == queries(check, other), one


@pytest.mark.parametrize("name", READS)
def test_a_checks_treated_side_answers_as_fast_as_its_other_one(lease, name):
    check = check_of_the_same_sound(lease, "spoken_check")
    client = signed_in(check.annotator)

    def ask(side: str) -> None:
        address = reverse(f"annotation:{name}", args=[check.key, side])
        content_of(client.get(address, headers={"Range": "bytes=0-99999"}))

    for side in SIDES:
        ask(side)
    taken = durations(ask, each=60)

    assert not medians_differ(taken["left"], taken["right"], bound=0.15), {
        side: statistics.median(each) for side, each in taken.items()
    }


@pytest.mark.parametrize("kind", ["gold", "identical", "spoken_check"])
def test_a_lease_lasts_so_many_times_what_the_page_shows_in_a_check_too(kind):
    """Else seconds left over the factor, less the durations shown, told what was said in late, or longer pauses."""
    made = check_of_longer_sound(kind)
    now = timezone.now()

    lease = make_lease(made, at=now)

    shown = sum(scene_of(lease, side, with_text=False)["duration"] for side in SIDES)
    assert abs(shown - made.seconds) > 0.1
    assert (lease.expires_at - now).total_seconds() == math.ceil(3 * shown)
    assert lease_data(lease)["expires_at"] - now == timedelta(seconds=math.ceil(3 * shown))
    assert listening_state(lease, at=now)["seconds_left"] == math.ceil(3 * shown)


def test_a_pair_is_long_by_what_is_played_in_a_check_too(monkeypatch):
    made = check_of_longer_sound("spoken_check")
    monkeypatch.setattr("annotation.views.listening.LONG_PAIR_SECONDS", made.seconds + 5)
    lease = lent(made)

    assert signed_in(lease.annotator).get(reverse("annotation:room", args=[lease.key])).context["is_long"]


def check_of_longer_sound(kind: str) -> Pair:
    """Two sides of three minutes; the second has 12 s more, or, where both are one, other pauses."""
    scenario = make_scenario()
    speech_of_both = [[start, start + 5.0] for start in range(0, 174, 6)]
    one, other = (make_dialogue(scenario, seconds=180.0, speech=speech_of_both) for _each in range(2))
    sound = {"sha256": "0" * 64, "size_bytes": 1, "sample_rate": RATE, "peaks_sha256": "0" * 64}
    treatment = {"letter": "b", "changes": [[150.0, 12.0]], "inserted": [[150.1, 161.9]], "sound": sound}
    is_same = kind == "identical"
    return make_pair(
        make_study(**STUDY),
        scenario=scenario,
        kind=kind,
        dialogue_a=one,
        dialogue_b=one if is_same else other,
        expected_value=None if is_same else 3,
        treatment={} if is_same else treatment,
    )
