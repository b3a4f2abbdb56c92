from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponseBase


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited or added by an admin; nobody signs up alone."""
        return False

    def pre_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponseBase | None:
        # allauth logs in whoever knew the password, and leaves it to this step to turn people away.
        if user.is_simulated:
            return self.respond_user_inactive(request, user)  # type: ignore[no-any-return]
        return super().pre_login(request, user, **options)  # type: ignore[no-any-return]
