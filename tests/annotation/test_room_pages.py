"""The annotator's pages: work, room, history; each with its stranger, and blind to who spoke."""

import re

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import trans_real

from annotation.forms.listening import SkipForm
from annotation.models import Judgment, Lease, ListeningLog, Membership, Rendition, Study
from annotation.queries.listening import questions_for, scene_of
from annotation.services import judgments, leases
from earshot.accounts.models import Role
from earshot.acoustics.peaks import make_peaks
from earshot.jobs import artefacts
from tests.factories import answer, join, make_dialogue, make_pair, make_scenario, make_study, make_system, make_user
from tests.platform_floor.marked_language import marked_language

pytestmark = pytest.mark.django_db
SECRETS = (
    "sys-north",
    "sys-south",
    "voice-north",
    "voice-south",
    "dlg-north",
    "dlg-south",
    "because of north",
    "0.125",
)


def secret_dialogue(scenario, name: str):
    """A dialogue full of what an annotator must not learn, with real bytes."""
    sound = b"RIFF" + bytes(40) + name.encode() * 10 + bytes(48_000)
    sha256 = artefacts.put_bytes(sound)
    dialogue = make_dialogue(
        scenario,
        make_system(f"sys-{name}"),
        dialogue_id=f"dlg-{name}",
        master_sha256=sha256,
        peaks_sha256=artefacts.put_bytes(make_peaks(np.zeros(24_000, np.float32), 24_000).to_bytes()),
        meta={"temperature": 0.125},
    )
    Rendition.objects.filter(dialogue=dialogue).update(size_bytes=len(sound))
    dialogue.turns.filter(role="assistant").update(speaker=f"voice-{name}", reasoning=f"because of {name}")
    dialogue.turns.update(text="Good morning.")
    return dialogue


def lent(*, policy: str = "recorded", annotator=None, state: str = "live", **fields) -> Lease:
    """A lease on a pair full of secrets."""
    scenario = make_scenario()
    study = make_study(listening_policy=policy, **fields)
    pair = make_pair(
        study,
        scenario=scenario,
        dialogue_a=secret_dialogue(scenario, "north"),
        dialogue_b=secret_dialogue(scenario, "south"),
    )
    now = timezone.now()
    lease = leases.take(pair, join(study, annotator), probability=1.0, at=now)
    return leases.open_lease(lease, at=now) if state == "live" else lease


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def reads(lease: Lease) -> list[str]:
    sides = [
        reverse(f"annotation:lease_{what}", args=[lease.key, side])
        for what in ("sound", "peaks", "turns")
        for side in ("left", "right")
    ]
    return [reverse("annotation:room", args=[lease.key]), *sides]


def writes(lease: Lease) -> list[str]:
    return [reverse(f"annotation:{name}", args=[lease.key]) for name in ("heartbeat", "submit", "skip", "undo")]


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RESEARCHER, Role.ADMIN])
def test_a_lease_is_there_for_nobody_but_its_annotator(role):
    lease = lent()
    stranger = make_user(role)
    join(lease.pair.study, stranger)
    client = signed_in(stranger)

    assert {client.get(address).status_code for address in reads(lease)} == {404}
    assert {client.post(address, content_type="application/json").status_code for address in writes(lease)} == {404}
    draft = reverse("annotation:draft", args=[lease.key])
    assert client.patch(draft, {"confidence": 3}, content_type="application/json").status_code == 404
    lease.refresh_from_db()
    assert (lease.state, hasattr(lease, "judgment")) == (Lease.State.LIVE, False)


def test_a_guessed_key_is_not_there():
    lease = lent()
    client = signed_in(lease.annotator)

    for key in ("A" * 22, lease.key[:-1], lease.key.swapcase(), "A" * 500):
        assert client.get(reverse("annotation:room", args=[key])).status_code == 404, key


def test_who_is_not_signed_in_is_asked_to(client):
    lease = lent()
    pages = [reverse("annotation:work"), reverse("annotation:history")]
    pages += [address for address in reads(lease) if not address.endswith("/turns")]

    for address in pages:
        response = client.get(address)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, reverse("account_login")), address
    assert [client.post(address).status_code for address in writes(lease)] == [403, 403, 302, 302]
    assert client.get(reads(lease)[-1]).status_code == 403


