"""What the Accounts stream tells the world: domain events, from committed changes and nothing else.

Each event carries the account's `version`, a number that only grows, so that a listener can drop repeats and tell
order. Delivery is at least once.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from billing.aws import Aws
from billing.store.accounts import SNAPSHOT
from billing.store.codec import values

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_PUT_LIMIT = 10  # entries of one PutEvents
SOURCE = "bitsleuth.billing"
_RECORD_EVENTS = {"subscription": "SubscriptionChanged", "purchase": "PurchaseChanged", "term": "TermChanged"}


def domain_events(records: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Stream records to EventBridge entries, less the bus name. Records of no meaning to others give none."""
    entries = []
    for record in records:
        new = record["dynamodb"].get("NewImage")
        if new is None or new == record["dynamodb"].get("OldImage"):
            continue
        event = _event(values(new), values(record["dynamodb"].get("OldImage", {})))
        if event is not None:
            detail_type, detail = event
            entries.append({"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)})
    return entries


def _event(image: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    record = image["record"]
    if record == SNAPSHOT:
        return "EntitlementsChanged", {"user_id": image["user_id"], "version": image["version"]}
    if record.startswith("~ledger#"):
        shown = ("entry_id", "at", "kind", "movement", "amount_cents", "currency", "provider", "plan_id", "reason")
        return "LedgerEntryWritten", {"user_id": image["user_id"], **{n: image[n] for n in shown if n in image}}
    if record.startswith("renewal#"):
        return _reminder(image) if image.get("reminded_days") not in (None, before.get("reminded_days")) else None
    detail_type = _RECORD_EVENTS.get(record.partition("#")[0])
    if detail_type is None:
        return None
    names = ("provider", "plan_id", "plan_version", "status", "state", "current_period_end", "cancel_at_period_end")
    detail = {n: image[n] for n in names if n in image}
    return detail_type, {"user_id": image["user_id"], "record": record, **detail}


def _reminder(image: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Prepaid time runs out in `days`: the host tells its user, with a link to the renewal's invoice."""
    names = ("user_id", "group", "plan_id", "provider", "ends_at")
    return "RenewalDue", {**{n: image[n] for n in names}, "days": image["reminded_days"]}


def publish(
    aws: Aws, bus: str, records: Sequence[Mapping[str, Any]], logger: "Logger"
) -> dict[str, list[dict[str, str]]]:
    """Puts a stream batch's events on the bus. When one is refused, the batch is read again from its first record."""
    entries = [{**entry, "EventBusName": bus} for entry in domain_events(records)]
    for start in range(0, len(entries), _PUT_LIMIT):
        answer = aws.call("events", "put_events", Entries=entries[start : start + _PUT_LIMIT])
        if answer["FailedEntryCount"]:
            logger.error("the bus refused events", extra={"failed": answer["FailedEntryCount"]})
            return {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    logger.info("published", extra={"records": len(records), "events": len(entries)})
    return {"batchItemFailures": []}
