"""Users, the audit log and the profile: who may do what to whom."""

import itertools
import re
from pathlib import Path

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from earshot.accounts import services
from earshot.accounts.models import ACTIONS, AuditEntry, Role, User

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)
PASSWORD = "correct horse battery"
FLOORS = ["platform", "annotation", "rewardmodel", "policy"]
ADMIN_PAGES = ["accounts:users", "accounts:add_user", "accounts:audit"]


def make_user(role, **fields):
    return User.objects.create_user(email=f"{role}{next(_numbers)}@example.org", role=role, password=PASSWORD, **fields)


@pytest.fixture
def admin():
    return make_user("admin")


@pytest.mark.parametrize("page", ADMIN_PAGES)
@pytest.mark.parametrize(("role", "answer"), [("admin", 200), ("researcher", 403), ("annotator", 403), (None, 302)])
def test_pages_of_people_are_for_admins(client, page, role, answer):
    if role:
        client.force_login(make_user(role))

    assert client.get(reverse(page)).status_code == answer


@pytest.mark.parametrize(("role", "answer"), [("researcher", 403), ("annotator", 403), (None, 302)])
@pytest.mark.parametrize("page", ["accounts:user", "accounts:invite"])
def test_nobody_but_an_admin_changes_or_invites_a_user(client, page, role, answer):
    victim = make_user("annotator", name="Before")
    if role:
        client.force_login(make_user(role))

    data = {"name": "After", "role": "admin", "is_active": "on"}
    response = client.post(reverse(page, args=[victim.pk]), data)

    victim.refresh_from_db()
    assert (response.status_code, victim.name, victim.role) == (answer, "Before", "annotator")
    assert (mail.outbox, AuditEntry.objects.count()) == ([], 0)


def test_a_researcher_adds_nobody(client):
    client.force_login(make_user("researcher"))

    response = client.post(reverse("accounts:add_user"), {"email": "new@example.org", "role": "admin"})

    assert (response.status_code, User.objects.filter(email="new@example.org").exists()) == (403, False)


def test_admin_adds_a_person_who_chooses_a_password_by_the_mailed_link_once(client, admin):
    client.force_login(admin)
    page = client.post(reverse("accounts:add_user"), {"email": "Ada@Example.org", "name": "Ada", "role": "researcher"})
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)[1]
    person = Client()

    form = person.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    person.post(address, {"password1": "a long new password", "password2": "a long new password"})

    assert (mail.outbox[0].to, link in page.content.decode(), page["Cache-Control"]) == (
        ["ada@example.org"],
        True,
        "no-store",
    )
    ada = User.objects.get(email="ada@example.org")
    assert (ada.role, ada.name, ada.check_password("a long new password")) == ("researcher", "Ada", True)
    again = Client().get(link, follow=True)
    assert again.context["token_fail"] is True
    assert AuditEntry.objects.values_list("user", "action", "subject").get() == (
        admin.pk,
        "user.added",
        "ada@example.org",
    )


def test_an_address_in_other_letters_is_the_same_person(client, admin):
    make_user("annotator")
    known = User.objects.filter(role="annotator").get().email
    client.force_login(admin)

    response = client.post(reverse("accounts:add_user"), {"email": known.upper(), "role": "annotator"})

    assert response.status_code == 422
    assert response.context["form"].errors["email"] == [
        f"{known} has an account already. Look for it in the list of users."
    ]


def test_a_mail_server_that_is_away_leaves_the_link_on_the_page(client, admin, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    client.force_login(admin)

    page = client.post(reverse("accounts:add_user"), {"email": "ada@example.org", "role": "annotator"}).content.decode()

    assert "The mail could not be sent." in page
    assert "/account/password/reset/key/" in page


def test_admin_changes_a_role_and_the_audit_log_keeps_both(client, admin):
    person = make_user("annotator", name="Ada")
    client.force_login(admin)

    client.post(reverse("accounts:user", args=[person.pk]), {"name": "Ada", "role": "researcher", "is_active": "on"})

    person.refresh_from_db()
    assert person.role == "researcher"
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.action, entry.detail) == (
        admin,
        "user.changed",
        {"role": ["annotator", "researcher"]},
    )
    assert "role: annotator → researcher" in client.get(reverse("accounts:audit")).content.decode()


def test_an_audit_entry_says_its_detail_in_words():
    entry = AuditEntry(detail={"is_active": [True, False], "pairs": 6, "name": ["", "Ada"]})

    assert entry.detail_words == "may sign in: yes → no, name: – → Ada, pairs: 6"


