"""Every page that each role can open, in both colour schemes, wide and on a phone: no axe finding, nothing off screen.

The addresses come from the URL patterns, so a new page that nobody walks here is noticed
(`test_no_page_is_left_out_of_the_walk`). A page is loaded once and looked at four times.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from annotation.models import Attempt, Enrolment, Lease, Membership, Step, Study
from annotation.queries.statistics import SECTIONS
from annotation.services import flags, invitations, leases
from annotation.services.qualification import attempts
from annotation.services.qualification.rules import RULES
from annotation.services.snapshots import store_snapshot_job
from earshot.accounts import services as accounts
from earshot.accounts.models import Role, User
from earshot.jobs.models import Job, JobMetric
from policy.models import Speech
from tests.annotation.entering import make_consenting, make_entry_study, make_qualified, right_answer, take
from tests.annotation.judged import judge, make_judged_study, make_snapshot
from tests.annotation.test_every_endpoint import every_address
from tests.browser.axe import OF_COLOUR, violations
from tests.factories import answer, join, make_lease, make_pair, make_study, make_user
from tests.policy.test_policy_pages import finished_round

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
ARRIVES_MS = 150  # what a page fetches of itself after it has loaded or its width has changed: lanes, curves
# Pages that refuse are pages, too; and the factories' dialogues have no bytes.
EXPECTED = ("status of 403", "status of 404", "status of 410", "The waveform of this dialogue answered 404")

# What is at an address but is no page of ours to look at.
FRAGMENTS = {
    "annotation:checks_progress",
    "annotation:preview_rubric",
    "annotation:statistics_freshness",
    "jobs:curves",
    "jobs:progress",
    "jobs:status",
}
FILES = {
    "annotation:check_sound",
    "annotation:dialogue_peaks",
    "annotation:dialogue_sound",
    "annotation:lease_peaks",
    "annotation:lease_sound",
    "annotation:lease_turns",
    "annotation:material",
    "annotation:own_example",
    "annotation:snapshot_download",
    "annotation:statistics_numbers",
    "annotation:statistics_picture",
    "annotation:step_example",
    "annotation:stimulus",
    "annotation:time_sheet",
    "jobs:artefact",
    "jobs:log",
    "jobs:metrics",
    "mfa_download_recovery_codes",
    "policy:policy_download",
    "rewardmodel:run_download",
    "words",
}
FOR_PROGRAMS = {
    "annotation:draft",
    "annotation:heartbeat",
    "annotation:next_pair_data",
    "annotation:reserve_ahead",
    "annotation:submit",
    "health",
}
SENT_ONLY = {  # POST: they lead to one of the pages
    "accounts:invite",
    "accounts:sign_out_everywhere",
    "annotation:answer_trial",
    "annotation:begin_adjudication",
    "annotation:begin_step",
    "annotation:change_study_state",
    "annotation:copy_study",
    "annotation:declare_gold",
    "annotation:flag_pair",
    "annotation:lift_exclusion",
    "annotation:next_pair",
    "annotation:put_back_check",
    "annotation:remove_example",
    "annotation:remove_member",
    "annotation:reopen_flag",
    "annotation:request_adjudication",
    "annotation:resolve_flag",
    "annotation:set_group",
    "annotation:skip",
    "annotation:take_back_adjudication",
    "annotation:take_out_check",
    "annotation:undo",
    "annotation:update_statistics",
    "annotation:withdraw_invitation",
    "jobs:cancel",
    "jobs:retry",
    "set_language",
}
SHOWN_ON_THE_WAY = {  # only in the middle of signing in, or never here: they lead to another page
    "account_confirm_login_code",
    "account_set_password",
    "mfa_authenticate",
}
NO_PAGES = FRAGMENTS | FILES | FOR_PROGRAMS | SENT_ONLY | SHOWN_ON_THE_WAY


@dataclass(frozen=True)
class Walk:
    """Who walks (nobody, for somebody who has not signed in), and the addresses in their order."""

    user: User | None
    addresses: list[str]


def a(name: str, *arguments: object) -> str:
    return reverse(f"annotation:{name}", args=arguments)


def walk_of_a_stranger() -> Walk:
    link = make_link(make_entry_study(title="Tea or coffee"))
    over = make_link(link.study, expires_at=timezone.now() - timedelta(days=1))
    names = ["account_login", "account_signup", "account_inactive", "account_email_verification_sent"]
    names += ["account_reset_password", "account_reset_password_done", "account_reset_password_from_key_done"]
    addresses = [reverse(name) for name in names]
    addresses += [accounts.invitation_path(make_user()), reverse("account_confirm_email", args=["no-such-key"])]
    addresses += [link.get_absolute_url(), f"{link.get_absolute_url()}?participant=P-1", over.get_absolute_url()]
    return Walk(None, [*addresses, "/no/such/page"])


def make_link(study: Study, **fields):
    researcher = make_user(Role.RESEARCHER, name="Rosa")
    Membership.objects.create(study=study, user=researcher, role=Role.RESEARCHER)
    until = timezone.now() + timedelta(days=7)
    return invitations.make_invitation(
        study, by=researcher, **{"note": "students", "max_uses": 5, "expires_at": until, **fields}
    )


def walk_of_an_annotator(pair) -> Walk:
    """A study in every state that its annotator meets."""
    now = timezone.now()
    study = make_entry_study(title="Tea or coffee", completion_code="C-42", instructions="Listen twice.")
    user = make_qualified(study, at=now - timedelta(minutes=1))
    room = make_lease(pair, user, at=now)
    judged = judge(make_pair(study), annotator=user, at=now)
    skipped = make_lease(make_pair(study), user, at=now)
    leases.skip(skipped, reason="the sound is broken", at=now)
    names = ["work", "history"]
    of_study = ["entry", "consent", "withdraw_consent", "entry_done", "take_break"]
    addresses = [reverse("home"), *map(a, names), *(a(name, study.pk) for name in of_study)]
    addresses += [a("entry_step", study.pk, step) for step in Step]
    addresses += [a("room", lease.key) for lease in (room, judged.lease, skipped, expired_lease(user))]
    addresses += [make_link(make_entry_study()).get_absolute_url(), a("studies")]
    return Walk(user, addresses)


def expired_lease(user: User) -> Lease:
    """Answered to the end, and taken by somebody else since."""
    early = timezone.now() - timedelta(hours=1)
    lease = make_lease(make_pair(make_study(overlap=1)), user, at=early)
    answer(lease, at=early)
    leases.expire_overdue(at=timezone.now())
    make_lease(lease.pair, make_user())
    return lease


def walk_of_a_newcomer() -> Walk:
    """Consent not yet given, then each step begun, failed, told and passed."""
    study, asked = make_entry_study(title="Tea or coffee"), make_entry_study(title="Asked for consent")
    user = join(asked, make_consenting(study, at=timezone.now()))
    addresses = [a("work"), a("entry", asked.pk), a("consent", asked.pk), a("entry", study.pk)]
    addresses += [a("entry_step", study.pk, Step.CHANNELS), a("entry_step", study.pk, Step.HEADPHONES)]
    addresses += [a("attempt", begun(user, study, step).key) for step in Step]
    other = make_consenting(study, at=timezone.now())
    failed = take(attempts.begin(other, study, Step.CHANNELS, at=timezone.now()), n_right=0, at=timezone.now())
    Attempt.objects.filter(pk=failed.pk).update(user=user)
    passed = take(begun(other, study, Step.DIGITS), n_right=5, at=timezone.now())
    training = begun(other, study, Step.TRAINING)
    attempts.answer(training, 0, right_answer(training, 0), at=timezone.now())
    Attempt.objects.filter(pk__in=[passed.pk]).update(user=user)
    addresses += [a("attempt", failed.key), a("attempt", passed.key)]
    return Walk(user, addresses)


def begun(user: User, study: Study, step: Step) -> Attempt:
    return Attempt.objects.create(
        user=user, study=study, step=step, language="en", started_at=timezone.now(), n_trials=RULES[step].n_trials
    )


def walk_of_a_crowd_worker() -> Walk:
    """Who has judged what was agreed, and gets the code."""
    study = make_study(title="Tea or coffee", completion_code="C-42", completion_url="https://crowd.example/back")
    worker = invitations.join_as_participant(make_link(study), "P-1", at=timezone.now())
    assert Enrolment.objects.get().participant == "P-1"
    judge(make_pair(study), annotator=worker, at=timezone.now())
    return Walk(worker, [a("work"), a("entry_done", study.pk)])


def pages_of_an_account(user: User) -> list[str]:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    totp.TOTP.activate(user, totp.generate_totp_secret())
    RecoveryCodes.activate(user)
    names = ["accounts:profile", "account_email", "account_change_password", "mfa_index", "mfa_deactivate_totp"]
    names += ["mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_reauthenticate", "account_reauthenticate"]
    return [reverse(name) for name in [*names, "account_logout"]]


def walk_of_a_researcher(pair) -> Walk:
    """A study that has everything, an empty one, and what is made of both."""
    now = timezone.now()
    study = make_judged_study(at=now - timedelta(days=2), title="Warm or cold", instructions="Listen twice.")
    researcher = join(study, make_user(Role.RESEARCHER, name="Rosa"), Membership.Role.RESEARCHER)
    for each in (pair.study, empty := make_study(running=False)):
        join(each, researcher, Membership.Role.RESEARCHER)
    flags.flag_pair(make_lease(study.pairs.first(), at=now), kind="sound", note="A crackles in turn 3", at=now)
    invitations.make_invitation(study, by=researcher, note="students", max_uses=5, expires_at=now + timedelta(days=7))
    snapshot = make_snapshot(study, at=now)
    round = finished_round(study, by=researcher)
    waiting = store_snapshot_job(study, name="second", by=researcher, at=now)
    jobs = [make_job(researcher, state) for state in ("queued", "running", "failed", "succeeded")]
    names = ["studies", "new_study", "dialogues", "imports", "new_import", "systems", "snapshots"]
    of_study = ["study", "edit_study", "edit_rubric", "edit_languages", "members", "study_pairs", "add_pairs"]
    of_study += ["study_flags", "invitations", "study_entry", "snapshot_new", "new_pilot"]
    of_study += ["study_checks", "rater_checks", "study_adjudications", "statistics"]
    addresses = [a(name) for name in names]
    addresses += [a(name, each.pk) for each in (study, empty) for name in of_study]
    addresses += [a("pair", study.pk, study.pairs.first().pk), a("pair", pair.study_id, pair.pk)]
    addresses += [a("edit_examples", each.pk, "prosody") for each in (study, empty)]
    addresses += [a("statistics", each.pk, section) for each in (study, empty) for section in SECTIONS]
    check = make_pair(study, kind="gold", expected_value=3)
    rater = study.memberships.filter(role=Membership.Role.ANNOTATOR).first().user
    addresses += [a("check", study.pk, check.pk), a("exclude_rater", study.pk, rater.pk), a("my_adjudications")]
    addresses += [a("dialogue", pair.dialogue_a_id), a("import", pair.dialogue_a.source_id)]
    addresses += [a("snapshot", snapshot.pk), a("snapshot_job", study.pk, waiting.pk)]
    addresses += [reverse("jobs:list"), *(job.get_absolute_url() for job in jobs)]
    addresses += [reverse(f"rewardmodel:{name}") for name in ("runs", "run_new")]
    addresses += [round.reward_models.first().get_absolute_url(), reverse("policy:policies"), reverse("policy:rounds")]
    addresses += [round.new_policy.get_absolute_url(), round.policy.get_absolute_url(), round.get_absolute_url()]
    EmailAddress.objects.create(user=researcher, email=researcher.email, primary=True, verified=True)
    return Walk(researcher, [*addresses, reverse("mfa_activate_totp")])


def make_job(user: User, state: str) -> Job:
    now = timezone.now()
    error = "The disk is full." if state == "failed" else ""
    job = Job.objects.create(
        kind="tests.sleep", title=f"A job that is {state}", created_by=user, state=state, progress=0.25, error=error,
        message="dialogue 3 of 12", started_at=now, heartbeat_at=now,
    )  # fmt: skip
    JobMetric.objects.bulk_create([JobMetric(job=job, name="loss", step=step, value=1 / step) for step in (1, 2, 3)])
    return job


def walk_of_an_admin(pair) -> Walk:
    admin = make_user(Role.ADMIN, name="Ada")
    waiting = make_job(admin, "queued")
    Job.objects.filter(pk=waiting.pk).update(kind="policy.first")
    speech = Speech.objects.filter(study=None).first() or Speech.objects.create(policy=finished_round().new_policy)
    of_people = ["accounts:users", "accounts:add_user", "accounts:audit"]
    addresses = [reverse("home"), *(reverse(name) for name in of_people)]
    addresses += [reverse("accounts:user", args=[admin.pk]), reverse("accounts:user", args=[make_user().pk])]
    addresses += [a("systems"), a("edit_system", pair.dialogue_a.system_id), a("study", pair.study_id)]
    addresses += [reverse("policy:policy_new"), reverse("policy:round_new"), reverse("jobs:list")]
    addresses += [reverse("policy:policy_job", args=[waiting.pk]), reverse("policy:speak", args=[speech.policy_id])]
    addresses += [reverse("policy:speech", args=[speech.policy_id, speech.pk])]
    return Walk(admin, [*addresses, *pages_of_an_account(admin)])


def sign_in(page, user: User, live_server) -> None:
    """As somebody who has just given their password, so that no page asks for it again."""
    client = Client()
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "email": user.email}]
    session.save()
    page.context.add_cookies([{"name": "sessionid", "value": session.session_key, "url": live_server.url}])


def look_at(page, address: str) -> list[str]:
    """What is wrong with the page at this address, in both schemes, wide and on a phone."""
    page.set_viewport_size(WIDE)
    page.goto(address)
    found = []
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        page.wait_for_timeout(ARRIVES_MS)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > size["width"]:
            found.append(f"{address} at {size['width']} px is {width} px wide")
        for scheme, rules in (("light", ()), ("dark", OF_COLOUR)):
            page.emulate_media(color_scheme=scheme)
            found += [f"{address} at {size['width']} px, {scheme}: {line}" for line in violations(page, rules=rules)]
    return found


def problems_of(walk: Walk, open_page, live_server) -> list[str]:
    page = open_page(reduced_motion="reduce")
    if walk.user is not None:
        sign_in(page, walk.user, live_server)
    found = [line for address in walk.addresses for line in look_at(page, address)]
    page.complaints[:] = [each for each in page.complaints if not any(words in each for words in EXPECTED)]
    return found


WALKS: dict[str, Callable[..., Walk]] = {
    "stranger": lambda _pair: walk_of_a_stranger(),
    "newcomer": lambda _pair: walk_of_a_newcomer(),
    "annotator": walk_of_an_annotator,
    "crowd worker": lambda _pair: walk_of_a_crowd_worker(),
    "researcher": walk_of_a_researcher,
    "admin": walk_of_an_admin,
}


@pytest.mark.parametrize("role", WALKS)
def test_no_page_has_an_axe_finding_or_leaves_the_screen(role, pair_of, open_page, live_server):
    walk = WALKS[role](pair_of("enforced", content_warning="Somebody shouts."))

    assert problems_of(walk, open_page, live_server) == []


def test_no_page_is_left_out_of_the_walk(pair_of):
    pair = pair_of("enforced")
    walked = {name_of(address) for make in WALKS.values() for address in make(pair).addresses}
    all_names = {name for name, _address in every_address()}

    assert all_names - walked == NO_PAGES
    assert walked & NO_PAGES == set()


def name_of(address: str) -> str:
    path = address.partition("?")[0]
    return "" if path == "/no/such/page" else resolve(path).view_name
