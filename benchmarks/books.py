"""Compares the ledger with what a provider charged and refunded, payment by payment, and with the rollups."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing.rules.money import monthly
from billing.rules.rollups import counters
from billing.store.metrics import MetricsStore, Stored

# (kind of sum, user, payment or "" for recurring revenue) → cents.
Books = Counter[tuple[str, str, str]]
_OF_LINE = {
    "payment": "charged",
    "refund": "refunded",
    "refund_failed": "refunded",
    "dispute": "charged back",
    "dispute_won": "charged back",
}
_OF_OBJECT = {"payment": "charged", "purchase": "charged", "refund": "refunded", "dispute": "charged back"}
_TAKEN_BACK = ("failed", "won")


def booked(lines: Iterable[Stored], users: set[str]) -> Books:
    """The sums of the ledger for these users."""
    books: Books = Counter()
    for user, line in lines:
        if user not in users:
            continue
        if line.kind in _OF_LINE:
            sign = 1 if line.kind == "payment" else -1
            books[_OF_LINE[line.kind], user, line.object_id] += sign * line.amount_cents
        elif line.kind == "mrr":
            books["per month", user, ""] += line.amount_cents
    return books


def reported(objects: Iterable[Mapping[str, Any]], users: set[str]) -> Books:
    """The same sums from the mock provider's objects."""
    books: Books = Counter()
    for obj in objects:
        kind, user = obj["object"], obj.get("user_id")
        if user not in users:
            continue
        if kind in _OF_OBJECT and obj.get("status") not in _TAKEN_BACK:
            books[_OF_OBJECT[kind], user, obj.get("payment", obj["id"])] += obj["amount_cents"]
        elif kind == "subscription" and obj["status"] in ("active", "past_due"):
            books["per month", user, ""] += monthly(obj["amount_cents"], obj["interval"])
    return books


def differences(ours: Books, theirs: Books) -> Iterator[str]:
    """A line of text for every sum that differs."""
    for kind, user, payment in sorted({*ours, *theirs}):
        booked_cents, provider_cents = ours[kind, user, payment], theirs[kind, user, payment]
        if booked_cents != provider_cents:
            yield f"{kind} {user} {payment}: booked {booked_cents}, provider says {provider_cents}"


def doubles(lines: Iterable[Stored]) -> int:
    """The number of surplus bookings of payments that were booked more than once."""
    times = Counter((user, line.provider, line.object_id) for user, line in lines if line.kind == "payment")
    return sum(count - 1 for count in times.values())


def rollups_agree(metrics: MetricsStore, lines: Iterable[Stored]) -> bool:
    """Whether all rollups equal the sums of the ledger."""
    return counters(line for _, line in lines) == metrics.everything(metrics.generations().reading)
