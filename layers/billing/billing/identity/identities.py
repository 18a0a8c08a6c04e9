"""Sign-in without registration: from a verified key or login to a user id, a session token and a refresh token.

A user id is a keyed hash of the identity: no raw key is stored, and only with the pepper can a user id be matched to a
key. Several identities can be linked to one account.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Any

from billing.data import dataclass
from billing.errors import Conflict, NotAuthenticated
from billing.identity.tokens import Signer
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.identities import IdentityStore
from billing.store.limits import Limits

SESSION_SECONDS = 900
# After this the user signs in with the key again.
REFRESH_SECONDS = 30 * 86_400
# For so long a replaced refresh token returns the same successor again: the answer may have been lost, or two tabs may
# have refreshed at once. Later use counts as theft.
REUSE_SECONDS = 30
SIGN_INS_PER_MINUTE = 10


@dataclass(frozen=True, slots=True)
class Tokens:
    user_id: str
    session_token: str
    expires_at: int
    refresh_token: str


def user_id_of(pepper: str, kind: str, subject: str) -> str:
    """The user id of an unlinked identity: usr_ and 160 bits of a keyed hash. `kind` is nostr or oidc."""
    digest = hmac.digest(pepper.encode(), f"{kind}|{subject}".encode(), hashlib.sha256)
    return f"usr_{digest.hex()[:40]}"


class Identities:
    def __init__(
        self, store: IdentityStore, limits: Limits, accounts: AccountStore, signer: Signer, pepper: str
    ) -> None:
        self._store = store
        self._limits = limits
        self._accounts = accounts
        self._signer = signer
        self._pepper = pepper

    def sign_in(self, public_key: str, proof_id: str, replay_seconds: int, now: int, link_to: str | None) -> Tokens:
        """Tokens for the holder of a Nostr key, after the proof was verified.

        `link_to`: a session token of the account to link the key to. Raises `NotAuthenticated` for a proof that was
        used before, `TooManyRequests`, and `Conflict` when the key already has an account with history.
        """
        identity = user_id_of(self._pepper, "nostr", public_key)
        self._limits.count("sign-in", identity, SIGN_INS_PER_MINUTE, 60, now)
        if not self._store.first_use(proof_id, now, replay_seconds):
            raise NotAuthenticated("this signature was used before: sign a new event")
        user_id = self._store.owner(identity) or identity
        if link_to is not None:
            account = self._signer.verify_session(link_to, now).user_id
            if user_id != account:
                user_id = self._link(identity, user_id, account, now)
        return self._start(user_id, now)

    def refresh(self, refresh_token: str, now: int) -> Tokens:
        """The next pair of tokens. Reuse of a replaced token revokes the whole chain, as it may be stolen.

        Raises `NotAuthenticated` for a token that is unknown, used, revoked or too old.
        """
        user_id, family_id, secret = _parse(refresh_token)
        if self._store.moved(user_id):
            # This sign-in began while the key was being linked, so it belongs to an account that has no key any more.
            self._store.end_family(user_id, family_id)
            raise NotAuthenticated("the key opens another account now: sign in again")
        used, successor = _hash(secret), self._successor(family_id, secret)
        if not self._store.rotate(user_id, family_id, used, _hash(successor), now):
            self._allow_repeat(user_id, family_id, used, now)
        return self._tokens(user_id, f"{user_id}.{family_id}.{successor}", now)

    def sign_out(self, refresh_token: str) -> None:
        """Revoke the chain of a refresh token. Its last session token stays valid until it expires."""
        user_id, family_id, secret = _parse(refresh_token)
        family = self._store.family(user_id, family_id)
        if family is not None and _hash(secret) in (family.current, family.previous):
            self._store.end_family(user_id, family_id)

    def _link(self, identity: str, user_id: str, account: str, now: int) -> str:
        if user_id == identity and self._accounts.snapshot(identity, consistent=True).version > 0:
            raise Conflict("this key has an account with purchases of its own", code="identity_has_account")
        self._store.link(identity, account, now)
        if user_id == identity:
            # End the sessions of the key's former account; the next sign-in opens the linked one.
            self._store.end_families(identity)
        return account

    def _start(self, user_id: str, now: int) -> Tokens:
        family_id, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        self._store.start_family(user_id, family_id, _hash(secret), now, now + REFRESH_SECONDS)
        return self._tokens(user_id, f"{user_id}.{family_id}.{secret}", now)

    def _allow_repeat(self, user_id: str, family_id: str, used: str, now: int) -> None:
        family = self._store.family(user_id, family_id)
        if family is None or family.ends_at <= now:
            raise NotAuthenticated("the sign-in has ended: sign in again")
        just_replaced = now - family.rotated_at <= REUSE_SECONDS
        if not (just_replaced and hmac.compare_digest(family.previous, used)):
            self._store.end_family(user_id, family_id)
            raise NotAuthenticated("this refresh token was used before: sign in again")

    def _tokens(self, user_id: str, refresh_token: str, now: int) -> Tokens:
        session = self._signer.sign_session(user_id, False, now, SESSION_SECONDS)
        return Tokens(user_id, session, now + SESSION_SECONDS, refresh_token)

    def _successor(self, family_id: str, secret: str) -> str:
        """Derived, not random, so that a repeated refresh returns the same successor."""
        digest = hmac.digest(self._pepper.encode(), f"refresh|{family_id}|{secret}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _parse(refresh_token: str) -> tuple[str, str, str]:
    parts = refresh_token.split(".")
    if len(parts) != 3 or not all(parts) or not parts[0].startswith("usr_"):
        raise NotAuthenticated("the refresh token is not valid")
    return parts[0], parts[1], parts[2]


def _hash(secret: str) -> str:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def session_tokens(tokens: "Tokens") -> dict[str, Any]:
    return {
        "session_token": tokens.session_token,
        "expires_at": rfc3339(tokens.expires_at),
        "refresh_token": tokens.refresh_token,
        "user_id": tokens.user_id,
    }
