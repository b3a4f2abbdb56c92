"""The pages of becoming an annotator, each with its stranger; nothing on them tells an answer."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Attempt, Consent, Heartbeat, ListeningLog, Step, Study, TrialAnswer
from annotation.queries.home import Agreement, agreement_with_gold
from annotation.services import boards
from annotation.services.qualification import attempts, consent
from annotation.services.qualification.trials import trials_of
from annotation.services.snapshots import default_filter, rows
from annotation.services.snapshots.identity import Names
from tests.annotation.entering import make_consenting, make_entry_study, make_qualified, passed, right_answer, take
from tests.annotation.judged import judge, make_judged_study, make_snapshot
from tests.annotation.test_study_pages import study_fields
from tests.factories import NOW, join, make_lease, make_pair, make_study, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def begun(step=Step.CHANNELS, **fields):
    """An attempt at the step that is begun, and its person's browser."""
    study = make_entry_study(**fields)
    user = make_consenting(study)
    client = signed_in(user)
    now = timezone.now() + HOUR  # after the sign-in
    for before in list(Step)[: list(Step).index(step)]:
        passed(user, study, before, at=now)
    return attempts.begin(user, study, step, at=now), client


def pages_of(study) -> list[str]:
    return [
        page("entry", study.pk),
        page("consent", study.pk),
        page("withdraw_consent", study.pk),
        page("entry_step", study.pk, "channels"),
        page("step_example", study.pk, "channels", 0),
    ]


def changes_of(study) -> list[str]:
    return [page("consent", study.pk), page("withdraw_consent", study.pk), page("begin_step", study.pk, "channels")]


def test_who_does_not_belong_to_the_study_finds_none_of_its_steps():
    study = make_entry_study()
    stranger = signed_in(make_user())

    assert {stranger.get(address).status_code for address in pages_of(study)} == {404}
    assert {stranger.post(address).status_code for address in changes_of(study)} == {404}
    assert (Consent.objects.count(), Attempt.objects.count()) == (0, 0)


def test_who_is_not_signed_in_is_sent_to_the_sign_in():
    study = make_entry_study()
    attempt, _client = begun()
    addresses = [
        *pages_of(study),
        page("attempt", attempt.key),
        page("stimulus", attempt.key, 0, 0),
        page("time_sheet"),
    ]

    answers = [Client().get(address) for address in addresses]

    assert {(each.status_code, each["Location"].split("?")[0]) for each in answers} == {(302, "/account/login/")}


def test_an_attempt_is_there_for_its_own_person_alone():
    attempt, _client = begun()
    member = signed_in(make_consenting(attempt.study))
    researcher, admin = signed_in(make_user("researcher")), signed_in(make_user("admin"))

    for stranger in (member, researcher, admin):
        reads = [page("attempt", attempt.key), page("stimulus", attempt.key, 0, 0)]
        assert {stranger.get(address).status_code for address in reads} == {404}
        assert stranger.post(page("answer_trial", attempt.key, 0), {"answer": "left"}).status_code == 404
    assert not TrialAnswer.objects.exists()


@pytest.mark.parametrize("key", ["guessed", "x" * 33, "a%00b"])
def test_an_attempt_that_nobody_began_is_not_there(key):
    client = signed_in(make_user())

    assert client.get(f"/enter/attempts/{key}/").status_code == 404
    assert client.get(f"/enter/attempts/{key}/0/0").status_code == 404


@pytest.mark.parametrize("step", ["nonsense", "gold"])
def test_a_step_that_the_study_does_not_ask_for_is_not_there(step):
    study = make_entry_study("device")
    client = signed_in(make_consenting(study))

    assert client.get(page("entry_step", study.pk, step)).status_code == 404
    assert client.get(page("step_example", study.pk, step, 0)).status_code == 404


def read_in(html: str) -> dict[str, str]:
    """What the consent page sends back: the words that were read."""
    return dict(re.findall(r'name="(read)" value="(\w+)"', html))


