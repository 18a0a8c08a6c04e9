"""Settings from environment variables, and secrets that may be in Secrets Manager.

Nothing is read at import. A missing or empty required value raises `NotConfigured`: there is no way to run with
verification switched off by forgetting a variable. docs/configuration.md lists every name.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from billing.errors import NotConfigured
from billing.log import Log

# A value of this form names a secret: secretsmanager:<name or ARN>[#<key of a JSON secret>]
REFERENCE = "secretsmanager:"
# Seconds a fetched secret is kept in memory: the delay of a rotation without a deployment.
SECRET_CACHE_SECONDS = 300
# Seconds until it is asked for again after that failed. Meanwhile the value that is known serves.
_ASK_AGAIN_SECONDS = 30

_log = Log()


class Settings:
    """Reads `env` on demand. `fetch_secret` returns the text of a Secrets Manager secret by name or ARN."""

    def __init__(
        self,
        env: Mapping[str, str],
        fetch_secret: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._env = env
        self._fetch_secret = fetch_secret
        self._clock = clock
        self._fetched: dict[str, tuple[float, str]] = {}
        self._changes = 0

    def optional(self, name: str, default: str = "") -> str:
        return self._env.get(name, "").strip() or default

    def required(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            raise NotConfigured(f"{name} is not set")
        return value

    def integer(self, name: str, default: int) -> int:
        return int(self.optional(name, str(default)))

    def secret(self, name: str) -> str:
        """A secret's value, fetched when it is a reference. Empty is an error, as is a missing key."""
        value = self.required(name)
        if value.startswith(REFERENCE):
            value = self._dereference(value.removeprefix(REFERENCE))
        if not value.strip():
            raise NotConfigured(f"the secret behind {name} is empty")
        return value.strip()

    def optional_secret(self, name: str) -> str:
        """As `secret`, but "" where the variable is not set or its secret was never given a value."""
        try:
            return self.secret(name)
        except NotConfigured:
            return ""

    def secrets(self, name: str) -> list[str]:
        """One or several comma-separated secrets, so that an old and a new one can be valid at once."""
        values = [part.strip() for part in self.secret(name).split(",") if part.strip()]
        if not values:
            raise NotConfigured(f"the secret behind {name} is empty")
        return values

    def _dereference(self, reference: str) -> str:
        secret_id, _, key = reference.partition("#")
        good_until, text = self._fetched.get(secret_id, (0.0, None))
        if text is None or self._clock() >= good_until:
            text = self._fetch(secret_id, text)
        if not key:
            return text
        document: Any = json.loads(text)
        return str(document.get(key, ""))

    def _fetch(self, secret_id: str, cached: str | None) -> str:
        """The secret's text; the cached one while Secrets Manager does not answer. An emptied secret is an error."""
        if self._fetch_secret is None:
            raise NotConfigured(f"{secret_id} is a Secrets Manager reference, but nothing here can fetch it")
        try:
            text, seconds = self._fetch_secret(secret_id), SECRET_CACHE_SECONDS
        except NotConfigured:
            self._changes += self._fetched.pop(secret_id, None) is not None
            raise
        except Exception as lost:  # whatever failed, the cached value still serves
            if cached is None:
                raise
            _log.warning("secret not refreshed", extra={"secret": secret_id, "reason": type(lost).__name__})
            text, seconds = cached, _ASK_AGAIN_SECONDS
        self._changes += cached is not None and text != cached
        self._fetched[secret_id] = (self._clock() + seconds, text)
        return text

    def revision(self) -> int:
        """Changes when a secret changes: whatever was built from secrets then has to be built again."""
        for secret_id in list(self._fetched):
            with suppress(NotConfigured):  # emptied: whoever reads it gets the error
                self._dereference(secret_id)
        return self._changes

    # --- names used in more than one place -------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        return self.required("STAGE")

    @property
    def is_prod(self) -> bool:
        """Anything that is not one of the known development stages is treated as production."""
        return self.stage not in ("local", "test", "dev", "staging")

    @property
    def at_home(self) -> bool:
        """Whether this stack runs on a developer's machine, and its hosts with it."""
        return self.stage == "local"

    @property
    def livemode(self) -> bool:
        """Whether this stack takes real money; events of the other mode are quarantined."""
        return self.required("LIVEMODE") == "true"

    @property
    def providers(self) -> list[str]:
        """The providers on offer, in the order they are offered."""
        names = [name.strip() for name in self.required("BILLING_PROVIDER_MODE").split(",") if name.strip()]
        if "mock" in names and self.is_prod:
            raise NotConfigured("the mock provider cannot be enabled in prod")
        return names

    @property
    def reminder_days(self) -> list[int]:
        """How many days before an end to remind of it, such as 7 and 1; 0 is the end itself."""
        return [int(part) for part in self.optional("RENEWAL_REMINDER_DAYS", "7,1").split(",")]

    @property
    def lightning(self) -> list[str]:
        """The providers whose invoices can be paid over Lightning, as configured."""
        return ["btcpay"] if self.optional("BTCPAY_LIGHTNING") == "true" else []

    @property
    def seller(self) -> list[str]:
        """The seller's name and address, line by line, as printed on a receipt."""
        return [line.strip() for line in self.optional("SELLER").split("|") if line.strip()]

    @property
    def plans_table(self) -> str:
        return self.required("PLANS_TABLE")

    @property
    def accounts_table(self) -> str:
        return self.required("ACCOUNTS_TABLE")

    @property
    def payment_events_table(self) -> str:
        return self.required("PAYMENT_EVENTS_TABLE")

    @property
    def metrics_table(self) -> str:
        return self.required("METRICS_TABLE")

    @property
    def queue_url(self) -> str:
        return self.required("PAYMENT_EVENTS_QUEUE_URL")

    @property
    def portal_url(self) -> str:
        """Origin of the buyer's pages, without a trailing slash."""
        return self.required("PORTAL_URL").rstrip("/")

    @property
    def public_url(self) -> str:
        """Public origin of this API, without a trailing slash."""
        return self.required("PUBLIC_URL").rstrip("/")


def identity_provider(settings: Settings) -> dict[str, str] | None:
    """What a page needs to sign somebody in at the identity provider (OpenID Connect, PKCE, no secret); None when it is
    not configured. `token`: whether the API takes the id or the access token, by which of them is for our audience.
    `end_session_url` is "" when signing out ends only the session here."""
    names = ("ISSUER", "CLIENT_ID", "AUTHORIZATION_URL", "TOKEN_URL")
    oidc = {name.lower(): settings.optional(f"OIDC_{name}") for name in names}
    if not all(oidc.values()):
        return None
    token = "id" if settings.optional("OIDC_AUDIENCE") == oidc["client_id"] else "access"
    end_session = settings.optional("OIDC_END_SESSION_URL")
    return {**oidc, "end_session_url": end_session, "scope": settings.optional("OIDC_SCOPE", "openid"), "token": token}


def sign_in_ways(settings: Settings) -> list[str]:
    """The ways to sign in that this stack accepts."""
    ways = ["nostr"]
    if settings.optional("OIDC_ISSUER"):
        ways.append("oidc")
    if settings.optional("DEV_TOKEN_KEYS") and not settings.is_prod:
        ways.append("development")
    return ways


def seller_links(settings: Settings) -> dict[str, str | None]:
    """The seller's pages for contact and terms; None for one that is not configured."""
    names = {"contact": "CONTACT_URL", "terms": "TERMS_URL", "privacy": "PRIVACY_URL", "refunds": "REFUND_POLICY_URL"}
    return {link: settings.optional(name) or None for link, name in names.items()}