@pytest.mark.parametrize("transcript", ["always", "never", "after_first_listen"])
def test_nothing_that_reaches_an_annotator_tells_who_spoke(transcript):
    lease = lent(transcript_policy=transcript)
    client = signed_in(lease.annotator)
    hashes = [dialogue.master_sha256 for dialogue in (lease.pair.dialogue_a, lease.pair.dialogue_b)]
    hashes += [dialogue.peaks_sha256 for dialogue in (lease.pair.dialogue_a, lease.pair.dialogue_b)]

    addresses = [address for address in reads(lease) if not address.endswith("/sound")]
    answers = [client.get(address) for address in [*addresses, reverse("annotation:work")]]
    beat = {"sequence": 1, "side": "left", "played": [], "media_time": 0}
    answers.append(client.post(writes(lease)[0], beat, content_type="application/json"))

    for response in answers:
        assert response.status_code == 200
        said = response.content.decode(errors="replace") + str(sorted(response.headers.items()))
        assert [secret for secret in (*SECRETS, *hashes) if secret in said] == []


def test_the_sides_differ_in_no_header_but_their_length():
    lease = lent()
    client = signed_in(lease.annotator)

    for what in ("sound", "peaks", "turns"):
        left, right = (
            client.get(reverse(f"annotation:lease_{what}", args=[lease.key, side])) for side in ("left", "right")
        )
        assert {**left.headers, "Content-Length": ""} == {**right.headers, "Content-Length": ""}
        assert left.headers["Cache-Control"] == "private, no-store"
        assert not {"ETag", "Last-Modified", "Content-Disposition", "Expires"} & set(left.headers)


def test_each_side_plays_its_own_dialogue():
    lease = lent()
    client = signed_in(lease.annotator)

    for side in ("left", "right"):
        response = client.get(
            reverse("annotation:lease_sound", args=[lease.key, side]), headers={"Range": "bytes=44-99"}
        )
        name = lease.dialogue(side).dialogue_id.removeprefix("dlg-")
        assert b"".join(response.streaming_content).startswith(name.encode())


def test_delivered_bytes_are_written_down_in_seconds():
    lease = lent()
    address = reverse("annotation:lease_sound", args=[lease.key, "left"])

    response = signed_in(lease.annotator).get(address, headers={"Range": "bytes=0-24043"})

    assert len(b"".join(response.streaming_content)) == 24_044
    log = ListeningLog.objects.get()
    assert (log.side, log.delivered) == ("left", [[0.0, 0.5]])


def test_nothing_is_written_down_where_the_study_says_none():
    lease = lent(policy="none")
    client = signed_in(lease.annotator)

    sound = client.get(reverse("annotation:lease_sound", args=[lease.key, "left"]), headers={"Range": "bytes=0-999"})
    b"".join(sound.streaming_content)

    assert ListeningLog.objects.count() == 0


def test_speakers_go_by_their_role():
    lease = lent()

    names = [turn["speaker"] for turn in scene_of(lease, "left", with_text=False)["turns"]]

    assert names == ["User", "Assistant"]


def test_questions_come_in_an_order_of_each_rater_with_overall_last():
    study = make_study()
    raters = [make_user() for _ in range(30)]

    orders = [tuple(question.key for question in questions_for(rater, study)) for rater in raters]

    assert {order[-1] for order in orders} == {"overall"}
    assert len(set(orders)) > 3
    assert orders == [tuple(question.key for question in questions_for(rater, study)) for rater in raters]


def test_opening_the_room_opens_the_lease():
    lease = lent(state="reserved")

    signed_in(lease.annotator).get(reverse("annotation:room", args=[lease.key]))

    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE


