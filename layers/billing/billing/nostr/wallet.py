"""Asking a wallet to pay (Nostr Wallet Connect, NIP-47).

A wallet's word is not what counts: "paid" is a claim until the provider's invoice says so, "failed" may be paid in the
end, and silence is silence. So the outcomes here are few, and whatever is not sure is `unknown`.
"""

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
# Seconds to wait: for what a wallet has ready, and for a payment on its way through the network.
READ_SECONDS = 15.0
PAY_SECONDS = 75.0
# With less time left a payment is not begun: nobody would hear how it went.
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
# What may be paid all the same. `failed`: the wallet says so, which wallets were seen to say of what they paid later.
Unsure = Literal["silence", "internal", "failed", "unreadable", "other"]
# Why nothing was asked: the relays' troubles; the wallet's info event is not to be found, or names no encryption of
# ours, or not what was to be asked; too little time was left.
Undelivered = Literal[Trouble, "no_info", "no_encryption", "not_listed", "no_time"]
Reason = Literal[Refusal, Unsure, Undelivered, ""]
Settling = Literal["pending", "settled", "failed", "unknown"]
Outcome = Literal["paid", "refused", "unknown", "not_delivered"]

# Codes of the specification, and those that wallets use beside it, by what they surely mean. All others are not sure.
_REFUSALS: Mapping[str, Refusal] = {code.upper(): code for code in get_args(Refusal)}
_STATES: Mapping[str, Settling] = {"pending": "pending", "settled": "settled", "failed": "failed"}
_UNSURE: Mapping[str, Unsure] = {"INTERNAL": "internal", "INTERNAL_ERROR": "internal", "PAYMENT_FAILED": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a wallet says of itself, publicly: the methods that it knows, and how it can be spoken to."""

    methods: frozenset[str]
    encryptions: frozenset[str]
    created_at: int

    @property
    def encryption(self) -> Encryption | None:
        """The best that both sides know."""
        choices: tuple[Encryption, ...] = ("nip44_v2", "nip04")
        return next((one for one in choices if one in self.encryptions), None)

    def as_json(self) -> dict[str, Any]:
        """To be kept with the connection, and given back as `known`."""
        return {
            "methods": sorted(self.methods),
            "encryptions": sorted(self.encryptions),
            "created_at": self.created_at,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Info":
        return cls(
            methods=frozenset(kept["methods"]),
            encryptions=frozenset(kept["encryptions"]),
            created_at=int(kept["created_at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What became of looking for a wallet's info event: "found", "absent" (all relays answered and none keeps it), or
    why it is not known."""

    state: Literal["found", "absent", Trouble]
    info: Info | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the connection may spend. `total_msat` None: as much as the wallet holds."""

    used_msat: int = 0
    total_msat: int | None = None
    renewal: str = "never"
    renews_at: int | None = None

    @property
    def left_msat(self) -> int | None:
        return None if self.total_msat is None else max(0, self.total_msat - self.used_msat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What became of asking for a payment.

    - `paid`: the wallet says so; `proven` when its preimage is that of this very invoice.
    - `refused`: the wallet said no, before it tried.
    - `unknown`: it may be paid, now or later.
    - `not_delivered`: no relay took the question; the wallet cannot have seen it.

    `code` is the wallet's own word, for the log. `info` is what was read of it just now; None when it was not found.
    """

    outcome: Outcome
    reason: Reason = ""
    proven: bool = False
    fees_msat: int | None = None
    code: str = ""
    info: Info | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the wallet says of an invoice that it was asked to pay. For words to a person, and for nothing else."""

    state: Settling
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """A wallet's answer: its result, or its error's code."""

    result: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a question came to. `why`: it was not asked."""

    reply: _Reply | None = None
    info: Info | None = None
    why: Undelivered | None = None
    unreadable: bool = False


class Wallets:
    """Wallets, each through the relays of its connection."""

    def __init__(self, relays: Relays, clock: Callable[[], float] = time.time) -> None:
        self._relays, self._clock = relays, clock

    def info(self, connection: Connection) -> Looked:
        """What the wallet published of itself."""
        wanted = _kept_by(connection)
        found = self._relays.fetch(connection.relays, wanted, deadline.left(READ_SECONDS), connection.key)
        found.events = [event for event in found.events if _is_info(event, connection)]
        if found.newest is not None:
            return Looked(state="found", info=_info(found.newest))
        if len(found.answered) == len(connection.relays):
            return Looked(state="absent")
        return Looked(state=_worst(found.troubles))

    def budget(self, connection: Connection, known: Info | None = None) -> Budget | Refusal | None:
        """What is left to spend, or how the wallet refused to say. None: it does not tell, or did not answer."""
        asked = self._ask(connection, "get_budget", {}, READ_SECONDS, known)
        if asked.reply is None:
            return None
        if asked.reply.code is not None:
            refusal = _REFUSALS.get(asked.reply.code)
            return None if refusal == "not_implemented" else refusal
        return _budget(asked.reply.result)

    def pay(self, connection: Connection, invoice: str, expires_at: int, known: Info | None = None) -> Payment:
        """Asks the wallet to pay a bolt11, once. Nothing is to be asked after `expires_at` (Unix seconds).

        `known`: the info event as it was read before, for when the relays have lost it. Raises `bolt11.BadInvoice`.
        """
        wanted = bolt11.decode(invoice)
        if deadline.left() < LEAST_SECONDS or self._clock() >= min(expires_at, wanted.expires_at):
            return Payment(outcome="not_delivered", reason="no_time")
        expires_at = min(expires_at, wanted.expires_at)
        params = {"invoice": invoice}
        asked = self._ask(connection, "pay_invoice", params, PAY_SECONDS, known, expires_at=expires_at)
        if asked.why is not None:
            return Payment(outcome="not_delivered", reason=asked.why, info=asked.info)
        if asked.reply is None:
            return Payment(outcome="unknown", reason="unreadable" if asked.unreadable else "silence", info=asked.info)
        code = asked.reply.code
        if code is None:
            proven = wanted.proves(asked.reply.result.get("preimage"))
            fees = _amount(asked.reply.result.get("fees_paid"))
            return Payment(outcome="paid", proven=proven, fees_msat=fees, info=asked.info)
        if code in _REFUSALS:
            return Payment(outcome="refused", reason=_REFUSALS[code], code=code, info=asked.info)
        return Payment(outcome="unknown", reason=_UNSURE.get(code, "other"), code=code, info=asked.info)

    def lookup(self, connection: Connection, invoice: str, known: Info | None = None) -> Lookup:
        """Asks what became of a bolt11. That the wallet does not know it says nothing: it may be slow to note."""
        wanted = bolt11.decode(invoice)
        params = {"payment_hash": wanted.payment_hash}
        asked = self._ask(connection, "lookup_invoice", params, READ_SECONDS, known)
        result = asked.reply.result if asked.reply is not None else {}
        if result.get("type") == "incoming":
            return Lookup(state="unknown")
        state = _STATES.get(str(result.get("state")).lower(), "settled" if result.get("settled_at") else "unknown")
        return Lookup(state=state, proven=wanted.proves(result.get("preimage")))

    def _ask(
        self,
        connection: Connection,
        method: str,
        params: Mapping[str, Any],
        seconds: float,
        known: Info | None,
        expires_at: int | None = None,
    ) -> _Asked:
        """One question and its answer. The info event is read in the same breath, on the same connection."""
        info, why, unreadable = known, None, False
        found = None

        def question(kept: list[Event]) -> Event | None:
            nonlocal info, why, found
            newest = max(
                (event for event in kept if _is_info(event, connection)), key=lambda e: e.created_at, default=None
            )
            found = _info(newest) if newest is not None else None
            if found is not None and (info is None or found.created_at >= info.created_at):
                info = found  # an older one than we know is a relay's doing, not the wallet's
            why = _obstacle(info, method)
            if why is not None or info is None or info.encryption is None:
                return None
            return _request(connection, info.encryption, method, params, int(self._clock()), expires_at)

        def accept(asked: Event, event: Event) -> _Reply | None:
            nonlocal unreadable
            if event.kind != _RESPONSE or event.pubkey != connection.wallet or asked.id not in event.values("e"):
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
            answers=lambda asked: _answers(connection, asked),
            accept=accept,
        )
        delivered = exchanged.delivered
        if exchanged.answer is None and not delivered.taken and not delivered.unsure:
            if exchanged.asked is not None or len(delivered.troubles) == len(connection.relays):
                why = _worst(delivered.troubles)
            return _Asked(why=why or "unreachable", info=found)
        return _Asked(reply=exchanged.answer, info=found, unreadable=unreadable)


