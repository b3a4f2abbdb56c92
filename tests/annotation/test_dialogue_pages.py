"""The catalogue's pages and sounds: for researchers and admins, never for annotators."""

import pytest
from django.urls import reverse

from annotation.models import Dialogue, System
from annotation.services import ingest
from earshot.accounts.models import AuditEntry, Role, User
from earshot.acoustics.peaks import Peaks
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from tests.annotation.manifests import dialogue, scenario, turns, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def bring_in(folder) -> None:
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)


@pytest.fixture
def row(tmp_path) -> Dialogue:
    told = [turn | {"text": f"spoken {turn['text']}", "reasoning": "thought so"} for turn in turns()]
    bring_in(write_folder(tmp_path / "m", [dialogue("d1", turns=told, meta={"seed": 3})]))
    return Dialogue.objects.get()


def user_with(role: str) -> User:
    return User.objects.create_user(f"{role}@lab.example", role=role)


@pytest.fixture
def researcher(client) -> User:
    user = user_with(Role.RESEARCHER)
    client.force_login(user)
    return user


def addresses(row: Dialogue) -> list[str]:
    return [
        reverse("annotation:dialogues"),
        reverse("annotation:dialogue", args=[row.pk]),
        reverse("annotation:dialogue_sound", args=[row.pk]),
        reverse("annotation:dialogue_peaks", args=[row.pk]),
        reverse("annotation:systems"),
    ]


def test_strangers_are_asked_to_sign_in(client, row):
    for address in [*addresses(row), reverse("annotation:edit_system", args=[row.system_id])]:
        response = client.get(address)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, reverse("account_login")), address


def test_annotators_see_nothing_of_the_catalogue(client, row):
    client.force_login(user_with(Role.ANNOTATOR))

    for address in [*addresses(row), reverse("annotation:edit_system", args=[row.system_id])]:
        response = client.get(address)
        assert response.status_code == 403, address
        assert b"base" not in response.content.replace(b"base.css", b"")


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMIN])
def test_researchers_and_admins_see_the_catalogue(client, row, role):
    client.force_login(user_with(role))

    assert [client.get(address).status_code for address in addresses(row)] == [200] * 5


def test_what_is_not_there_is_not_found(client, researcher):
    for name in ("dialogue", "dialogue_sound", "dialogue_peaks"):
        assert client.get(reverse(f"annotation:{name}", args=[12345])).status_code == 404


def test_nothing_can_be_posted_to_reading_pages(client, researcher, row):
    assert [client.post(address).status_code for address in addresses(row)] == [405] * 5


def test_page_shows_turns_levels_and_originals(client, researcher, row):
    page = client.get(reverse("annotation:dialogue", args=[row.pk])).content.decode()

    for words in (
        "spoken turn 3",
        "thought so",
        "The times are estimated",
        "audio/d1.wav",
        "−23.0 LUFS as played",
        "seed",
    ):
        assert words in page
    assert reverse("annotation:dialogue_sound", args=[row.pk]) in page


def test_overlapping_turns_are_said_to_overlap(client, researcher, tmp_path):
    timed = [turn | {"start": 0.5 * n, "end": 0.5 * n + 0.75} for n, turn in enumerate(turns())]
    bring_in(write_folder(tmp_path / "m", [dialogue(turns=timed)]))

    page = client.get(reverse("annotation:dialogue", args=[Dialogue.objects.get().pk])).content.decode()

    assert page.count("0.25 s over the turn before") == 3


def test_sound_is_sent_by_range(client, researcher, row):
    rendition = row.renditions.get()
    with artefacts.open_artefact(rendition.sha256) as file:
        content = file.read()

    response = client.get(reverse("annotation:dialogue_sound", args=[row.pk]), headers={"Range": "bytes=100-199"})

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert response["Content-Type"] == "audio/wav"
    assert b"".join(response.streaming_content) == content[100:200]


def test_peaks_are_those_of_the_sound(client, researcher, row):
    response = client.get(reverse("annotation:dialogue_peaks", args=[row.pk]))

    assert Peaks.from_bytes(response.content).seconds == row.seconds
    assert response["Cache-Control"] == "private, no-store"
    assert "ETag" not in response.headers


def test_missing_peaks_are_not_found(client, researcher, row):
    Dialogue.objects.update(peaks_sha256="0" * 64)

    assert client.get(reverse("annotation:dialogue_peaks", args=[row.pk])).status_code == 404


