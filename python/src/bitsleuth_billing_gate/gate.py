"""The gate: a token that gives access is trusted; before access is refused, the billing service is asked."""

import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from bitsleuth_billing_gate.events import Event, Handle, HandledEvents, Receiver
from bitsleuth_billing_gate.service import Service, Unavailable
from bitsleuth_billing_gate.tokens import Verifier

# The cookies of the host's session route (`@bitsleuth/entitlements`), without their prefix where there is no TLS.
_SESSION, _TOKEN = "bitsleuth_session", "bitsleuth_entitlements"
_KEPT = 1_000
# Accounts of which a change was heard: a token outlives its change by minutes, not by so many changes.
_HEARD = 50_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: the billing session, and the entitlement token where the request bears one."""

    session: str | None = None
    token: str | None = None

    @classmethod
    def of(cls, authorization: str | None, cookie: str | None) -> "Caller":
        """From a request's headers: the session as a bearer token, or both in the cookies of the session route."""
        scheme, _, bearer = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and bearer:
            return cls(session=bearer.strip())
        # Not with `SimpleCookie`: one cookie of somebody else that it does not understand takes all others with it.
        parts = [part.partition("=") for part in (cookie or "").split(";")]
        named = {name.strip(): value.strip(' "') for name, _, value in reversed(parts)}  # of two, the first is meant
        return cls(*(named.get(f"__Host-{name}") or named.get(name) for name in (_SESSION, _TOKEN)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to give in place of what was asked for: 402 with what opens it, or 503 when nobody could say."""

    status: int
    document: Mapping[str, Any]

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [("content-type", "application/problem+json"), ("cache-control", "no-store")]

    @property
    def body(self) -> bytes:
        return json.dumps(self.document).encode()


@dataclass(frozen=True, slots=True)
class Use:
    """Let in. `end` says whether it was worth its price; without metering it does nothing."""

    end: Callable[[bool], None] = field(default=lambda _: None)


class Changes(Protocol):
    """The newest version that was heard of each account: in this process by default, or where all processes see it.

    Asked by every decision over a token. What it raises is raised there: that a store is away does not say that nothing
    has changed. One that never waits for an answer may say so by `answers_at_once = True`.
    """

    def version_of(self, user_id: str) -> int | None: ...

    def note(self, user_id: str, version: int) -> None:
        """Keeps the higher of this version and the one that is known."""


class _ChangesHere:
    answers_at_once = True

    def __init__(self) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()

    def version_of(self, user_id: str) -> int | None:
        return self._versions.get(user_id)

    def note(self, user_id: str, version: int) -> None:
        self._versions[user_id] = max(version, self._versions.pop(user_id, 0))
        if len(self._versions) > _HEARD:
            self._versions.popitem(last=False)


class Gate:
    """One per process; safe for threads. `keys` is the published key set: with it a new process needs no network.

    `changes`: where a host of several processes keeps what each of them heard, for all.
    """

    def __init__(
        self,
        api_url: str,
        *,
        upgrade_url: str = "/pricing",
        keys: Mapping[str, Any] | None = None,
        issuer: str = "bitsleuth-billing",
        audience: str = "bitsleuth-analyzer",
        changes: Changes | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._service = Service(api_url, now)
        self._verifier = Verifier(self._service.keys, now, published=keys, issuer=issuer, audience=audience)
        self._upgrade_url = upgrade_url
        self._now = now
        self._renewed: OrderedDict[str, str] = OrderedDict()
        self._changes = changes or _ChangesHere()
        self._afterwards = ThreadPoolExecutor(max_workers=2, thread_name_prefix="billing")

    def opens_from_memory(self, feature: str, caller: Caller) -> bool:
        """Whether the caller's token says yes, without any call that waits; false says nothing."""
        if not getattr(self._changes, "answers_at_once", False):
            return False  # To ask whether it changed may wait.
        try:
            tokens = (caller.token, self._renewed.get(caller.session or ""))
            return any(self._opens(feature, token, waits=False) for token in tokens)
        except Unavailable:
            return False

    def decide(self, feature: str, caller: Caller, *, meter: bool = False, amount: int = 1) -> Use | Refusal:
        """`meter` holds `amount` uses first, and settles them when the use has ended well."""
        try:
            return self._decide(feature, caller, amount if meter else 0)
        except Unavailable:
            title, detail = "Try again in a moment", "access could not be checked"
            return Refusal(503, _problem("billing_unavailable", title, 503, detail))

    def receiver(
        self, secrets: Sequence[str], handle: Handle | None = None, *, handled: HandledEvents | None = None
    ) -> Receiver:
        """For the route that the service calls (`whsec_…`, several while one is replaced): what this gate knows of an
        account that changed is dropped, then `handle` is called, once for each event."""

        def take(event: Event) -> None:
            user_id, version = event.data.get("user_id"), event.data.get("account_version")
            if event.type == "EntitlementsChanged" and isinstance(user_id, str) and isinstance(version, int):
                self.changed(user_id, version)
            if handle is not None:
                handle(event)

        return Receiver(secrets, take, handled=handled, now=self._now)

    def changed(self, user_id: str, version: int) -> None:
        """An account has this version now: older tokens of it are not believed any more. Without shared `changes` a
        host of several processes tells this to each of them itself."""
        self._changes.note(user_id, version)

    def _decide(self, feature: str, caller: Caller, uses: int) -> Use | Refusal:
        session = caller.session
        if uses:
            return self._hold(feature, session, uses) if session else self._locked(feature)
        if self._opens(feature, caller.token):
            return Use()
        if not session:
            return self._locked(feature)
        if self._opens(feature, self._renewed.get(session)) or self._opens(feature, self._renew(session)):
            return Use()
        # Its own yes holds where no token did.
        document = self._service.refusal(session, feature)
        return Use() if document is None else Refusal(402, document)

    def _opens(self, feature: str, token: str | None, *, waits: bool = True) -> bool:
        claims = self._verifier.claims(token, waits=waits)
        if claims is None or claims.version < (self._changes.version_of(claims.user_id) or 0):
            return False
        return claims.open(feature, self._now())

    def _renew(self, session: str) -> str | None:
        token = self._service.token(session)
        if token:
            self._renewed[session] = token
            if len(self._renewed) > _KEPT:
                self._renewed.popitem(last=False)
        return token

    def _hold(self, feature: str, session: str, uses: int) -> Use | Refusal:
        usage = {"feature": feature, "amount": uses, "idempotency_key": str(uuid.uuid4())}
        reservation, document = self._service.reserve(session, usage)
        if document is not None:
            return Refusal(402, document)

        def end(succeeded: bool) -> None:
            action = "settle" if succeeded else "release"
            ended = {**usage, "action": action, "reservation_id": reservation, "idempotency_key": str(uuid.uuid4())}
            self._afterwards.submit(self._service.settle, session, ended)

        return Use(end)

    def _locked(self, feature: str) -> Refusal:
        detail = "your plan does not include this feature"
        document = _problem("feature_locked", "This feature is locked", 402, detail)
        document |= {"feature": feature, "scenario": "not_in_plan", "offers": [], "sources": []}
        return Refusal(402, document | {"upgrade_url": self._upgrade_url})


def _problem(code: str, title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": f"urn:bitsleuth:{code}", "title": title, "status": status, "code": code, "detail": detail}
