"""Values and records to DynamoDB attributes and back.

Scalars become attributes of their own, readable in a console and usable in conditions; nested values become one JSON
attribute each, because nested maps are slow to decode and nothing queries inside them. None and empty maps are left
out. Numbers are integers throughout.
"""

import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from billing.data import MISSING, fields
from billing.rules.records import (
    ENDED,
    Attempt,
    Booked,
    Bought,
    Checkout,
    DeletedCustomer,
    Dispute,
    Double,
    Dunning,
    Ended,
    Gift,
    Grant,
    Mandate,
    PastPayment,
    Payment,
    Purchase,
    Record,
    Redemption,
    Refund,
    RefundRequest,
    Renewal,
    Said,
    Subscription,
    Term,
)
from billing.rules.records import (
    Item as PlanItem,
)

Item = dict[str, Any]
# One encoder for all, because making one takes as long as encoding a short text.
_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def attribute(value: object) -> Item:
    """One scalar as an attribute: exactly a str, bool or int; a nested value becomes its JSON text."""
    kind = type(value)  # the most common type first: an event writes some seventy of them
    if kind is str:
        return {"S": value}
    if kind is int:
        return {"N": str(value)}
    if kind is bool:
        return {"BOOL": value}
    return {"S": _text(value)}


def scalar(value: Mapping[str, Any]) -> Any:
    """The inverse of `attribute`; a JSON text stays a text."""
    if "S" in value:
        return value["S"]
    if "N" in value:
        return int(value["N"])
    return value.get("BOOL")


def item(values: Mapping[str, object]) -> Item:
    """A whole item; None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def values(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scalar(value) for name, value in stored.items()}


# Longer texts are compressed: they repeat much (a plan's features, source by source), which costs write units.
_LONG = 700
_PACKED = "z:"


def packed(value: object) -> str:
    """A nested value as its JSON text; a long one compressed."""
    text = _text(value)
    if len(text) < _LONG:
        return text
    return _PACKED + binascii.b2a_base64(zlib.compress(text.encode()), newline=False).decode()


def unpacked(text: str) -> Any:
    """The inverse of `packed`."""
    if text.startswith(_PACKED):
        text = zlib.decompress(binascii.a2b_base64(text[len(_PACKED) :])).decode()
    return json.loads(text)


# --- records -------------------------------------------------------------------------------------------------------

_KINDS: dict[str, type[Record]] = {
    "subscription": Subscription,
    "~payment": PastPayment,
    "purchase": Purchase,
    "term": Term,
    "gift": Gift,
    "redemption": Redemption,
    "grant": Grant,
    "renewal": Renewal,
    "checkout": Checkout,
    "mandate": Mandate,
    "mrr": Booked,
    "customer": DeletedCustomer,
    "refund": RefundRequest,
    "double": Double,
    ENDED: Ended,
}
# The key of a record that is over begins so (see `rules/ended.py`): "~" sorts behind all that decides access.
BEHIND = "~past#"
# What fields are called now, by the names under which records that lie in tables may still have them.
_RENAMED = {"told": "exact_amount", "doubles": "duplicate_of"}


def record_to_item(user_id: str, record: Record, *, behind: bool = False) -> Item:
    return item(
        {
            "user_id": user_id,
            "record": f"{BEHIND}{record.record}" if behind else record.record,
            **_plain(record),
            **_due(user_id, record),
            **_waits(user_id, record),
        }
    )


# --- the index of what is due ----------------------------------------------------------------------------------------

# Few enough to query all of them every minute, and enough to spread the writes.
SHARDS = 4


def shard(kind: str, number: int) -> str:
    """A partition of an index: by time of poll (bitcoin invoices), remind, renew (by a wallet), review (prepaid time),
    settle (refunds), message (reminders by message), erase (erasures that were cut off) or decide (payments too late
    for their subscription); of invoice, those that wait for a person."""
    return f"{kind}#{number}"


def _waits(user_id: str, record: Record) -> dict[str, object]:
    """A record that waits for a person is in an index of its own, so that records due by time cannot crowd it out."""
    if isinstance(record, Purchase) and record.wants_a_person:
        since = record.payment.paid_at if record.payment else record.observed_at
        return {"waits_shard": shard("invoice", place_of(user_id)), "waits_since": since}
    return {}


def place_of(user_id: str) -> int:
    """The number of the partition of a user's records."""
    return zlib.crc32(user_id.encode()) % SHARDS


