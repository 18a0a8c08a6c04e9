"""What the Accounts stream tells: ledger lines to the rollups, customers to their index, events to bus and hosts.

Only committed changes are told, and no committed change is lost (outbox). Each event carries `account_version`, the
number of the account's change it belongs to: a listener drops repeats and tells order by it. Delivery is at least
once; the rollups count each line exactly once. docs/events/ has a schema of each event.
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
# What is told of each; the snapshot has no more to tell than its version.
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
    """`bus`: the name of the event bus; `set_aside_url`: the queue for what can be neither told nor counted."""

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
        """Folds, indexes and publishes a batch of the stream; the first record that was not told is named.

        A fault in one record fails the batch: Lambda halves it until that record stands alone, and then it is set
        aside here, so that nobody waits behind it. What passes by itself (AWS does not answer) is tried again instead.
        """
        try:
            return self._publish(records, now)
        except Exception as error:
            passes = isinstance(error, TryAgain) or (isinstance(error, AwsError) and error.code not in OUR_FAULT)
            if len(records) > 1 or passes:
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
            # The stream comes again with all of it, and finds less to forget.
            return {"batchItemFailures": [{"itemIdentifier": _sequence(records[0])}]}
        left = [r for place, r in enumerate(records) if place > erased.get(r["dynamodb"]["Keys"]["user_id"]["S"], -1)]
        self._hosts.take_in(host_events(left), now)
        entries = [(_sequence(record), entry) for record in records for entry in domain_events([record])]
        for start in range(0, len(entries), _PUT_LIMIT):
            chunk = entries[start : start + _PUT_LIMIT]
            named = [{**entry, "EventBusName": self._bus} for _, entry in chunk]
            answer = self._aws.call("events", "put_events", Entries=named)
            if answer["FailedEntryCount"]:
                codes = [put.get("ErrorCode") for put in answer["Entries"]]
                first = next(place for place, code in enumerate(codes) if code)
                failure = {"failed": answer["FailedEntryCount"], "code": codes[first]}
                self._logger.error("the bus refused events", extra=failure)
                return {"batchItemFailures": [{"itemIdentifier": chunk[first][0]}]}
        self._logger.info("published", extra={"records": len(records), "folded": folded, "events": len(entries)})
        return {"batchItemFailures": []}

    def _set_aside(self, record: Mapping[str, Any], error: Exception) -> None:
        """Its key, by which the item is found again: the stream forgets it after a day."""
        key = values(record["dynamodb"]["Keys"])
        message = {**key, "sequence": _sequence(record), "reason": type(error).__name__}
        self._aws.call("sqs", "send_message", QueueUrl=self._set_aside_url, MessageBody=json.dumps(message))
        self._logger.error("change set aside", extra={"record": key["record"], "reason": type(error).__name__})


def _sequence(record: Mapping[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def changed_accounts(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The users whose accounts changed, and when: every change writes the snapshot, and an erasure deletes it."""
    return {
        record["dynamodb"]["Keys"]["user_id"]["S"]: int(record["dynamodb"]["ApproximateCreationDateTime"])
        for record in records
        if record["dynamodb"]["Keys"]["record"]["S"] == SNAPSHOT
    }


def past_records(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, PastPayment | Purchase]]:
    """The payments and purchases that went behind the range, or changed there, and whose they are."""
    for record in records:
        image = record["dynamodb"].get("NewImage")
        if image is not None and image["record"]["S"].startswith(PAST):
            past = record_from_item(image)
            if isinstance(past, PastPayment | Purchase):
                yield image["user_id"]["S"], past


def erased_accounts(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The users who were erased, and the place of the record that says so: nothing deletes a snapshot but an erasure.

    What the stream told of them before comes before it, so nothing of it is left when that is forgotten.
    """
    return {
        record["dynamodb"]["Keys"]["user_id"]["S"]: place
        for place, record in enumerate(records)
        if record["eventName"] == "REMOVE" and record["dynamodb"]["Keys"]["record"]["S"] == SNAPSHOT
    }


def ledger_lines(records: Iterable[Mapping[str, Any]]) -> list[Stored]:
    """The ledger lines that were written; that one was marked as folded is no news."""
    written = [values(r["dynamodb"]["NewImage"]) for r in records if r["eventName"] == "INSERT"]
    return [(image["user_id"], ledger_entry(image)) for image in written if image["record"].startswith(LEDGER)]


def domain_events(records: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Stream records to EventBridge entries, less the bus name. Records of no meaning to others give none."""
    events = (_domain_event(record) for record in records)
    return [
        {"Source": SOURCE, "DetailType": event[0], "Detail": json.dumps(event[1])}
        for event in events
        if event is not None
    ]


def host_events(records: Iterable[Mapping[str, Any]]) -> list[HostEvent]:
    """The same for hosts, and what an operator is alerted of, in the order in which it was committed."""
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
    """What a record of the stream tells: the event's type and detail."""
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
        return None  # carried over from an erased account, or to another place: it has been told before
    if record.startswith(LEDGER):
        return None if before else "LedgerEntryWritten"  # that a line was marked as folded is no news
    if record.startswith("renewal#"):
        # The host tells its user that prepaid time runs out, with a link to the renewal's invoice.
        return "RenewalDue" if image.get("reminded_days") not in (None, before.get("reminded_days")) else None
    if record.startswith("mandate#"):
        trouble = (image.get("trouble"), image.get("given_up"))
        news = image.get("trouble") is not None and trouble != (before.get("trouble"), before.get("given_up"))
        return "RenewalTrouble" if news and not image.get("removed") else None
    return _RECORD_EVENTS.get(record.removeprefix(BEHIND).partition("#")[0])