@pytest.fixture
def catalogue(tmp_path) -> None:
    rows = [
        dialogue("en-base", system="base"),
        dialogue("en-warm", system="warm"),
        dialogue("de-base", scenario_id="s2", turns=[turns(1)[0] | {"text": "Guten Morgen"}]),
    ]
    bring_in(write_folder(tmp_path / "m", rows, [scenario("s1"), scenario("s2", topic="Beschwerde", language="de")]))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"en-base", "en-warm", "de-base"}),
        ("?q=WARM", {"en-warm"}),
        ("?q=beschwerde", {"de-base"}),
        ("?q=guten", {"de-base"}),
        ("?language=en", {"en-base", "en-warm"}),
        ("?scenario=s2", {"de-base"}),
        ("?q=nothing+has+this", set()),
        ("?language=en&q=base", {"en-base"}),
        ("?language=xx", {"en-base", "en-warm", "de-base"}),
        ("?system=99999", {"en-base", "en-warm", "de-base"}),
        ("?system=%00", {"en-base", "en-warm", "de-base"}),
        ("?q=%00", {"en-base", "en-warm", "de-base"}),
    ],
)
def test_list_finds_what_is_asked_for(client, researcher, catalogue, query, found):
    response = client.get(reverse("annotation:dialogues") + query)

    assert {row.dialogue_id for row in response.context["page"].rows} == found


def test_list_filters_by_system(client, researcher, catalogue):
    warm = System.objects.get(name="warm")

    response = client.get(reverse("annotation:dialogues"), {"system": warm.pk})

    assert [row.dialogue_id for row in response.context["page"].rows] == ["en-warm"]


def test_cursor_keeps_the_filter(client, researcher, tmp_path):
    rows = [dialogue(f"d{n:02}", audio="audio/one.wav") for n in range(30)]
    bring_in(write_folder(tmp_path / "m", rows))

    first = client.get(reverse("annotation:dialogues") + "?language=en")

    assert first.context["page"].next_url.startswith("?language=en&after=")
    second = client.get(reverse("annotation:dialogues") + first.context["page"].next_url)
    assert len(first.context["page"].rows) + len(second.context["page"].rows) == 30


def test_empty_catalogue_names_the_one_action(client, researcher):
    page = client.get(reverse("annotation:dialogues")).content.decode()

    assert "No dialogues yet" in page
    assert reverse("annotation:new_import") in page


def test_list_costs_the_same_for_1_and_3_rows(client, researcher, tmp_path, django_assert_num_queries):
    bring_in(write_folder(tmp_path / "m", [dialogue("d1")]))
    with django_assert_num_queries(6):  # session, user, rows, turns, languages, systems
        client.get(reverse("annotation:dialogues"))
    bring_in(write_folder(tmp_path / "n", [dialogue("d2", system="warm"), dialogue("d3")]))
    with django_assert_num_queries(6):
        client.get(reverse("annotation:dialogues"))


def test_systems_cost_the_same_for_1_and_3_rows(client, researcher, django_assert_num_queries):
    System.objects.create(name="one")
    with django_assert_num_queries(3):
        client.get(reverse("annotation:systems"))
    System.objects.create(name="two")
    System.objects.create(name="three")
    with django_assert_num_queries(3):
        client.get(reverse("annotation:systems"))


def test_text_of_a_manifest_is_shown_as_text(client, researcher, tmp_path):
    nasty = "<script>alert(1)</script>"
    rows = [dialogue("d1", system=nasty, meta={nasty: nasty}, turns=[turns(1)[0] | {"text": nasty, "speaker": nasty}])]
    bring_in(write_folder(tmp_path / "m", rows, [scenario(topic=nasty)]))

    for address in [*addresses(Dialogue.objects.get())[:2], reverse("annotation:systems")]:
        assert nasty not in client.get(address).content.decode()


def test_admin_describes_a_system(client, row):
    admin = user_with(Role.ADMIN)
    client.force_login(admin)

    response = client.post(
        reverse("annotation:edit_system", args=[row.system_id]), {"description": "The first voice.", "name": "other"}
    )

    assert response["Location"] == reverse("annotation:systems")
    system = System.objects.get()
    assert (system.name, system.description) == ("base", "The first voice.")
    assert AuditEntry.objects.get(action="system.described").user == admin


def test_researcher_reads_systems_but_cannot_describe_them(client, researcher, row):
    address = reverse("annotation:edit_system", args=[row.system_id])

    assert client.get(address).status_code == 403
    assert client.post(address, {"description": "mine"}).status_code == 403
    assert System.objects.get().description == ""
    assert address not in client.get(reverse("annotation:systems")).content.decode()
