"""Who looks at a page: people signed in without going through the form."""

import pytest
from django.test import Client


@pytest.fixture
def page_of(open_page, live_server):
    """A page on which this person is signed in: `page = page_of(user, width=360)`."""

    def open_signed_in(user, **options):
        client = Client()
        client.force_login(user)
        page = open_page(**options)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return open_signed_in
