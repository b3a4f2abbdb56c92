"""PostgreSQL refuses a null character even in a question: an address that holds one must not break the page."""

import pytest

from earshot.accounts.models import Role
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/listen/a%00b/", 404),
        ("/users/?role=%00", 200),
        ("/users/?q=%00", 200),
        ("/jobs/?state=%00", 200),
        ("/jobs/?kind=%00", 200),
        ("/dialogues/?q=%00&scenario=a%00&system=%00", 200),
    ],
)
def test_a_null_character_in_an_address_breaks_nothing(client, address, status):
    client.force_login(make_user(Role.ADMIN))

    assert client.get(address).status_code == status
