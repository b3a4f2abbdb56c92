"""The bytes a Range request gets: against RFC 9110, for every header a browser, or nobody, would send."""

import pytest
from django.http import Http404
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from annotation.views.sound import BLOCK_BYTES, LONGEST_ANSWER_BYTES, asked_range, send_range
from earshot.jobs import artefacts

SOUND = bytes(range(256)) * 10


@pytest.fixture(scope="module")
def sound() -> str:
    return artefacts.put_bytes(SOUND)


def ask(sha256: str, byte_range: str | None = None, method: str = "GET", content: bytes = SOUND, **options):
    headers = dict(options.pop("headers", {}))
    if byte_range is not None:
        headers["Range"] = byte_range
    request = RequestFactory().generic(method, "/sound", headers=headers)
    return send_range(request, sha256, content_type="audio/wav", size=len(content), **options)


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def test_sound_without_range_comes_whole(sound):
    response = ask(sound)

    assert response.status_code == 200
    assert body(response) == SOUND
    assert dict(response.headers) == {
        "Content-Type": "audio/wav",
        "Content-Length": "2560",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, 2559),
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=2559-", 2559, 2559),
        ("bytes=2000-99999999999999999999999999999999", 2000, 2559),
        ("bytes=-1", 2559, 2559),
        ("bytes=-9999999", 0, 2559),
        ("Bytes = 5 - 6 ", 5, 6),
    ],
)
def test_one_range_comes_exactly(sound, asked, first, last):
    response = ask(sound, asked)

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/2560"
    assert response["Content-Length"] == str(last - first + 1)
    assert body(response) == SOUND[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=2560-", "bytes=2560-2600", "bytes=-0", "bytes=99999999999999999999-"])
def test_range_behind_the_end_is_refused_with_the_size(sound, asked):
    response = ask(sound, asked)

    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */2560"
    assert response.content == b""


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes=--1",
     "bytes=1 2-3", "bytes=٣-٤", "bytes=0x1-0x2", "bytes=1.0-2", "bytes=+1-2"],
)  # fmt: skip
def test_malformed_or_multiple_range_gets_the_whole_sound(sound, asked):
    response = ask(sound, asked.encode("utf-8").decode("latin-1"))

    assert response.status_code == 200
    assert body(response) == SOUND


def test_if_range_matches_nothing_as_no_validator_is_ever_sent(sound):
    response = ask(sound, "bytes=5-6", headers={"If-Range": '"any"'})

    assert response.status_code == 200
    assert body(response) == SOUND


def test_head_has_the_headers_and_no_body(sound):
    response = ask(sound, "bytes=10-19", method="HEAD")

    assert (response.status_code, response["Content-Length"], body(response)) == (206, "10", b"")
    assert response["Content-Range"] == "bytes 10-19/2560"


def test_no_answer_carries_a_validator_or_a_name(sound):
    for asked in (None, "bytes=0-9", "bytes=9999-"):
        headers = {name.lower() for name in ask(sound, asked).headers}
        assert headers.isdisjoint({"etag", "last-modified", "content-disposition", "expires"})


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=5-3000000", "bytes=-2999995"])
def test_long_range_is_answered_in_pieces_so_that_a_paused_player_holds_no_thread(asked):
    content = bytes(3_000_000)

    response = ask(artefacts.put_bytes(content), asked, content=content)

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 5-{5 + LONGEST_ANSWER_BYTES - 1}/3000000"
    assert len(body(response)) == int(response["Content-Length"]) == LONGEST_ANSWER_BYTES


@pytest.mark.django_db  # the end of an answer looks after the connection
def test_whole_sound_counts_as_delivered_block_by_block_as_it_is_taken():
    content = bytes(2 * BLOCK_BYTES + 10)
    told: list[tuple[int, int]] = []
    response = ask(artefacts.put_bytes(content), content=content, delivered=lambda *place: told.append(place))
    blocks = iter(response.streaming_content)

    next(blocks)
    assert told == []  # the first block is handed over, but nobody asked for more yet
    next(blocks)
    assert told == [(0, BLOCK_BYTES)]
    response.close()
    assert told == [(0, BLOCK_BYTES)]  # the browser went away: the second block is not counted


def test_range_counts_as_delivered_once_and_only_as_far_as_it_is_sent():
    content = bytes(3_000_000)
    told: list[tuple[int, int]] = []

    response = ask(
        artefacts.put_bytes(content), "bytes=5-", content=content, delivered=lambda *place: told.append(place)
    )

    assert len(body(response)) == LONGEST_ANSWER_BYTES
    assert told == [(5, 5 + LONGEST_ANSWER_BYTES)]