def _due(user_id: str, record: Record) -> dict[str, object]:
    """A record with a time at which it is due is in the index; one without has neither attribute."""
    number = place_of(user_id)
    if isinstance(record, Purchase) and record.poll_at is not None:
        return {"due_shard": shard("poll", number), "due_at": record.poll_at}
    if isinstance(record, Subscription) and record.paid_late:
        return {"due_shard": shard("decide", number), "due_at": max(p.paid_at for p in record.paid_late)}
    if isinstance(record, Renewal) and record.remind_at is not None:
        return {"due_shard": shard("remind", number), "due_at": record.remind_at}
    if isinstance(record, Mandate) and record.act_at is not None:
        return {"due_shard": shard("renew", number), "due_at": record.act_at}
    if isinstance(record, Booked) and record.review_at is not None:
        return {"due_shard": shard("review", number), "due_at": record.review_at}
    if isinstance(record, RefundRequest) and record.settle_at is not None:
        return {"due_shard": shard("settle", number), "due_at": record.settle_at}
    return {}


# --- records from items ----------------------------------------------------------------------------------------------


def record_from_item(stored: Mapping[str, Any]) -> Record:
    """Raises KeyError for a record kind that this version does not know: we do not guess about money. Fields of a later
    version are left out."""
    attributes = _renamed(values(stored))
    kind = _KINDS[attributes["record"].removeprefix(BEHIND).partition("#")[0]]
    decoded = _known(kind, attributes)
    if "payments" in decoded:
        decoded["payments"] = {key: _payment(value) for key, value in json.loads(decoded["payments"]).items()}
    if "payment" in decoded:
        decoded["payment"] = _payment(json.loads(decoded["payment"]))
    if "unpaid" in decoded:
        decoded["unpaid"] = {key: _nested(Dunning, value) for key, value in json.loads(decoded["unpaid"]).items()}
    if "transactions" in decoded:
        decoded["transactions"] = tuple(json.loads(decoded["transactions"]))
    if "others" in decoded:
        decoded["others"] = tuple(_nested(PlanItem, value) for value in json.loads(decoded["others"]))
    if "attempt" in decoded:
        decoded["attempt"] = _nested(Attempt, json.loads(decoded["attempt"]))
    if "said" in decoded:
        decoded["said"] = _nested(Said, json.loads(decoded["said"]))
    if "hashes" in decoded:
        decoded["hashes"] = tuple(json.loads(decoded["hashes"]))
    if kind is Ended:
        return _ended(decoded)
    for name in ("features", "positions", "since"):
        if name in decoded:
            decoded[name] = json.loads(decoded[name])
    return kind(**decoded)


def _known(kind: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: stored[f.name] for f in fields(kind) if f.name in stored}


def _nested(kind: type[Any], stored: Mapping[str, Any]) -> Any:
    return kind(**_known(kind, stored))


def _renamed(decoded: dict[str, Any]) -> dict[str, Any]:
    for old, new in _RENAMED.items():
        if old in decoded:
            decoded[new] = decoded.pop(old)
    return decoded


def _ended(decoded: dict[str, Any]) -> Ended:
    for name in ("laid", "newest"):
        decoded[name] = {key: tuple(value) for key, value in json.loads(decoded.get(name, "{}")).items()}
    for name in ("until", "rails"):
        if name in decoded:
            decoded[name] = json.loads(decoded[name])
    return Ended(**{**decoded, "rails": tuple(decoded.get("rails", ()))})


_SCALARS = (str, int, bool)
_NESTED = (Payment, Refund, Dispute, Dunning, Bought, PlanItem, Attempt, Said)


def _plain(value: Any) -> dict[str, Any]:
    """A record as plain dicts, without what has its default: smaller items cost fewer write units."""
    written: dict[str, Any] = {}
    for f in fields(value):
        inner = getattr(value, f.name)
        if inner is None or type(inner) in _SCALARS:
            pass
        elif isinstance(inner, Mapping):
            inner = {k: _plain(v) if isinstance(v, _NESTED) else v for k, v in inner.items()}
        elif isinstance(inner, tuple):
            inner = tuple(_plain(v) if isinstance(v, _NESTED) else v for v in inner)
        elif isinstance(inner, _NESTED):
            inner = _plain(inner)
        required = f.default is MISSING and f.default_factory is MISSING
        if required or (inner is not None and inner != f.default and inner not in ((), {})):
            written[f.name] = inner
    return written


def _payment(stored: dict[str, Any]) -> Payment:
    return Payment(
        **{
            **_known(Payment, stored),
            "refs": tuple(stored.get("refs", ())),
            "also": tuple(_nested(Bought, value) for value in stored.get("also", ())),
            "refunds": {key: _nested(Refund, _renamed(value)) for key, value in stored.get("refunds", {}).items()},
            "disputes": {key: _nested(Dispute, value) for key, value in stored.get("disputes", {}).items()},
        }
    )
