"""Identifies the caller: a bearer token, ours or the identity provider's, to a user id and a role."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from billing.data import replace
from billing.errors import NotAuthenticated
from billing.identity.tokens import Session, Verifier, is_session_token, verifier
from billing.settings import Settings

if TYPE_CHECKING:
    from billing.identity.oidc import OidcVerifier


class Callers:
    """`sessions` returns a verifier with the current keys, so that a running process sees a rotation.

    `admins`: user ids that are admins by allow-list, with either kind of token.
    """

    def __init__(
        self,
        sessions: Callable[[], Verifier],
        oidc: "OidcVerifier | None" = None,
        admins: Collection[str] = frozenset(),
    ) -> None:
        self._sessions = sessions
        self._oidc = oidc
        self._admins = admins

    def identify(self, authorization: str, now: int) -> Session:
        """The caller behind an Authorization header. Raises `NotAuthenticated`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("this call needs a bearer token")
        if self._oidc is None or is_session_token(token):
            session = self._sessions().verify_session(token, now)
        else:
            session = self._oidc.verify(token, now)
        return replace(session, role="admin") if session.user_id in self._admins else session


def callers(settings: Settings) -> Callers:
    oidc = None
    if settings.optional("OIDC_ISSUER"):
        from billing.identity.oidc import oidc_verifier

        oidc = oidc_verifier(settings)
    return Callers(lambda: verifier(settings), oidc, admin_users(settings))


def admin_users(settings: Settings) -> frozenset[str]:
    """ADMIN_USERS: user ids, comma-separated."""
    return frozenset(part.strip() for part in settings.optional("ADMIN_USERS").split(",") if part.strip())
