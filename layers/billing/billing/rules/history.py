"""What changed in an account, in words that stay true: for the timeline, and for questions about the past."""

from collections.abc import Mapping
from typing import Any

from billing.data import dataclass
from billing.rules.records import Account, Grant, Purchase, Record, Subscription, Term


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """An admin's act: who, what (grant, refund, …), and why. `subject` says on what, besides the user."""

    actor: str
    action: str
    reason: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record from one status to the next; `was` None: it is new. `plan_was`: it changed its plan."""

    kind: str
    record: str
    was: str | None
    status: str
    plan_id: str | None = None
    plan_was: str | None = None

    def as_dict(self) -> dict[str, str]:
        told = {name: getattr(self, name) for name in Change.__dataclass_fields__}
        return {name: value for name, value in told.items() if value is not None}


def changes(before: Account, after: Account) -> list[Change]:
    """The records that decide access and changed, by what a person would call their status."""
    found = []
    for key, record in sorted(after.records.items()):
        old = before.records.get(key)
        if old == record or not isinstance(record, Subscription | Purchase | Grant):
            continue
        plan, plan_was = _plan(record), _plan(old)
        found.append(
            Change(
                kind=_kind(record),
                record=key,
                was=_status(old) if old else None,
                status=_status(record),
                plan_id=plan,
                plan_was=plan_was if old and plan_was != plan else None,
            )
        )
    return found


def _kind(record: Record) -> str:
    if isinstance(record, Subscription):
        return "subscription"
    if isinstance(record, Term):
        return "term"
    return "purchase" if isinstance(record, Purchase) else "grant"


def _status(record: Record) -> str:
    if isinstance(record, Subscription):
        ending = record.status in ("trialing", "active") and record.ends_at is not None
        return "canceling" if ending else record.status
    if isinstance(record, Purchase):
        return record.status
    return "revoked" if isinstance(record, Grant) and record.revoked_at is not None else "granted"


def _plan(record: Record | None) -> str | None:
    return getattr(record, "plan_id", None)


def describe(change: Mapping[str, Any]) -> str:
    """One line for people, from a change as it was stored."""
    what = str(change["kind"]).capitalize()
    if change.get("plan_was"):
        return f"{what} moved from {change['plan_was']} to {change['plan_id']}"
    of_plan = f" of {change['plan_id']}" if change.get("plan_id") else ""
    status = str(change["status"]).replace("_", " ")
    if change.get("was") is None:
        return f"{what}{of_plan} began: {status}"
    if change["was"] == change["status"]:
        return f"{what}{of_plan} was updated, still {status}"
    return f"{what}{of_plan} became {status}"