# --- events ----------------------------------------------------------------------------------------------------------


def _kept_by(connection: Connection) -> Filter:
    return {"kinds": [_INFO], "authors": [connection.wallet], "limit": 1}


def _answers(connection: Connection, asked: Event) -> tuple[Filter, Filter]:
    """By the question's id; and without, for relays that do not know such filters. Never by our own key, which some
    wallets leave out, nor by time: a wallet's clock may be behind."""
    of_wallet: Filter = {"kinds": [_RESPONSE], "authors": [connection.wallet]}
    return {**of_wallet, "#e": [asked.id]}, of_wallet


def _is_info(event: Event, connection: Connection) -> bool:
    return event.kind == _INFO and event.pubkey == connection.wallet


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
    """What the wallet says; None when it cannot be read. In whichever scheme it chose: a wallet that does not know ours
    says so in its own."""
    decrypt = encryption.decrypt_nip04 if "?iv=" in event.content else encryption.decrypt
    try:
        found = json.loads(decrypt(event.content, connection.key, connection.wallet))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    error = found.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        return _Reply(code=code.upper()[:40] if isinstance(code, str) else "OTHER")
    result = found.get("result")
    return _Reply(result=result) if isinstance(result, dict) else None


# --- what is in them -------------------------------------------------------------------------------------------------


def _budget(told: Mapping[str, Any]) -> Budget | None:
    if not told:
        return Budget()
    total = _amount(told.get("total_budget"))
    if total is None:
        return None
    renewal = told.get("renewal_period")
    return Budget(
        used_msat=_amount(told.get("used_budget")) or 0,
        total_msat=total,
        renewal=renewal if renewal in ("daily", "weekly", "monthly", "yearly") else "never",
        renews_at=_amount(told.get("renews_at")),
    )


def _amount(value: Any) -> int | None:
    """A number as JSON gives it; one that counts nothing is None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return int(value)


def _worst(troubles: Mapping[str, Trouble]) -> Trouble:
    """Of several relays' troubles the one that says most."""
    order: tuple[Trouble, ...] = ("rate_limited", "auth_required", "refused")
    return next((one for one in order if one in troubles.values()), "unreachable")