def test_missing_sound_counts_as_nothing(sound):
    told: list[tuple[int, int]] = []

    with pytest.raises(Http404):
        ask("0" * 64, "bytes=0-", delivered=lambda *place: told.append(place))

    assert told == []


def test_all_blocks_are_reported_once_when_the_sound_was_taken_whole(sound):
    told: list[tuple[int, int]] = []

    body(ask(sound, delivered=lambda *place: told.append(place)))

    assert told == [(0, 2560)]


def test_head_and_refusal_report_nothing_as_delivered(sound):
    told: list[tuple[int, int]] = []

    body(ask(sound, "bytes=0-9", method="HEAD", delivered=lambda *place: told.append(place)))
    ask(sound, "bytes=9999-", delivered=lambda *place: told.append(place))

    assert told == []


def test_nginx_sends_the_bytes_where_a_prefix_is_set(sound, settings):
    settings.ACCEL_REDIRECT_PREFIX = "/artefacts/"
    told: list[tuple[int, int]] = []

    response = ask(sound, "bytes=10-19", delivered=lambda *place: told.append(place))

    assert response.status_code == 200
    assert response["X-Accel-Redirect"] == f"/artefacts/{sound[:2]}/{sound[2:]}"
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Store-Range"] == "bytes=10-19"
    assert response.content == b""
    assert told == [(10, 20)]


def test_nginx_is_told_how_much_to_send_and_no_more_counts_as_delivered(settings):
    settings.ACCEL_REDIRECT_PREFIX = "/artefacts/"
    content = bytes(3_000_000)
    told: list[tuple[int, int]] = []

    response = ask(
        artefacts.put_bytes(content), "bytes=5-", content=content, delivered=lambda *place: told.append(place)
    )

    assert response["X-Store-Range"] == f"bytes=5-{5 + LONGEST_ANSWER_BYTES - 1}"
    assert told == [(5, 5 + LONGEST_ANSWER_BYTES)]


def test_a_download_that_nobody_records_is_left_to_nginx_whole(sound, settings):
    settings.ACCEL_REDIRECT_PREFIX = "/artefacts/"

    response = ask(sound)

    assert response["X-Accel-Redirect"] == f"/artefacts/{sound[:2]}/{sound[2:]}"
    assert "X-Store-Range" not in response.headers


def test_a_whole_sound_whose_delivery_is_recorded_is_never_left_to_nginx(sound, settings):
    settings.ACCEL_REDIRECT_PREFIX = "/artefacts/"
    told: list[tuple[int, int]] = []

    response = ask(sound, delivered=lambda *place: told.append(place))

    assert "X-Accel-Redirect" not in response.headers
    assert told == []  # nobody took a byte yet
    assert (body(response), told) == (SOUND, [(0, 2560)])


def test_missing_artefact_is_not_found(sound):
    with pytest.raises(Http404, match="missing from the store"):
        ask("0" * 64)


def test_empty_sound_satisfies_no_range():
    empty = artefacts.put_bytes(b"")

    assert ask(empty, "bytes=0-", content=b"").status_code == 416
    assert ask(empty, content=b"").status_code == 200


def test_artefact_shorter_than_its_row_says_breaks_the_answer_off(sound):
    response = ask(sound, content=SOUND + b"more")

    with pytest.raises(OSError, match="ends at byte 2560"):
        body(response)


header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
near_header = st.lists(
    st.sampled_from(["bytes", "=", "-", ",", " ", "0", "7", "2559", "2560", "9" * 30, "\t"]), max_size=8
).map("".join)


@given(header=header_text | near_header, size=st.integers(0, 5000))
def test_any_header_gets_a_range_inside_the_file_or_a_refusal(header, size):
    request = RequestFactory().get("/sound", headers={"Range": header})

    try:
        asked = asked_range(request, size)
    except ValueError:
        return

    assert 0 <= asked.start <= asked.end <= size
    assert asked.is_partial or asked.length == size
    assert asked.length > 0 or size == 0


@given(size=st.integers(1, 5000), first=st.integers(0, 5000), last=st.integers(0, 5000))
def test_closed_range_is_what_slicing_gives(size, first, last):
    content = bytes(size)
    request = RequestFactory().get("/sound", headers={"Range": f"bytes={first}-{last}"})

    try:
        asked = asked_range(request, size)
    except ValueError:
        assert content[first : last + 1] == b""
        return

    expected = content if last < first else content[first : last + 1]
    assert asked.length == len(expected)
