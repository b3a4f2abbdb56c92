from typing import Any

from allauth.account.auth_backends import AuthenticationBackend


class PeopleOnly(AuthenticationBackend):  # type: ignore[misc]
    """Simulated raters judge through the services; neither a password nor an old session lets anybody act as one."""

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(super().user_can_authenticate(user)) and not user.is_simulated
