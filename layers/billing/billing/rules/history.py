"""What changed in an account, as codes with values: for the timeline, and for questions about the past."""

from collections.abc import Mapping
from typing import Any, Literal

from billing.data import dataclass
from billing.rules.records import Account, Gift, Grant, Purchase, Record, Redemption, Subscription, Term


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """An admin's act: who, what (grant, refund, …), and why. `subject` says on what, besides the user."""

    actor: str
    action: str
    reason: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record from one status to the next; `was` None: it is new. `plan_was`: it changed its plan. Of a subscription
    `until` is the end of its period, or its own end once it is canceling, and `until_was` the one before; `scheduled`
    is the plan it changes to at the period's end, `unscheduled` one that it no longer changes to."""

    kind: str
    record: str
    was: str | None
    status: str
    plan_id: str | None = None
    plan_was: str | None = None
    until: int | None = None
    until_was: int | None = None
    scheduled: str | None = None
    unscheduled: str | None = None

    def as_dict(self) -> dict[str, str | int]:
        fields = {name: getattr(self, name) for name in Change.__dataclass_fields__}
        return {name: value for name, value in fields.items() if value is not None}


def changes(before: Account, after: Account) -> list[Change]:
    """The records that decide access and changed, with the status as a person would call it."""
    result = []
    for key, record in sorted(after.records.items()):
        old = before.records.get(key)
        if old == record or not isinstance(record, Subscription | Purchase | Redemption | Grant):
            continue
        plan, plan_was = _plan(record), _plan(old)
        next_plan, next_was = _scheduled(record), _scheduled(old)
        result.append(
            Change(
                kind=_kind(record),
                record=key,
                was=_status(old) if old else None,
                status=_status(record),
                plan_id=plan,
                plan_was=plan_was if old and plan_was != plan else None,
                until=_until(record),
                until_was=_until(old),
                scheduled=next_plan if next_plan != next_was else None,
                unscheduled=next_was if next_plan is None and next_was != plan else None,
            )
        )
    return result


def _kind(record: Record) -> str:
    if isinstance(record, Subscription):
        return "subscription"
    if isinstance(record, Term):
        return "term"
    if isinstance(record, Gift):
        return "gift"
    if isinstance(record, Redemption):
        return "voucher"
    return "purchase" if isinstance(record, Purchase) else "grant"


def _status(record: Record) -> str:
    if isinstance(record, Subscription):
        ending = record.status in ("trialing", "active") and record.ends_at is not None
        return "canceling" if ending else record.status
    if isinstance(record, Purchase):
        return record.status
    if isinstance(record, Redemption):
        return record.closed or "redeemed"
    return "revoked" if isinstance(record, Grant) and record.revoked_at is not None else "granted"


def _plan(record: Record | None) -> str | None:
    return getattr(record, "plan_id", None)


def _scheduled(record: Record | None) -> str | None:
    return record.scheduled_plan_id if isinstance(record, Subscription) else None


def _until(record: Record | None) -> int | None:
    if isinstance(record, Subscription):
        return record.current_period_end if record.ends_at is None else record.ends_at
    return record.expires_at if isinstance(record, Grant) else None


# What a change is, in one word: pages have a sentence for each, in every language.
Code = Literal["began", "moved", "became", "canceling", "resumed", "scheduled", "unscheduled", "renewed"]


def code(change: Mapping[str, Any]) -> Code | None:
    """What a person would say happened, from a change as it was stored; None: nothing that they would mention."""
    was, status = change.get("was"), change["status"]
    if was is None:
        return "began"
    if change.get("plan_was"):
        return "moved"
    if was != status:
        if status == "canceling":
            return "canceling"
        return "resumed" if was == "canceling" and status in ("active", "trialing") else "became"
    if change.get("scheduled"):
        return "scheduled"
    if change.get("unscheduled"):
        return "unscheduled"
    later = (change.get("until") or 0) > (change.get("until_was") or 0) > 0
    return "renewed" if later and change["kind"] == "subscription" and status != "canceling" else None
