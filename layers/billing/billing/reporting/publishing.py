"""Processes the Accounts stream: ledger lines to rollups, customers to their index, events to the bus and to hosts.

The stream is the outbox: it has every committed change and nothing else. Each event carries `account_version`, the
number of the account's change, by which a listener drops repeats and sorts. Delivery is at least once; rollups count
each line exactly once. docs/events/ has a schema of each event.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from billing.aws import OUR_FAULT, Aws, AwsError
from billing.errors import TryAgain
from billing.hosts.outbox import HostEvents
from billing.log import Log
from billing.rules.host_events import HostEvent, alert_of, of_change
from billing.rules.records import PastPayment, Purchase
from billing.store.accounts import LEDGER, MOVED, PAST, SNAPSHOT, ledger_entry
from billing.store.codec import BEHIND, record_from_item, values
from billing.store.customers import CustomerIndex
from billing.store.metrics import MetricsStore, Stored

_PUT_LIMIT = 10  # entries of one PutEvents
SOURCE = "bitsleuth.billing"
_RECORD_EVENTS = {
    "subscription": "SubscriptionChanged",
    "purchase": "PurchaseChanged",
    "term": "TermChanged",
    "grant": "GrantChanged",
}
# The fields of each event. EntitlementsChanged has only its version.
SHOWN = {
    "SubscriptionChanged": (
        *("provider", "subscription_id", "plan_id", "plan_version", "status", "current_period_end"),
        *("cancel_at_period_end", "cancel_at", "ended_at", "cancel_reason"),
        *("scheduled_plan_id", "scheduled_plan_version"),
    ),
    "PurchaseChanged": ("provider", "purchase_id", "plan_id", "plan_version", "state", "amount_cents", "currency"),
    "TermChanged": ("provider", "purchase_id", "plan_id", "plan_version", "state", "amount_cents", "currency"),
    "GrantChanged": ("grant_id", "granted_at", "expires_at", "revoked_at"),
    "RenewalDue": ("group", "plan_id", "provider", "ends_at", "reminded_days"),
    "RenewalTrouble": ("group", "plan_id", "ends_at", "trouble", "given_up"),
    "LedgerEntryWritten": (
        *("entry_id", "at", "kind", "movement", "amount_cents", "currency", "provider", "plan_id", "plan_version"),
        *("object_id", "reason"),
    ),
}


class Changes:
    """`bus`: the name of the event bus; `set_aside_url`: the queue for records that cannot be processed."""

    def __init__(
        self,
        aws: Aws,
        bus: str,
        metrics: MetricsStore,
        customers: CustomerIndex,
        hosts: HostEvents,
        set_aside_url: str,
        logger: Log,
    ) -> None:
        self._aws = aws
        self._bus = bus
        self._metrics = metrics
        self._customers = customers
        self._hosts = hosts
        self._set_aside_url = set_aside_url
        self._logger = logger

    def publish(self, records: Sequence[Mapping[str, Any]], now: int) -> dict[str, list[dict[str, str]]]:
        """Fold, index and publish a batch of the stream. Returns the first record that was not published, if any.

        An error in one record fails the batch. Lambda halves the batch until the record is alone, and then it is set
        aside, so that it does not block the shard. Temporary errors (AWS does not answer) are retried instead.
        """
        try:
            return self._publish(records, now)
        except Exception as error:
            temporary = isinstance(error, TryAgain) or (isinstance(error, AwsError) and error.code not in OUR_FAULT)
            if len(records) > 1 or temporary:
                raise
            self._set_aside(records[0], error)
            return {"batchItemFailures": []}

    def _publish(self, records: Sequence[Mapping[str, Any]], now: int) -> dict[str, list[dict[str, str]]]:
        folded = self._metrics.fold(ledger_lines(records))
        for user_id, record in past_records(records):
            self._customers.keep(user_id, record)
        changed = changed_accounts(records)
        for user_id in changed:
            self._customers.refresh(user_id, now)
        if changed:
            self._customers.taken_in(max(changed.values()), now)
        erased = erased_accounts(records)
        if not all(map(self._hosts.forget, erased)):
            # Not everything is deleted yet: Lambda delivers the batch again, and the rest is deleted then.
            return {"batchItemFailures": [{"itemIdentifier": _sequence(records[0])}]}
        later = [r for place, r in enumerate(records) if place > erased.get(r["dynamodb"]["Keys"]["user_id"]["S"], -1)]
        self._hosts.take_in(host_events(later), now)
        entries = [(_sequence(record), entry) for record in records for entry in domain_events([record])]
        for start in range(0, len(entries), _PUT_LIMIT):
            chunk = entries[start : start + _PUT_LIMIT]
            on_bus = [{**entry, "EventBusName": self._bus} for _, entry in chunk]
            answer = self._aws.call("events", "put_events", Entries=on_bus)
            if answer["FailedEntryCount"]:
                codes = [put.get("ErrorCode") for put in answer["Entries"]]
                first = next(place for place, code in enumerate(codes) if code)
                failure = {"failed": answer["FailedEntryCount"], "code": codes[first]}
                self._logger.error("the bus refused events", extra=failure)
                return {"batchItemFailures": [{"itemIdentifier": chunk[first][0]}]}
        self._logger.info("published", extra={"records": len(records), "folded": folded, "events": len(entries)})
        return {"batchItemFailures": []}

    def _set_aside(self, record: Mapping[str, Any], error: Exception) -> None:
        """Send the record's key to the queue, to find the item by: the stream keeps records for a day only."""
        key = values(record["dynamodb"]["Keys"])
        message = {**key, "sequence": _sequence(record), "reason": type(error).__name__}
        self._aws.call("sqs", "send_message", QueueUrl=self._set_aside_url, MessageBody=json.dumps(message))
        self._logger.error("change set aside", extra={"record": key["record"], "reason": type(error).__name__})