def test_who_agrees_to_words_that_were_changed_meanwhile_reads_the_new_ones_first():
    study = make_entry_study(consent_text="We keep your answers.")
    client = signed_in(join(study))
    old = read_in(client.get(page("consent", study.pk)).content.decode())
    Study.objects.update(consent_text="We keep your answers for ten years.")

    html = client.post(page("consent", study.pk), old, follow=True).content.decode()

    assert not Consent.objects.exists()
    assert "The words have changed since you opened this page." in html
    client.post(page("consent", study.pk), read_in(html))
    assert Consent.objects.get().text == "We keep your answers for ten years."


def test_agreeing_without_having_opened_the_page_is_no_consent():
    study = make_entry_study()

    signed_in(join(study)).post(page("consent", study.pk))

    assert not Consent.objects.exists()


def test_the_way_from_consent_to_the_first_step():
    study = make_entry_study()
    user = join(study)
    client = signed_in(user)

    assert page("consent", study.pk) in client.get(page("entry", study.pk)).content.decode()
    words = client.get(page("consent", study.pk)).content.decode()
    assert "Taking part is voluntary." in words
    client.post(page("consent", study.pk), read_in(words))
    assert Consent.objects.get(user=user).text.startswith("You listen to pairs of spoken dialogues")
    assert page("entry_step", study.pk, "channels") in client.get(page("entry", study.pk)).content.decode()
    response = client.post(page("begin_step", study.pk, "channels"))
    attempt = Attempt.objects.get(user=user)
    assert response["Location"] == page("attempt", attempt.key)
    assert "1 of 5" in client.get(response["Location"]).content.decode()


def test_a_whole_step_through_the_pages_ends_with_its_verdict():
    attempt, client = begun()
    for number in range(5):
        client.post(page("answer_trial", attempt.key, number), {"answer": right_answer(attempt, number)})

    html = client.get(page("attempt", attempt.key)).content.decode()

    attempt.refresh_from_db()
    assert (attempt.passed, attempt.n_right) == (True, 5)
    assert "5 of 5 were right." in html
    assert "Next: Headphones" in html


def test_a_failed_step_says_why_and_when_to_try_again():
    attempt, client = begun()
    take(attempt, n_right=1, at=timezone.now())

    html = client.get(page("attempt", attempt.key)).content.decode()
    step = client.get(page("entry_step", attempt.study_id, "channels")).content.decode()

    for words in (html, step):
        assert "1 of 5 were right; 4 are needed." in words
        assert "left and right are swapped" in words
        assert "You can try again, with other sounds," in words
    assert "begin" not in re.findall(r'action="([^"]*)"', step)


@pytest.mark.parametrize("step", list(Step))
def test_no_page_of_a_trial_tells_its_answer_or_its_seed(step):
    attempt, client = begun(step)
    trial = trials_of(attempt)[0]

    html = client.get(page("attempt", attempt.key)).content.decode()

    addresses = re.findall(r'data-sound="([^"]+)"', html)
    assert addresses == [page("stimulus", attempt.key, 0, part) for part in range(len(trial.sounds))]
    for secret in (
        str(attempt.seed),
        *(sound.stimulus.name for sound in trial.sounds),
        trial.explanation or "is_right",
    ):
        assert secret not in html


@pytest.mark.parametrize("step", list(Step))
def test_a_sound_comes_without_name_or_validator_and_is_kept_by_nobody(step):
    attempt, client = begun(step)

    response = client.get(page("stimulus", attempt.key, 0, 0))

    assert response.status_code == 200
    assert response["Content-Type"] == "audio/wav"
    assert response["Cache-Control"] == "private, no-store"
    assert response.content[:4] == b"RIFF"
    assert not {"ETag", "Last-Modified", "Content-Disposition"} & set(response.headers)
    assert client.get(page("stimulus", attempt.key, 0, 9)).status_code == 404