def test_the_room_shows_the_draft_as_it_was_given():
    lease = lent()
    answer(lease, 2, at=timezone.now(), overall=-1)

    page = signed_in(lease.annotator).get(reverse("annotation:room", args=[lease.key])).content.decode()

    checked = re.findall(r'name="([\w-]+)" value="(-?\w+)"[^>]*checked', page)
    assert sorted(checked) == [
        ("confidence", "3"),
        ("score-emotional_continuity", "2"),
        ("score-immersion", "2"),
        ("score-overall", "-1"),
        ("score-prosody", "2"),
    ]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("submitted", "Your judgment is submitted."),
        ("late", "Your judgment came after the time had run out."),
        ("skipped", "You skipped this pair."),
    ],
)
def test_a_closed_room_says_what_became_of_it(state, sentence):
    lease = lent()
    Lease.objects.filter(pk=lease.pk).update(state=state, submitted_at=timezone.now(), skip_reason="It is silent")

    page = signed_in(lease.annotator).get(reverse("annotation:room", args=[lease.key])).content.decode()

    assert sentence in page
    assert "<audio" not in page
    assert {signed_in(lease.annotator).get(address).status_code for address in reads(lease)[1:]} == {404}
    assert ("/undo" in page) == (state == "submitted")


def expired(*, answered: bool, taken: bool = True, **fields) -> Lease:
    """A lease whose time ran out, its one seat given to someone else."""
    lease = lent(overlap=1, **fields)
    if answered:
        answer(lease, 2, at=timezone.now(), overall=-1)
    leases.expire_overdue(at=lease.expires_at)
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())
    if taken:
        assert leases.take(lease.pair, make_user(), probability=1.0, at=timezone.now()) is not None
    return lease


def page_of_expired(lease: Lease) -> str:
    page = signed_in(lease.annotator).get(reverse("annotation:room", args=[lease.key])).content.decode()
    lease.refresh_from_db()
    assert lease.state == Lease.State.EXPIRED
    assert [word for word in ("<audio", "data-play", "/skip", "open by themselves") if word in page] == []
    assert f'href="{reverse("annotation:work")}" data-key="n"' in page
    return page


def test_an_expired_pair_whose_seat_is_taken_can_be_submitted_late_when_all_is_answered():
    lease = expired(answered=True)

    page = page_of_expired(lease)

    assert "others have taken it" in page
    assert "an extra judgment, outside the overlap" in page
    assert f'data-submit-late="{reverse("annotation:submit", args=[lease.key])}"' in page
    assert "much better" not in page
    assert re.findall(r">([AB])</span>\s+(slightly better|better)</li>", page) == [("B", "better")] * 3 + [
        ("A", "slightly better")
    ]


def test_an_expired_pair_with_nothing_answered_speaks_of_no_answers_and_leads_back_to_work():
    page = page_of_expired(expired(answered=False))

    assert "others have taken it" in page
    assert "Nothing more is asked of you here." in page
    assert [word for word in ("answers", "data-submit-late") if word in page] == []


@pytest.mark.parametrize("lack", ["confidence", "a score", "listening", "membership"])
def test_an_expired_draft_that_cannot_be_a_judgment_is_not_offered_for_submitting(lack):
    lease = expired(answered=True, policy="enforced" if lack == "listening" else "recorded")
    if lack == "confidence":
        Judgment.objects.filter(lease=lease).update(confidence=None)
    if lack == "a score":
        lease.judgment.scores.first().delete()
    if lack == "membership":
        Membership.objects.filter(study=lease.pair.study, user=lease.annotator).delete()

    page = page_of_expired(lease)

    assert "Your answers are kept as a draft." in page
    assert "data-submit-late" not in page


def test_an_expired_pair_of_a_resting_study_does_not_speak_of_others():
    lease = expired(answered=False, taken=False)
    Study.objects.filter(pk=lease.pair.study_id).update(state=Study.State.PAUSED)

    page = page_of_expired(lease)

    assert "its study lends no pairs now" in page
    assert "others have taken it" not in page


def test_next_pair_leads_into_a_room():
    pair = make_pair()
    annotator = join(pair.study)

    response = signed_in(annotator).post(reverse("annotation:next_pair", args=[pair.study_id]))

    assert response["Location"] == reverse("annotation:room", args=[Lease.objects.get().key])


@pytest.mark.parametrize("state", [Study.State.PAUSED, Study.State.RUNNING])
def test_next_pair_says_why_there_is_none(state):
    study = make_study()
    Study.objects.filter(pk=study.pk).update(state=state)
    client = signed_in(join(study))

    page = client.post(reverse("annotation:next_pair", args=[study.pk]), follow=True).content.decode()

    assert ("is paused and lends no pairs" if state == "paused" else "No pair of") in page