def test_an_audit_entry_lists_what_was_changed_and_leaves_out_ids(admin):
    entry = AuditEntry(detail={"fields": ["title", "listening_policy"], "import_id": 3, "member": "a_b@example.org"})

    assert entry.detail_words == "what: title and listening policy, member: a_b@example.org"


def test_every_action_that_code_records_has_words():
    root = Path(services.__file__).resolve().parents[3]
    code = "".join(path.read_text() for floor in FLOORS for path in (root / floor).rglob("*.py"))
    recorded = set(re.findall(r'record_action\(\s*[^,]+,\s*"([a-z_.]+)"', code))
    states = {f"study.{state}" for state in ("running", "paused", "finished")}  # written as f"study.{state}"

    assert {"user.added", "study.member_added", "job.cancelled"} < recorded
    assert (recorded | states) - set(ACTIONS) == set()


def test_the_audit_log_is_a_sentence_with_a_link_to_what_it_is_about(client, admin):
    person = make_user("annotator", name="Ada")
    client.force_login(admin)
    services.change_user(person, name="Ada", role="researcher", is_active=True, by=admin)
    services.record_action(None, "floor.painted_green", "the hall")

    page = client.get(reverse("accounts:audit")).content.decode()

    assert "changed the user" in page
    assert f'<a href="{reverse("accounts:user", args=[person.pk])}">{person.email}</a>' in page
    assert "user.changed" not in page
    assert '<td data-label="Did what">floor painted green</td><td data-label="To what">the hall</td>' in page


def test_a_deactivated_person_is_signed_out_at_once_and_others_are_not(client, admin):
    person, other = Client(), Client()
    user, bystander = make_user("annotator"), make_user("annotator")
    person.force_login(user)
    other.force_login(bystander)
    client.force_login(admin)

    client.post(reverse("accounts:user", args=[user.pk]), {"name": "", "role": "annotator"})

    profile = reverse("accounts:profile")
    assert (person.get(profile).status_code, other.get(profile).status_code) == (302, 200)


@pytest.mark.parametrize("change", [{"role": "researcher", "is_active": True}, {"role": "admin", "is_active": False}])
def test_an_admin_cannot_lower_themselves(admin, change):
    make_user("admin")

    with pytest.raises(ValidationError, match="You cannot take your own role or sign-in away"):
        services.change_user(admin, name="", by=admin, **change)

    admin.refresh_from_db()
    assert (admin.role, admin.is_active) == ("admin", True)


def test_the_last_admin_stays(admin):
    former = make_user("admin", is_active=False)

    with pytest.raises(ValidationError, match=r"is the last admin\. Make somebody else an admin first\."):
        services.change_user(admin, name="", role=Role.ANNOTATOR, is_active=True, by=former)


def test_users_are_found_by_name_or_address_and_by_role(client, admin):
    ada = make_user("researcher", name="Ada Lovelace")
    make_user("annotator", name="Grace")
    client.force_login(admin)
    address = reverse("accounts:users")

    by_name = client.get(address, {"q": "lovel"}).context["page"].rows
    by_role = client.get(address, {"role": "researcher"}).context["page"].rows

    assert (by_name, by_role) == ([ada], [ada])


@pytest.mark.parametrize("page", ["accounts:users", "accounts:audit"])
def test_lists_cost_the_same_queries_for_three_rows_as_for_one(client, admin, page):
    client.force_login(admin)
    services.record_action(admin, "x", "y")

    with CaptureQueriesContext(connection) as one:
        client.get(reverse(page))
    for _ in range(2):
        services.record_action(make_user("annotator"), "x", "y")
    with CaptureQueriesContext(connection) as three:
        client.get(reverse(page))

    assert len(three) == len(one)


def test_the_profile_changes_ones_own_name_and_never_the_role(client):
    person = make_user("annotator")
    client.force_login(person)

    client.post(reverse("accounts:profile"), {"name": "Ada", "role": "admin", "is_simulated": "on"})

    person.refresh_from_db()
    assert (person.name, person.role, person.is_simulated) == ("Ada", "annotator", False)


def test_sign_out_everywhere_keeps_this_session_and_ends_the_others(client):
    person = make_user("annotator")
    elsewhere = Client()
    client.force_login(person)
    elsewhere.force_login(person)

    client.post(reverse("accounts:sign_out_everywhere"))

    profile = reverse("accounts:profile")
    assert (client.get(profile).status_code, elsewhere.get(profile).status_code) == (200, 302)


@pytest.mark.parametrize(
    ("role", "place"),
    [
        ("annotator", "annotation:work"),
        ("researcher", "annotation:studies"),
        ("admin", "annotation:studies"),
    ],
)
def test_each_role_starts_where_its_work_is(client, role, place):
    client.force_login(make_user(role))

    assert client.get(reverse("home")).url == reverse(place)