def test_only_the_sound_of_the_present_trial_is_given():
    attempt, client = begun(Step.HEADPHONES)
    assert client.get(page("stimulus", attempt.key, 1, 0)).status_code == 404

    attempts.answer(attempt, 0, "1", at=timezone.now())

    assert client.get(page("stimulus", attempt.key, 0, 0)).status_code == 404
    assert client.get(page("stimulus", attempt.key, 1, 0)).status_code == 200
    assert client.get(page("stimulus", attempt.key, 6, 0)).status_code == 404


def test_the_training_tells_after_each_answer_and_lets_both_be_heard_again():
    attempt, client = begun(Step.TRAINING)
    trial = trials_of(attempt)[0]

    response = client.post(page("answer_trial", attempt.key, 0), {"answer": "0"})
    html = client.get(response["Location"]).content.decode()

    assert f"The answer is: {trial.right_words}." in html
    assert client.get(page("stimulus", attempt.key, 0, 1)).status_code == 200
    ahead = client.get(f"{page('attempt', attempt.key)}?told=1").content.decode()
    assert "The answer is" not in ahead


def test_the_training_explains_in_the_readers_language_what_was_said_in_the_studys():
    attempt, client = begun(Step.TRAINING, language="en")
    client.cookies["django_language"] = "ja"

    response = client.post(page("answer_trial", attempt.key, 0), {"answer": "0"})
    html = client.get(response["Location"]).content.decode()

    assert "よいほうでは「何を見たと思いますか」で声が上がり" in html
    assert "In the better one" not in html


@pytest.mark.parametrize(("typed", "n_kept"), [("12", 0), ("1 2", 0), ("1234", 0), ("1 2 3", 1), ("１２３", 1)])
def test_only_three_digits_are_an_answer_to_three_digits(typed, n_kept):
    attempt, client = begun(Step.DIGITS)

    html = client.post(page("answer_trial", attempt.key, 0), {"answer": typed}, follow=True).content.decode()

    assert attempt.answers.count() == n_kept
    assert ("Type three digits. Guess those you missed." in html) == (n_kept == 0)


def test_the_test_pairs_tell_nothing():
    attempt, client = begun(Step.GOLD)

    response = client.post(page("answer_trial", attempt.key, 0), {"answer": "0"})
    html = client.get(f"{page('attempt', attempt.key)}?told=0").content.decode()

    assert response["Location"] == page("attempt", attempt.key)
    assert "The answer is" not in html


@pytest.mark.parametrize("answer", ["", "behind", "\0", "4" * 300])
def test_an_answer_that_is_none_changes_nothing_and_says_so(answer):
    attempt, client = begun()

    response = client.post(page("answer_trial", attempt.key, 0), {"answer": answer}, follow=True)

    assert "Give one of the answers that are offered." in response.content.decode()
    assert not TrialAnswer.objects.exists()


@pytest.mark.parametrize(("simulated", "asked"), [({}, "full"), ({"is_simulated": "on"}, "none")])
def test_a_study_made_in_the_form_asks_for_everything_unless_it_is_simulated(simulated, asked):
    signed_in(make_user("researcher")).post(page("new_study"), study_fields(**simulated))

    assert Study.objects.get().entry == asked


# --- Consent taken back -----------------------------------------------------------------------------------------------


def test_the_page_says_what_withdrawing_means_and_does_it():
    study = make_entry_study()
    user = make_qualified(study)
    client = signed_in(user)

    words = client.get(page("withdraw_consent", study.pk)).content.decode()
    client.post(page("withdraw_consent", study.pk))

    assert "stay in data sets that were already made" in words
    assert "left out of every later data set" in words
    assert Consent.objects.get().withdrawn_at is not None
    assert "You withdrew your consent" in client.get(page("work")).content.decode()


