"""What the stream tells the world: every event has the shape that its schema promises."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from billing.reporting.publishing import SHOWN, domain_events, ledger_lines
from billing.rules.ledger import book
from billing.rules.records import Account, Grant, Record, Renewal
from billing.store.accounts import ledger_item
from billing.store.codec import Item, item, record_to_item
from samples import CATALOGUE, NOW, USER
from tests.rules.test_ledger import payment, subscription, term

SCHEMAS = Path(__file__).parents[2] / "docs" / "events"


def told(new: Item, old: Item | None = None, name: str = "INSERT") -> dict[str, Any]:
    images = {"NewImage": {**new, **item({"account_version": 3})}}
    if old is not None:
        images["OldImage"] = {**old, **item({"account_version": 3})}
    return {"eventName": name, "dynamodb": {"SequenceNumber": "1", **images}}


GRANT = Grant(grant_id="g_1", features={"ai.chat": True}, granted_by="admin", reason="support", granted_at=NOW)
RENEWAL = Renewal(
    group="main",
    plan_id="plus-month",
    plan_version=1,
    provider="btcpay",
    purchase_id="inv_1",
    ends_at=NOW,
    reminded_days=7,
)
RECORDS: list[Record] = [subscription(payments={"in_1": payment()}, cancel_at=NOW), term("inv_1", NOW), GRANT]


def lines() -> list[Item]:
    account = Account(USER, records={r.record: r for r in RECORDS})
    return [ledger_item(USER, line) for line in book(Account(USER), account, CATALOGUE, NOW)[1]]


@pytest.mark.parametrize(
    "stored",
    [
        *(record_to_item(USER, record) for record in (*RECORDS, RENEWAL)),
        *lines(),
        item({"user_id": USER, "record": "entitlements", "version": 3, "sources": []}),
    ],
    ids=lambda stored: stored["record"]["S"],
)
def test_each_event_has_the_shape_of_its_schema(stored: Item) -> None:
    [entry] = domain_events([told(stored)])
    schema = json.loads((SCHEMAS / f"{entry['DetailType']}.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(entry["Detail"]))


def test_every_event_has_a_schema_and_every_schema_is_listed() -> None:
    listed = (SCHEMAS / "README.md").read_text()
    names = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert names == {*SHOWN, "EntitlementsChanged"}
    assert all(f"({name}.schema.json)" in listed for name in names)


def test_a_change_of_nothing_is_not_told() -> None:
    stored = record_to_item(USER, RECORDS[0])
    assert domain_events([told(stored, stored, "MODIFY")]) == []


def test_a_renewal_that_is_put_off_without_a_reminder_is_not_told() -> None:
    stored = record_to_item(USER, RENEWAL)
    assert domain_events([told(record_to_item(USER, replace(RENEWAL, ends_at=NOW + 1)), stored, "MODIFY")]) == []


def test_marking_a_line_as_folded_is_neither_an_event_nor_folded_again() -> None:
    stored = lines()[0]
    marked = told({**stored, **item({"folded": 1})}, stored, "MODIFY")
    assert domain_events([marked]) == []
    assert ledger_lines([marked]) == []


def test_a_line_read_from_the_stream_is_the_line_that_was_written() -> None:
    account = Account(USER, records={r.record: r for r in RECORDS})
    written = book(Account(USER), account, CATALOGUE, NOW)[1]
    assert ledger_lines([told(ledger_item(USER, line)) for line in written]) == [(USER, line) for line in written]


def test_usage_history_and_the_audit_log_are_nobody_elses_business() -> None:
    for record in ("usage#ai.chat", "~history#1", "~audit#1", "mrr", "checkout#main"):
        assert domain_events([told(item({"user_id": USER, "record": record}))]) == []


def test_the_stream_wakes_the_publisher_for_every_record_it_tells_of(template: dict[str, Any]) -> None:
    """What the filter keeps away is never told, and nothing that is told is kept away."""
    source = template["Resources"]["PublishChangesFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    patterns = [json.loads(f["Pattern"]) for f in source["FilterCriteria"]["Filters"]]

    def passes(record: dict[str, Any]) -> bool:
        key = record["dynamodb"]["NewImage"]["record"]["S"]
        return any(
            record["eventName"] in pattern["eventName"]
            and any(key.startswith(rule["prefix"]) for rule in pattern["dynamodb"]["Keys"]["record"]["S"])
            for pattern in patterns
        )

    snapshot = item({"user_id": USER, "record": "entitlements", "version": 3, "sources": []})
    stored = [*(record_to_item(USER, r) for r in (*RECORDS, RENEWAL)), *lines(), snapshot]
    silent = [item({"user_id": USER, "record": r}) for r in ("usage#ai.chat", "~history#1", "mrr", "checkout#main")]
    for image in (*stored, *silent):
        for name, old in (("INSERT", None), ("MODIFY", {**image, **item({"folded": 0})})):
            record = told(image, old, name)
            if domain_events([record]) or ledger_lines([record]):
                assert passes(record), f"{name} of {image['record']} would not be told"
    assert not any(passes(told(image)) for image in silent)
