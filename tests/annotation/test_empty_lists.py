"""Lists with nothing in them: each says what will stand there, and has one filled button at most."""

import re

import pytest
from django.urls import reverse

from earshot.accounts.models import Role
from tests.factories import make_study, make_user

pytestmark = pytest.mark.django_db


def filled_buttons(html: str) -> list[str]:
    """The words of the buttons in the page's own part that are neither secondary nor quiet."""
    main = html[html.index("<main") : html.index("</main>")]
    buttons = re.findall(r'<(?:a role="button"|button)([^>]*)>(.*?)</(?:a|button)>', main, re.DOTALL)
    return [
        re.sub(r"<kbd>.*?</kbd>|<[^>]+>", "", words).strip()
        for attributes, words in buttons
        if not re.search(r'class="[^"]*(secondary|quiet|danger)', attributes)
    ]


@pytest.mark.parametrize(
    ("name", "search", "title", "buttons"),
    [
        ("annotation:studies", "", "No studies yet", ["New study"]),
        ("annotation:imports", "", "No imports yet", ["Import dialogues"]),
        ("annotation:snapshots", "", "No snapshots yet", ["Open studies"]),
        ("annotation:systems", "", "No systems yet", ["Import dialogues"]),
        ("annotation:dialogues", "", "No dialogues yet", ["Import dialogues"]),
        ("annotation:dialogues", "?scenario=nowhere", "Nothing matches", ["Show all dialogues"]),
        ("annotation:history", "", "Nothing judged yet", ["Go to your work"]),
        ("accounts:users", "?q=nobody", "Nobody is like that", ["Show everybody"]),
        ("accounts:audit", "", "Nothing was recorded yet", []),
        ("jobs:list", "", "No jobs yet", []),
        ("jobs:list", "?state=failed", "No job is like that", ["Show all jobs"]),
    ],
)
def test_an_empty_list_has_one_filled_button_at_most(client, name, search, title, buttons):
    client.force_login(make_user(Role.ADMIN))

    html = client.get(reverse(name) + search).content.decode()

    assert f"<h2>{title}</h2>" in html
    assert filled_buttons(html) == buttons
    assert 'class="pager"' not in html


def test_a_study_without_pairs_asks_for_them_once(client):
    researcher = make_user(Role.RESEARCHER)
    client.force_login(researcher)
    study = make_study(researcher=researcher)

    html = client.get(reverse("annotation:study_pairs", args=[study.pk])).content.decode()

    assert filled_buttons(html) == ["Add pairs"]


def test_a_list_with_rows_has_its_pager_and_nothing_of_an_empty_one(client):
    researcher = make_user(Role.RESEARCHER)
    client.force_login(researcher)
    make_study(researcher=researcher)

    html = client.get(reverse("annotation:studies")).content.decode()

    assert filled_buttons(html) == ["New study"]
    assert '<span class="num">1 shown</span>' in html
    assert "No studies yet" not in html