def test_next_pair_of_a_study_of_others_is_not_there():
    pair = make_pair()

    assert signed_in(make_user()).post(reverse("annotation:next_pair", args=[pair.study_id])).status_code == 404


def test_work_counts_only_pairs_that_are_open_to_this_annotator():
    study = make_study()
    mine, *_others = (make_pair(study) for _ in range(4))
    annotator = join(study)
    lease = leases.take(mine, annotator, probability=1.0, at=timezone.now())

    reserved = signed_in(annotator).get(reverse("annotation:work")).content.decode()
    leases.open_lease(lease, at=timezone.now())
    begun = signed_in(annotator).get(reverse("annotation:work")).content.decode()

    assert "4 pairs wait" in reserved  # one of them reserved: it is not begun
    assert "3 pairs wait" in begun


def test_work_without_a_study_says_what_will_stand_there():
    page = signed_in(make_user()).get(reverse("annotation:work")).content.decode()

    assert "No study yet" in page


def test_a_reason_for_skipping_is_stored_in_one_language_whoever_reads_the_page(monkeypatch):
    """Researchers see how often each was chosen."""
    known = trans_real.translation
    monkeypatch.setattr(trans_real, "translation", lambda code: marked_language(code) if code == "ja" else known(code))
    form = SkipForm({"reason": "sound", "note": "雑音"})
    assert form.is_valid()

    with translation.override("ja"):
        assert translation.gettext("Reason") == "⟦Reason⟧"
        sentence = form.sentence()

    assert sentence == "The sound does not play or is broken: 雑音"


def test_skip_needs_a_reason_and_keeps_it():
    lease = lent()
    client = signed_in(lease.annotator)

    client.post(reverse("annotation:skip", args=[lease.key]))
    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE

    client.post(reverse("annotation:skip", args=[lease.key]), {"reason": "sound", "note": "only noise"})
    lease.refresh_from_db()
    assert (lease.state, lease.skip_reason) == ("skipped", "The sound does not play or is broken: only noise")


def test_undo_leads_back_into_the_room_and_too_late_says_so():
    lease = lent()
    answer(lease, at=timezone.now())
    judgments.submit(lease, at=timezone.now())
    client = signed_in(lease.annotator)

    response = client.post(reverse("annotation:undo", args=[lease.key]))
    lease.refresh_from_db()
    assert (response["Location"], lease.state) == (reverse("annotation:room", args=[lease.key]), Lease.State.LIVE)

    page = client.post(reverse("annotation:undo", args=[lease.key]), follow=True).content.decode()
    assert "can no longer be undone" in page


def test_history_shows_answers_as_they_were_given_and_only_ones_own():
    mine, theirs = lent(), make_user()
    answer(mine, 3, at=timezone.now(), overall=-2)
    judgments.submit(mine, at=timezone.now())

    page = signed_in(mine.annotator).get(reverse("annotation:history")).content.decode()
    other = signed_in(theirs).get(reverse("annotation:history")).content.decode()

    assert page.count("much better") == 3
    assert re.search(r'Overall</span> <span class="side a">A</span>\s+better', page)
    assert "Nothing judged yet" in other
    assert [secret for secret in SECRETS if secret in page] == []


def queries_of(client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert client.get(address).status_code == 200
    return len(caught)


@pytest.mark.parametrize("name", ["work", "history"])
def test_pages_take_as_many_queries_for_three_rows_as_for_one(name):
    annotator = make_user()
    client = signed_in(annotator)
    address = reverse(f"annotation:{name}")

    def one_more() -> None:
        for done in (True, False):
            pair = make_pair()
            lease = leases.take(pair, join(pair.study, annotator), probability=1.0, at=timezone.now())
            leases.open_lease(lease, at=timezone.now())
            answer(lease, at=timezone.now())
            if done:
                judgments.submit(lease, at=timezone.now())

    one_more()
    for_one = queries_of(client, address)
    one_more()
    one_more()

    assert queries_of(client, address) == for_one