@pytest.mark.parametrize("how", ["finished", "removed"])
def test_consent_can_be_taken_back_when_the_study_is_over_or_was_left(how):
    study = make_entry_study()
    user = make_consenting(study)
    if how == "finished":
        type(study).objects.update(state="finished")
    else:
        study.memberships.all().delete()
    client = signed_in(user)

    assert page("withdraw_consent", study.pk) in client.get(page("work")).content.decode()
    client.post(page("withdraw_consent", study.pk))

    assert Consent.objects.get().withdrawn_at is not None
    assert page("withdraw_consent", study.pk) not in client.get(page("work")).content.decode()


def test_judgments_of_who_withdrew_are_left_out_of_boards_and_of_new_snapshots_only():
    study = make_judged_study(n_pairs=1, n_raters=1)
    gone = join(study)
    consent.give_consent(gone, study, at=NOW)
    judge(study.pairs.get(), -3, annotator=gone)
    before = make_snapshot(study)
    assert (before.counts["in"], boards.study_board(study).n_judgments) == (2, 2)

    consent.withdraw_consent(gone, study, at=NOW)

    after = make_snapshot(study, name="second")
    before.refresh_from_db()
    assert (after.counts["in"], after.counts["out"]) == (1, {"consent withdrawn": 1})
    assert before.counts["in"] == 2
    assert boards.study_board(study).n_judgments == 1
    assert boards.study_board(study).overall.rows[0].cmos == 1.0


def test_who_agrees_again_counts_again():
    study = make_judged_study(n_pairs=1, n_raters=1)
    user = study.memberships.get(role="annotator").user
    consent.give_consent(user, study, at=NOW)
    consent.withdraw_consent(user, study, at=NOW)
    assert boards.study_board(study).n_judgments == 0

    consent.give_consent(user, study, at=NOW + HOUR)

    assert boards.study_board(study).n_judgments == 1


def test_withdrawing_from_one_study_leaves_the_others_as_they_are():
    study, other = make_judged_study(n_pairs=1, n_raters=1), make_study()
    user = study.memberships.get(role="annotator").user
    consent.give_consent(user, other, at=NOW)

    consent.withdraw_consent(user, other, at=NOW)

    assert boards.study_board(study).n_judgments == 1


def rows_of(study):
    selection = rows.select(study, default_filter(study).resolved(study), Names(study), as_of=NOW)
    return list(rows.judgment_rows(selection))


@pytest.mark.parametrize(
    ("hours_before", "is_passed", "told"),
    [(1, True, "passed"), (1, False, "failed"), (13, True, "unknown"), (-1, True, "unknown")],
)
def test_a_snapshot_tells_whether_headphones_were_checked_for_the_judgment(hours_before, is_passed, told):
    study = make_judged_study(n_pairs=1, n_raters=1)
    user = study.memberships.get(role="annotator").user
    passed(user, study, Step.HEADPHONES, at=NOW - hours_before * HOUR, is_passed=is_passed)

    assert [row.headphones for row in rows_of(study)] == [told]


# --- Home -------------------------------------------------------------------------------------------------------------


def work_of(user) -> str:
    return signed_in(user).get(page("work")).content.decode()


def test_the_work_page_leads_to_what_is_missing_and_lends_nothing_meanwhile():
    study = make_entry_study()
    user = join(study)

    html = work_of(user)

    assert f'href="{page("entry", study.pk)}" data-key="n"' in html
    assert page("next_pair", study.pk) not in html


def test_the_work_page_of_who_is_ready_lends_and_says_until_when():
    study = make_entry_study()
    user = make_qualified(study, at=timezone.now() + HOUR)

    html = work_of(user)

    assert page("next_pair", study.pk) in html
    assert "Ready. Headphones and volume are checked again" in html


