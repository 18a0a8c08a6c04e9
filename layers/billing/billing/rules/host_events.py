"""The events that hosts receive by signed webhook: kinds, ids, order and retries."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from billing.data import dataclass
from billing.rules.times import rfc3339

# What happens to one account, as the bus tells it too; docs/events/ has a schema of each.
OF_ACCOUNTS = (
    "EntitlementsChanged",
    "SubscriptionChanged",
    "PurchaseChanged",
    "TermChanged",
    "GrantChanged",
    "LedgerEntryWritten",
    "RenewalDue",
    "RenewalTrouble",
)
# What an operator wants to hear of at once. They go to endpoints alone, not to the bus.
ALERTS = ("ChargebackOpened", "CustomerLost", "DeadLettersFound", "ProviderAway", "EndpointPaused")
EVENT_TYPES = (*OF_ACCOUNTS, *ALERTS)
# Sent when an admin asks for it, to any endpoint.
TEST = "TestEvent"
TEST_LANE, _ALERT_LANE = "test", "alerts"

# Seconds after each try that failed, ten tries in three days; the spread keeps many from coming back at once.
WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
TRIES = len(WAITS) + 1
# An endpoint that has accepted nothing for so long, in at least as many tries as one event has, is paused.
PAUSED_AFTER = sum(WAITS)
_LONGEST_WAIT = 86_400
# Failures of an endpoint in a row, whatever the account, after which it is left alone for a while.
_PATIENCE = 5
_FIRST_HOLD, _LONGEST_HOLD = 30, 900


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEvent:
    """`lane`: events of one lane are delivered one after the other: an account's id, or "alerts" for what has none.
    `place` sorts the events of a lane; `at` is when it happened."""

    event_id: str
    type: str
    lane: str
    place: str
    at: int
    data: Mapping[str, Any]

    @property
    def body(self) -> str:
        """The exact text that is signed and sent, the same at each try."""
        message = {"type": self.type, "timestamp": rfc3339(self.at), "data": self.data}
        return json.dumps(message, separators=(",", ":"))


def of_change(type_: str, record: str, at: int, detail: Mapping[str, Any]) -> HostEvent:
    """The event of one record of one change of an account; made again, it is the same, id included. Within a change,
    what opens and closes features comes first."""
    user_id, version = detail["user_id"], detail["account_version"]
    rank = "0" if type_ == "EntitlementsChanged" else "1"
    if type_ in ("RenewalDue", "RenewalTrouble"):  # noted beside the account's changes, more than once at one version
        occasion = detail["reminded_days"] if type_ == "RenewalDue" else f"{detail['trouble']}#{at}"
        rank, record = f"2#{at:012d}", f"{record}#{detail['ends_at']}#{occasion}"
    return HostEvent(
        event_id=_id(user_id, version, record, type_),
        type=type_,
        lane=user_id,
        place=f"{version:012d}#{rank}#{record}#{type_}",
        at=at,
        data=detail,
    )


def alert_of(event: HostEvent) -> HostEvent | None:
    """What an operator hears of at once, when a line of the ledger says it: money is taken back, or a customer left."""
    if event.type != "LedgerEntryWritten":
        return None
    kind, movement = event.data["kind"], event.data.get("movement")
    if kind == "dispute":
        type_ = "ChargebackOpened"
    elif kind == "mrr" and movement == "churn":
        type_ = "CustomerLost"
    else:
        return None
    shown = ("user_id", "account_version", "entry_id", "amount_cents", "currency", "provider", "plan_id", "object_id")
    data = {name: event.data[name] for name in (*shown, "reason") if name in event.data}
    event_id = _id(event.event_id, type_)
    return HostEvent(
        event_id=event_id, type=type_, lane=event.lane, place=f"{event.place}#{type_}", at=event.at, data=data
    )


def alert(type_: str, at: int, data: Mapping[str, Any]) -> HostEvent:
    """An alert that concerns no account; of one kind and moment it is always the same event."""
    event_id = _id(type_, at, json.dumps(data, sort_keys=True))
    return HostEvent(event_id=event_id, type=type_, lane=_ALERT_LANE, place=f"{at:012d}#{event_id}", at=at, data=data)


def _id(*parts: object) -> str:
    return "evt_" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]


# --- the tries -------------------------------------------------------------------------------------------------------


def wait_after(failures: int, retry_after: int, spread: float) -> int | None:
    """Seconds until the next try after so many failed ones; None: it was the last.

    `retry_after`: what the receiver asked for itself (Retry-After). `spread`, from 0 to 1, lengthens by up to a tenth.
    """
    if failures >= TRIES:
        return None
    wait = WAITS[failures - 1]
    return max(round(wait + wait * spread / 10), min(retry_after, _LONGEST_WAIT))


def hold_after(failures: int) -> int:
    """Seconds for which an endpoint is left alone after so many failures in a row; 0: not at all."""
    if failures < _PATIENCE:
        return 0
    return min(_LONGEST_HOLD, _FIRST_HOLD * int(2 ** min(failures - _PATIENCE, 10)))


def test_event(at: int, admin: str, chance: str) -> HostEvent:
    """`chance`: a random part of the id, so that each test is an event of its own."""
    data = {"message": "A test that an admin asked for.", "asked_by": admin}
    event_id = _id(TEST, at, chance)
    place = f"{at:012d}#{event_id}"
    return HostEvent(event_id=event_id, type=TEST, lane=TEST_LANE, place=place, at=at, data=data)
