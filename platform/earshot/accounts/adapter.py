from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponseBase

RESET_FROM_KEY = "account_reset_password_from_key"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited or added by an admin; nobody signs up alone."""
        return False

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **options: Any
    ) -> None:
        is_reset = request.resolver_match is not None and request.resolver_match.url_name == RESET_FROM_KEY
        if is_reset and message_template == "account/messages/password_changed.txt":
            return  # the page that follows says it, and would say it twice
        super().add_message(request, level, message_template, *args, **options)

    def pre_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponseBase | None:
        # allauth logs in whoever knew the password, and leaves it to this step to turn people away.
        if user.is_simulated:
            return self.respond_user_inactive(request, user)  # type: ignore[no-any-return]
        return super().pre_login(request, user, **options)  # type: ignore[no-any-return]