def beat(lease, seconds, at, number=1):
    Heartbeat.objects.create(
        lease=lease, sequence=number, side="left", media_time=1.0, received_at=at, credited_seconds=seconds
    )
    log, _is_new = ListeningLog.objects.get_or_create(lease=lease, side="left")
    ListeningLog.objects.filter(pk=log.pk).update(seconds_played=log.seconds_played + seconds)
    lease.last_heartbeat_at = max(at, lease.last_heartbeat_at or at)
    lease.save(update_fields=["last_heartbeat_at"])


def test_the_work_page_adds_up_the_time_listened():
    lease = make_lease(make_pair(make_study(listening_policy="recorded")))
    now = timezone.now()
    beat(lease, 70.0, now, 1)
    beat(lease, 100.0, now - timedelta(days=3), 2)
    beat(lease, 1000.0, now - timedelta(days=30), 3)

    html = " ".join(work_of(lease.annotator).split())

    figures = re.findall(r"<dt>(Listened today|In the last 7 days|In all)</dt><dd>([\d:]+)", html)
    assert figures == [("Listened today", "1:10"), ("In the last 7 days", "2:50"), ("In all", "19:30")]


def test_the_sheet_for_pay_has_a_row_per_day_and_study_and_nobody_elses():
    study = make_study(title="=Tea", listening_policy="recorded")
    lease = make_lease(make_pair(study))
    user, day = lease.annotator, timedelta(days=1)
    beat(lease, 12.5, NOW - day, 1)
    beat(lease, 30.0, NOW, 2)
    judge(make_pair(make_study(title="Rain")), annotator=user)
    judge(make_pair(make_study(title="Not mine")))

    response = signed_in(user).get(page("time_sheet"))

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(response.content.decode()))) == [
        ["date", "study", "pairs", "seconds_listened", "judging_seconds"],
        ["2026-11-22", "'=Tea", "0", "12.5", "0.0"],
        ["2026-11-23", "'=Tea", "0", "30.0", "0.0"],
        ["2026-11-23", "Rain", "1", "0.0", "0.0"],
    ]


@pytest.mark.parametrize(("shows", "is_there"), [(True, True), (False, False)])
def test_agreement_with_gold_is_shown_where_the_study_allows_it(shows, is_there):
    study = make_entry_study(shows_agreement=shows)
    user = make_consenting(study)
    passed(user, study, Step.GOLD, n_right=3)

    html = " ".join(work_of(user).split())

    assert ("<dd>3 <small>of 4 gold pairs</small></dd>" in html) is is_there


def gold_judgment(study, user, *, verdict, at):
    judgment = judge(make_pair(study, kind="gold", expected_value=3), annotator=user, at=at)
    judgment.quality.checks = {"gold": [verdict, "known"]}
    judgment.quality.save()


def test_the_agreement_tells_of_no_judgment_that_can_still_be_undone_or_is_of_today():
    """A number that moves with a submit would say which pair was a check, and what its answer was."""
    study = make_study(shows_agreement=True)
    user, midnight = join(study), NOW.replace(hour=0, minute=0)
    gold_judgment(study, user, verdict="pass", at=midnight - timedelta(minutes=11))
    gold_judgment(study, user, verdict="fail", at=midnight - timedelta(minutes=9))
    gold_judgment(study, user, verdict="fail", at=midnight + HOUR)

    assert agreement_with_gold(user, [study], at=midnight + 2 * HOUR) == Agreement(n_right=1, n_gold=1)
    assert agreement_with_gold(user, [study], at=midnight + 25 * HOUR) == Agreement(n_right=1, n_gold=3)


def test_more_studies_cost_the_work_page_no_more_queries():
    user = make_qualified(make_entry_study())
    client = signed_in(user)
    with CaptureQueriesContext(connection) as one:
        client.get(page("work"))
    for _each in range(2):
        make_consenting(make_entry_study(shows_agreement=False), user=user)
    with CaptureQueriesContext(connection) as three:
        client.get(page("work"))

    assert len(three) == len(one)