def _sequence(record: Mapping[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def changed_accounts(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """User id → time of the change. Every change of an account writes its snapshot, and an erasure deletes it."""
    return {
        record["dynamodb"]["Keys"]["user_id"]["S"]: int(record["dynamodb"]["ApproximateCreationDateTime"])
        for record in records
        if record["dynamodb"]["Keys"]["record"]["S"] == SNAPSHOT
    }


def past_records(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, PastPayment | Purchase]]:
    """(user id, record) of past payments and purchases that were moved out of the account's main range, or changed."""
    for record in records:
        image = record["dynamodb"].get("NewImage")
        if image is not None and image["record"]["S"].startswith(PAST):
            past = record_from_item(image)
            if isinstance(past, PastPayment | Purchase):
                yield image["user_id"]["S"], past


def erased_accounts(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Erased user id → position of the record that shows it, the deleted snapshot: only an erasure deletes one.

    Earlier records of the user precede it in the stream, so they are not sent to hosts after the erasure.
    """
    return {
        record["dynamodb"]["Keys"]["user_id"]["S"]: place
        for place, record in enumerate(records)
        if record["eventName"] == "REMOVE" and record["dynamodb"]["Keys"]["record"]["S"] == SNAPSHOT
    }


def ledger_lines(records: Iterable[Mapping[str, Any]]) -> list[Stored]:
    """The new ledger lines. Updates, which mark a line as folded, are ignored."""
    written = [values(r["dynamodb"]["NewImage"]) for r in records if r["eventName"] == "INSERT"]
    return [(image["user_id"], ledger_entry(image)) for image in written if image["record"].startswith(LEDGER)]


def domain_events(records: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Stream records as EventBridge entries without the bus name. Internal records give none."""
    events = (_domain_event(record) for record in records)
    return [
        {"Source": SOURCE, "DetailType": event[0], "Detail": json.dumps(event[1])}
        for event in events
        if event is not None
    ]


def host_events(records: Iterable[Mapping[str, Any]]) -> list[HostEvent]:
    """Stream records as events for hosts, and alerts for the operator, in commit order."""
    events = []
    for record in records:
        domain_event = _domain_event(record)
        if domain_event is not None:
            change = record["dynamodb"]
            event = of_change(
                *(domain_event[0], change["Keys"]["record"]["S"].removeprefix(BEHIND)),
                *(int(change["ApproximateCreationDateTime"]), domain_event[1]),
            )
            alert = alert_of(event)
            events += [event] if alert is None else [event, alert]
    return events


def _domain_event(record: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """(type, detail) of a stream record's event; None if it has none."""
    new, old = record["dynamodb"].get("NewImage"), record["dynamodb"].get("OldImage")
    if new is None or new == old:
        return None
    return _event(values(new), values(old or {}))


def _event(image: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    detail_type = _type(image["record"], image, before)
    if detail_type is None:
        return None
    if detail_type == "EntitlementsChanged":
        return detail_type, {"user_id": image["user_id"], "account_version": image["version"]}
    detail = {name: image[name] for name in SHOWN[detail_type] if name in image}
    return detail_type, {"user_id": image["user_id"], "account_version": image["account_version"], **detail}


def _type(record: str, image: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    if record == SNAPSHOT:
        return "EntitlementsChanged"
    if "account_version" not in image or MOVED in image:
        return None  # copied from an erased account or moved to another key: it was published before
    if record.startswith(LEDGER):
        return None if before else "LedgerEntryWritten"  # an update only marks the line as folded
    if record.startswith("renewal#"):
        # For hosts that remind their users of the end of prepaid time.
        return "RenewalDue" if image.get("reminded_days") not in (None, before.get("reminded_days")) else None
    if record.startswith("mandate#"):
        trouble = (image.get("trouble"), image.get("given_up"))
        is_new = image.get("trouble") is not None and trouble != (before.get("trouble"), before.get("given_up"))
        return "RenewalTrouble" if is_new and not image.get("removed") else None
    return _RECORD_EVENTS.get(record.removeprefix(BEHIND).partition("#")[0])
