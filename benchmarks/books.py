"""A provider's word of what it charged and refunded held against the ledger, payment by payment; the rollups too."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing.rules.money import monthly
from billing.rules.rollups import counters
from billing.store.metrics import MetricsStore, Stored

# (what, user, payment or "" for what recurs) → cents.
Books = Counter[tuple[str, str, str]]
_OF_LINE = {
    "payment": "charged",
    "refund": "refunded",
    "refund_failed": "refunded",
    "dispute": "charged back",
    "dispute_won": "charged back",
}
_OF_THING = {"payment": "charged", "purchase": "charged", "refund": "refunded", "dispute": "charged back"}
_TAKEN_BACK = ("failed", "won")


def booked(lines: Iterable[Stored], users: set[str]) -> Books:
    """The ledger's own sums for these users."""
    found: Books = Counter()
    for user, line in lines:
        if user not in users:
            continue
        if line.kind in _OF_LINE:
            sign = 1 if line.kind == "payment" else -1
            found[_OF_LINE[line.kind], user, line.object_id] += sign * line.amount_cents
        elif line.kind == "mrr":
            found["per month", user, ""] += line.amount_cents
    return found


def told(things: Iterable[Mapping[str, Any]], users: set[str]) -> Books:
    """The same from the mock provider's objects."""
    found: Books = Counter()
    for thing in things:
        kind, user = thing["object"], thing.get("user_id")
        if user not in users:
            continue
        if kind in _OF_THING and thing.get("status") not in _TAKEN_BACK:
            found[_OF_THING[kind], user, thing.get("payment", thing["id"])] += thing["amount_cents"]
        elif kind == "subscription" and thing["status"] in ("active", "past_due"):
            found["per month", user, ""] += monthly(thing["amount_cents"], thing["interval"])
    return found


def differences(ours: Books, theirs: Books) -> Iterator[str]:
    """Every sum on which the two do not agree, in words."""
    for what, user, payment in sorted({*ours, *theirs}):
        mine, yours = ours[what, user, payment], theirs[what, user, payment]
        if mine != yours:
            yield f"{what} {user} {payment}: booked {mine}, provider says {yours}"


def doubles(lines: Iterable[Stored]) -> int:
    """Payments that were booked more than once, counted."""
    times = Counter((user, line.provider, line.object_id) for user, line in lines if line.kind == "payment")
    return sum(count - 1 for count in times.values())


def rollups_agree(metrics: MetricsStore, lines: Iterable[Stored]) -> bool:
    """Whether every figure that is kept is what the ledger adds up to."""
    return counters(line for _, line in lines) == metrics.everything(metrics.generations().reading)
