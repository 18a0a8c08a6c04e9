"""Asking a wallet to pay (Nostr Wallet Connect, NIP-47). A wallet's answer decides nothing: the provider's invoice says
what was paid. "paid" is only a claim, "failed" may still be paid, and so may a request without an answer. So there are
few outcomes here, and whatever is not certain is `unknown`."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from billing import deadline
from billing.data import dataclass, field
from billing.nostr import bolt11, encryption
from billing.nostr.connection import Connection
from billing.nostr.events import Event, signed
from billing.nostr.relay import Filter, Trouble
from billing.nostr.relays import Exchanged, Relays

_INFO, _REQUEST, _RESPONSE = 13194, 23194, 23195
# Seconds to wait for an answer that a wallet has ready, and for a payment on its way through the network.
READ_SECONDS = 15.0
PAY_SECONDS = 75.0
# With less time left no payment is asked for: its answer would come too late.
LEAST_SECONDS = 20.0

Encryption = Literal["nip44_v2", "nip04"]
Refusal = Literal[
    "quota_exceeded",
    "insufficient_balance",
    "expired",
    "unauthorized",
    "restricted",
    "rate_limited",
    "not_implemented",
    "unsupported_encryption",
]
# Reasons why it is unknown whether an invoice was paid. `failed` is one: some wallets say so and pay later.
Unsure = Literal["silence", "internal", "failed", "unreadable", "other"]
# Why nothing was asked: the relays' troubles; the wallet's info event was not found, or lacks our encryption or the
# method; too little time was left.
Undelivered = Literal[Trouble, "no_info", "no_encryption", "not_listed", "no_time"]
# No answer: it was asked, or its relays did not take the question.
Silence = Literal["silence", "unreachable"]
Reason = Literal[Refusal, Unsure, Undelivered, ""]
Outcome = Literal["paid", "refused", "unknown", "not_delivered"]

# Error codes of the specification and of wallets that have their own, as far as their meaning is certain.
_REFUSALS: Mapping[str, Refusal] = {code.upper(): code for code in get_args(Refusal)}
_UNSURE: Mapping[str, Unsure] = {"INTERNAL": "internal", "INTERNAL_ERROR": "internal", "PAYMENT_FAILED": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """A wallet's public info event: the methods and encryptions that it supports."""

    methods: frozenset[str]
    encryptions: frozenset[str]
    created_at: int

    @property
    def encryption(self) -> Encryption | None:
        """The best encryption that both sides know."""
        choices: tuple[Encryption, ...] = ("nip44_v2", "nip04")
        return next((one for one in choices if one in self.encryptions), None)

    def as_json(self) -> dict[str, Any]:
        """To be stored with the connection, and given back as `info`."""
        return {
            "methods": sorted(self.methods),
            "encryptions": sorted(self.encryptions),
            "created_at": self.created_at,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Info":
        return cls(
            methods=frozenset(stored["methods"]),
            encryptions=frozenset(stored["encryptions"]),
            created_at=int(stored["created_at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How the search for a wallet's info event ended: "found", "absent" (all relays answered and none has it), or why
    it is not known."""

    state: Literal["found", "absent", Trouble]
    info: Info | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the connection may spend. `total_msat` None: as much as the wallet holds."""

    used_msat: int = 0
    total_msat: int | None = None
    renewal: str = "never"
    renews_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """How a request to pay ended.

    - `paid`: the wallet says so; `proven` when its preimage is that of this invoice.
    - `refused`: the wallet said no, before it tried.
    - `unknown`: it may be paid, now or later.
    - `not_delivered`: no relay took the request, so the wallet cannot have seen it.

    `code` is the wallet's own error code, for the log. `info`: its info event as read now; None when it was not found.
    """

    outcome: Outcome
    reason: Reason = ""
    proven: bool = False
    code: str = ""
    info: Info | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """A wallet's answer: its result, or its error's code."""

    result: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The end of one request. `why`: the reason why it was not sent."""

    reply: _Reply | None = None
    info: Info | None = None
    why: Undelivered | None = None
    unreadable: bool = False


class Wallets:
    """Wallets, each through the relays of its connection."""

    def __init__(self, relays: Relays, clock: Callable[[], float] = time.time) -> None:
        self._relays, self._clock = relays, clock

    def info(self, connection: Connection) -> Looked:
        """Reads the wallet's info event."""
        wanted = _kept_by(connection)
        answers = self._relays.fetch(connection.relays, wanted, deadline.left(READ_SECONDS), connection.key)
        if answers.newest is not None:
            return Looked(state="found", info=_info(answers.newest))
        if len(answers.answered) == len(connection.relays):
            return Looked(state="absent")
        return Looked(state=_worst(answers.troubles))

    def budget(self, connection: Connection, info: Info | None = None) -> Budget | Refusal | Silence | None:
        """What is left to spend, how the wallet refused to say, or why it said nothing. None: it does not say."""
        answer = self._ask(connection, "get_budget", {}, READ_SECONDS, info)
        if answer.reply is None:
            if answer.why == "not_listed":
                return None
            return "silence" if answer.why in (None, "unheard") else "unreachable"
        if answer.reply.code is not None:
            refusal = _REFUSALS.get(answer.reply.code)
            return None if refusal == "not_implemented" else refusal
        return _budget(answer.reply.result)

    def pay(self, connection: Connection, invoice: str, expires_at: int, info: Info | None = None) -> Payment:
        """Asks the wallet to pay a bolt11, once, and not after `expires_at` (Unix seconds). `info`: the info event as
        read before, for when the relays have lost it. Raises `bolt11.BadInvoice`."""
        wanted = bolt11.decode(invoice)
        if deadline.left() < LEAST_SECONDS or self._clock() >= min(expires_at, wanted.expires_at):
            return Payment(outcome="not_delivered", reason="no_time")
        expires_at = min(expires_at, wanted.expires_at)
        params = {"invoice": invoice}
        answer = self._ask(connection, "pay_invoice", params, PAY_SECONDS, info, expires_at=expires_at)
        if answer.why is not None:
            return Payment(outcome="not_delivered", reason=answer.why, info=answer.info)
        if answer.reply is None:
            return Payment(outcome="unknown", reason="unreadable" if answer.unreadable else "silence", info=answer.info)
        code = answer.reply.code
        if code is None:
            proven = wanted.proves(answer.reply.result.get("preimage"))
            return Payment(outcome="paid", proven=proven, info=answer.info)
        if code in _REFUSALS:
            return Payment(outcome="refused", reason=_REFUSALS[code], code=code, info=answer.info)
        return Payment(outcome="unknown", reason=_UNSURE.get(code, "other"), code=code, info=answer.info)

    def _ask(
        self,
        connection: Connection,
        method: str,
        params: Mapping[str, Any],
        seconds: float,
        stored: Info | None,
        expires_at: int | None = None,
    ) -> _Answered:
        """One request and its answer. The info event is read first, over the same connection."""
        info, why, unreadable = stored, None, False
        published = None

        def question(newest: Event | None) -> Event | None:
            nonlocal info, why, published
            published = _info(newest) if newest is not None else None
            if published is not None and (info is None or published.created_at >= info.created_at):
                info = published  # one older than we have comes from a relay that is behind
            why = _obstacle(info, method)
            if why is not None or info is None or info.encryption is None:
                return None
            return _request(connection, info.encryption, method, params, int(self._clock()), expires_at)

        def accept(request: Event, event: Event) -> _Reply | None:
            nonlocal unreadable
            if event.kind != _RESPONSE or event.pubkey != connection.wallet or request.id not in event.values("e"):
                return None
            reply = _reply(event, connection)
            unreadable = unreadable or reply is None
            return reply

        exchanged: Exchanged[_Reply] = self._relays.exchange(
            connection.relays,
            deadline.left(seconds),
            connection.key,
            first=_kept_by(connection),
            question=question,
            answers=lambda request: _answers(connection, request),
            accept=accept,
        )
        delivered = exchanged.delivered
        if exchanged.answer is None and not delivered.taken and not delivered.unsure:
            if exchanged.question is not None or len(delivered.troubles) == len(connection.relays):
                why = _worst(delivered.troubles)
            return _Answered(why=why or "unreachable", info=published)
        return _Answered(reply=exchanged.answer, info=published, unreadable=unreadable)


# --- events ----------------------------------------------------------------------------------------------------------


def _kept_by(connection: Connection) -> Filter:
    return {"kinds": [_INFO], "authors": [connection.wallet], "limit": 1}


def _answers(connection: Connection, request: Event) -> tuple[Filter, Filter]:
    """A filter by the request's id, and one without for relays that do not know such filters. Not by our own key, which
    some wallets do not name, nor by time: a wallet's clock may be behind."""
    of_wallet: Filter = {"kinds": [_RESPONSE], "authors": [connection.wallet]}
    return {**of_wallet, "#e": [request.id]}, of_wallet


def _info(event: Event) -> Info:
    """Wallets that name no encryption know NIP-04 alone."""
    encryptions = " ".join(event.values("encryption")).replace(",", " ").split()
    return Info(
        methods=frozenset(event.content.replace(",", " ").split()),
        encryptions=frozenset(encryptions or ["nip04"]),
        created_at=event.created_at,
    )


def _obstacle(info: Info | None, method: str) -> Undelivered | None:
    if info is None:
        return "no_info"
    if info.encryption is None:
        return "no_encryption"
    return None if method in info.methods else "not_listed"


def _request(
    connection: Connection,
    scheme: Encryption,
    method: str,
    params: Mapping[str, Any],
    now: int,
    expires_at: int | None,
) -> Event:
    encrypt = encryption.encrypt if scheme == "nip44_v2" else encryption.encrypt_nip04
    content = encrypt(json.dumps({"method": method, "params": params}), connection.key, connection.wallet)
    tags = [["p", connection.wallet]]
    if scheme == "nip44_v2":  # without the tag it is NIP-04
        tags.append(["encryption", scheme])
    if expires_at is not None:
        tags.append(["expiration", str(expires_at)])
    return signed(connection.key, _REQUEST, content, tags, now)


def _reply(event: Event, connection: Connection) -> _Reply | None:
    """What the wallet says; None when it cannot be read. It may choose the encryption: a wallet that does not know ours
    says so in its own."""
    decrypt = encryption.decrypt_nip04 if "?iv=" in event.content else encryption.decrypt
    try:
        parsed = json.loads(decrypt(event.content, connection.key, connection.wallet))
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    error = parsed.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        return _Reply(code=code.upper()[:40] if isinstance(code, str) else "OTHER")
    result = parsed.get("result")
    return _Reply(result=result) if isinstance(result, dict) else None


# --- what is in them -------------------------------------------------------------------------------------------------


def _budget(result: Mapping[str, Any]) -> Budget | None:
    if not result:
        return Budget()
    total = _amount(result.get("total_budget"))
    if total is None:
        return None
    renewal = result.get("renewal_period")
    return Budget(
        used_msat=_amount(result.get("used_budget")) or 0,
        total_msat=total,
        renewal=renewal if renewal in ("daily", "weekly", "monthly", "yearly") else "never",
        renews_at=_amount(result.get("renews_at")),
    )


def _amount(value: Any) -> int | None:
    """A positive number from JSON, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return int(value)


def _worst(troubles: Mapping[str, Trouble]) -> Trouble:
    """The most telling of several relays' troubles."""
    order: tuple[Trouble, ...] = ("unheard", "rate_limited", "auth_required", "refused")
    return next((one for one in order if one in troubles.values()), "unreachable")
