"""What happened to a user, as codes with values that the pages put into words: changes of records and moved money."""

from collections.abc import Iterable, Mapping
from typing import Any

from billing.rules.history import code
from billing.rules.times import rfc3339

View = dict[str, Any]
# A provider reports a new period and its payment in two events. Within so many seconds they are shown as one line.
_TOGETHER = 3_600
MONEY = {
    "payment": ("payment", "paid"),
    "refund": ("refund", "refunded"),
    "refund_failed": ("refund", "refund_failed"),
    "dispute": ("dispute", "disputed"),
    "dispute_won": ("dispute", "dispute_won"),
}


def timeline(history: Iterable[Mapping[str, Any]], ledger: Iterable[Mapping[str, Any]]) -> list[View]:
    """From an account's stored history and ledger, newest first. A renewal and its payment are one line."""
    changed = [_change(entry, change) for entry in history for change in entry["changes"] if code(change)]
    money = [_money(line) for line in ledger if line["kind"] in MONEY]
    for paid in list(money):
        renewed = next((one for one in changed if _is_of(one, paid)), None)
        if renewed is not None:
            renewed |= {name: paid[name] for name in ("amount_cents", "tax_cents", "currency", "provider")}
            money.remove(paid)
    entries = sorted([*changed, *money], key=lambda entry: int(entry["at"]), reverse=True)
    return [{**entry, "at": rfc3339(entry["at"]), "until": rfc3339(entry["until"])} for entry in entries]


def _is_of(renewed: View, paid: View) -> bool:
    return (
        (renewed["code"], paid["code"], paid["reason"]) == ("renewed", "paid", "renewal")
        and renewed["amount_cents"] is None
        and renewed["plan_id"] == paid["plan_id"]
        and abs(renewed["at"] - paid["at"]) <= _TOGETHER
    )


_NOTHING: View = dict.fromkeys(
    (
        *("plan_id", "plan_was", "next_plan_id", "status", "until", "provider", "event_id"),
        *("amount_cents", "tax_cents", "currency", "actor", "reason"),
    )
)


def _change(entry: Mapping[str, Any], change: Mapping[str, Any]) -> View:
    return {
        **_NOTHING,
        "at": entry["at"],
        "kind": change["kind"],
        "code": code(change),
        "status": change["status"],
        "plan_id": change.get("plan_id"),
        "plan_was": change.get("plan_was"),
        "next_plan_id": change.get("scheduled") or change.get("unscheduled"),
        "until": change.get("until"),
        "event_id": entry.get("event_id"),
        "actor": entry.get("actor"),
        "reason": entry.get("reason"),
    }


def _money(line: Mapping[str, Any]) -> View:
    kind, word = MONEY[line["kind"]]
    return {
        **_NOTHING,
        "at": line["at"],
        "kind": kind,
        "code": word,
        "plan_id": line["plan_id"],
        "provider": line["provider"],
        "amount_cents": line["amount_cents"],
        "tax_cents": line.get("tax_cents", 0),
        "currency": line["currency"],
        "reason": line.get("reason"),
    }
