"""What the stream tells the world: every event has the shape that its schema promises."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from billing.aws import Aws, AwsError, NoAnswer
from billing.errors import TryAgain
from billing.hosts.outbox import HostEvents
from billing.log import Log
from billing.reporting.publishing import SHOWN, Changes, domain_events, host_events, ledger_lines, past_records
from billing.rules.host_events import OF_ACCOUNTS, HostEvent
from billing.rules.ledger import book
from billing.rules.records import Account, Grant, Mandate, PastPayment, Record, Renewal
from billing.store.accounts import MOVED, ledger_item
from billing.store.codec import Item, item, record_to_item
from billing.store.customers import CustomerIndex
from billing.store.metrics import MetricsStore
from samples import CATALOGUE, NOW, USER
from tests.rules.test_ledger import payment, subscription, term

SCHEMAS = Path(__file__).parents[2] / "docs" / "events"


def stream_record(new: Item, old: Item | None = None, name: str = "INSERT") -> dict[str, Any]:
    images = {"NewImage": {**new, **item({"account_version": 3})}}
    if old is not None:
        images["OldImage"] = {**old, **item({"account_version": 3})}
    keys = {key: new[key] for key in ("user_id", "record")}
    change = {"SequenceNumber": "1", "ApproximateCreationDateTime": float(NOW), "Keys": keys, **images}
    return {"eventName": name, "dynamodb": change}


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
MANDATE = Mandate(
    group="main",
    connection_id="wal_1",
    plan_id="plus-month",
    price_cents=900,
    currency="USD",
    most_sat=20_000,
    lead_days=3,
    agreed_at=NOW,
    ends_at=NOW,
    trouble="budget_used_up",
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
    [entry] = domain_events([stream_record(stored)])
    schema = json.loads((SCHEMAS / f"{entry['DetailType']}.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(entry["Detail"]))


def test_every_event_has_a_schema_and_every_schema_is_listed() -> None:
    listed = (SCHEMAS / "README.md").read_text()
    names = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert names == {*SHOWN, "EntitlementsChanged"}
    assert all(f"({name}.schema.json)" in listed for name in names)


def test_a_change_of_nothing_is_not_told() -> None:
    stored = record_to_item(USER, RECORDS[0])
    assert domain_events([stream_record(stored, stored, "MODIFY")]) == []


def test_a_renewal_that_is_put_off_without_a_reminder_is_not_told() -> None:
    stored = record_to_item(USER, RENEWAL)
    assert (
        domain_events([stream_record(record_to_item(USER, replace(RENEWAL, ends_at=NOW + 1)), stored, "MODIFY")]) == []
    )


def test_a_wallets_trouble_is_told_once_for_each_cause_and_nothing_that_could_pay_with_it() -> None:
    before, after = record_to_item(USER, replace(MANDATE, trouble=None)), record_to_item(USER, MANDATE)
    [entry] = domain_events([stream_record(after, before, "MODIFY")])
    schema = json.loads((SCHEMAS / "RenewalTrouble.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(entry["Detail"]))
    assert "wal_1" not in entry["Detail"]
    again = record_to_item(USER, replace(MANDATE, tries=2, act_at=NOW + 1))
    assert domain_events([stream_record(again, after, "MODIFY")]) == []
    assert (
        len(domain_events([stream_record(record_to_item(USER, replace(MANDATE, given_up=True)), after, "MODIFY")])) == 1
    )
    assert domain_events([stream_record(record_to_item(USER, replace(MANDATE, removed=True)), before, "MODIFY")]) == []


def test_marking_a_line_as_folded_is_neither_an_event_nor_folded_again() -> None:
    stored = lines()[0]
    marked = stream_record({**stored, **item({"folded": 1})}, stored, "MODIFY")
    assert domain_events([marked]) == []
    assert ledger_lines([marked]) == []


def test_a_line_read_from_the_stream_is_the_line_that_was_written() -> None:
    account = Account(USER, records={r.record: r for r in RECORDS})
    written = book(Account(USER), account, CATALOGUE, NOW)[1]
    assert ledger_lines([stream_record(ledger_item(USER, line)) for line in written]) == [
        (USER, line) for line in written
    ]


def test_usage_history_and_the_audit_log_are_nobody_elses_business() -> None:
    for record in ("usage#ai.chat", "~history#1", "~audit#1", "mrr", "checkout#main"):
        assert domain_events([stream_record(item({"user_id": USER, "record": record}))]) == []


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
    stored = [*(record_to_item(USER, r) for r in (*RECORDS, RENEWAL)), *lines(), snapshot, *past()]
    silent = [item({"user_id": USER, "record": r}) for r in ("usage#ai.chat", "~history#1", "mrr", "checkout#main")]
    for image in (*stored, *silent):
        for name, old in (("INSERT", None), ("MODIFY", {**image, **item({"folded": 0})})):
            record = stream_record(image, old, name)
            if domain_events([record]) or ledger_lines([record]) or list(past_records([record])):
                assert passes(record), f"{name} of {image['record']} would not be told"
    assert not any(passes(stream_record(image)) for image in silent)


def past() -> list[Item]:
    behind = record_to_item(USER, term("inv_1", NOW), behind=True)
    return [record_to_item(USER, PastPayment(provider="stripe", subscription_id="sub_1", payment=payment())), behind]


def test_what_the_index_of_customers_notes_of_them_is_not_taken_for_them() -> None:
    """Its notes come down the same stream: what cannot be read there would hold up all that is behind it."""
    written: list[dict[str, Any]] = []

    class Table:
        def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
            assert (service, operation) == ("dynamodb", "transact_write_items")
            written.extend(one["Put"]["Item"] for one in request["TransactItems"])
            return {}

    index = CustomerIndex(cast(Aws, Table()), "accounts", cast(Any, None))
    records = [record for _, record in past_records(map(stream_record, past()))]
    assert len(records) == len(past())
    for record in records:
        index.keep(USER, record)
    assert len(written) > len(records)
    for image in written:
        assert list(past_records([stream_record(image)])) == []
        assert domain_events([stream_record(image)]) == host_events([stream_record(image)]) == []


def test_what_went_to_another_place_is_no_news_and_what_changed_there_is() -> None:
    """A term that is over and is refunded is told as any other."""
    ahead, behind = record_to_item(USER, term("inv_1", NOW)), past()[1]
    moved = {MOVED: {"BOOL": True}}
    assert domain_events([stream_record({**behind, **moved}), stream_record({**ahead, **moved})]) == []
    assert host_events([stream_record({**behind, **moved})]) == []
    refunded = record_to_item(USER, term("inv_1", NOW, state="failed"), behind=True)
    was = record_to_item(USER, term("inv_1", NOW, state="failed"))
    assert domain_events([stream_record(refunded, {**behind, **moved}, "MODIFY")]) == domain_events(
        [stream_record(was, ahead, "MODIFY")]
    )
    (event,), (known,) = host_events([stream_record(refunded)]), host_events([stream_record(was)])
    assert event == known


# --- a record that fails, and the others behind it -------------------------------------------------------------------


class Bus:
    """AWS as the publisher sees it: `refuses` are the users whose events the bus does not take."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.trouble: Exception | None = None
        self.taken: list[str] = []
        self.set_aside: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        if operation == "send_message":
            self.set_aside.append(json.loads(request["MessageBody"]))
            return {}
        if self.trouble is not None:
            raise self.trouble
        users = [json.loads(entry["Detail"])["user_id"] for entry in request["Entries"]]
        entries = [{"ErrorCode": "InternalFailure"} if user in self.refuses else {"EventId": user} for user in users]
        self.taken += [user for user in users if user not in self.refuses]
        return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}


class NoLines:
    """Rollups that have nothing to count, or cannot."""

    def __init__(self) -> None:
        self.poison = ""

    def fold(self, lines: Any) -> int:
        if any(user == self.poison for user, _ in lines):
            raise ValueError("a line that no table can hold")
        return 0


class NoIndex:
    """An index that takes everything in."""

    def refresh(self, user_id: str, now: int) -> None: ...

    def taken_in(self, number: int, now: int) -> None: ...


class Hosts:
    """The outbox of the endpoints: what was taken in for them."""

    def __init__(self) -> None:
        self.taken: list[HostEvent] = []
        self.forgotten: list[str] = []
        self.in_time = True

    def take_in(self, events: Sequence[HostEvent], now: int) -> None:
        self.taken += events

    def forget(self, account: str) -> bool:
        self.forgotten.append(account)
        return self.in_time


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def rollups() -> NoLines:
    return NoLines()


@pytest.fixture
def changes(bus: Bus, rollups: NoLines, hosts: Hosts) -> Changes:
    counted, listed, endpoints = cast(MetricsStore, rollups), cast(CustomerIndex, NoIndex()), cast(HostEvents, hosts)
    return Changes(cast(Aws, bus), "bus", counted, listed, endpoints, "set-aside", Log())


def grants(*users: str) -> list[dict[str, Any]]:
    """A change for each user, numbered as the stream does."""
    return [_numbered(n, stream_record(record_to_item(user, GRANT))) for n, user in enumerate(users)]


def _numbered(number: int, record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "dynamodb": {**record["dynamodb"], "SequenceNumber": str(number)}}


@pytest.mark.parametrize("place", [0, 3, 9, 10, 24])
def test_the_first_record_that_was_not_told_is_named(changes: Changes, bus: Bus, place: int) -> None:
    users = [f"usr_{n}" for n in range(25)]
    bus.refuses = {users[place], users[24]}
    assert changes.publish(grants(*users), NOW) == {"batchItemFailures": [{"itemIdentifier": str(place)}]}
    assert set(users[:place]) <= set(bus.taken), "whoever stands before it has been told"


def _as_lambda(changes: Changes, records: list[dict[str, Any]]) -> int:
    """Halves a batch whose invocation fails, as the mapping says; how many invocations that took."""
    try:
        changes.publish(records, NOW)
    except ValueError:
        middle = len(records) // 2
        return 1 + _as_lambda(changes, records[:middle]) + _as_lambda(changes, records[middle:])
    return 1


def test_one_record_that_cannot_be_told_is_set_aside_alone(changes: Changes, bus: Bus, rollups: NoLines) -> None:
    ledger = [ledger_item(f"usr_{n}", line) for n, line in enumerate(book_of(8))]
    rollups.poison = "usr_5"
    assert _as_lambda(changes, [_numbered(n, stream_record(stored)) for n, stored in enumerate(ledger)]) > 1
    assert [message["user_id"] for message in bus.set_aside] == ["usr_5"]
    assert bus.set_aside[0]["reason"] == "ValueError"
    assert sorted(bus.taken) == [f"usr_{n}" for n in range(8) if n != 5]


def book_of(count: int) -> list[Any]:
    account = Account(USER, records={r.record: r for r in RECORDS})
    line = book(Account(USER), account, CATALOGUE, NOW)[1][0]
    return [replace(line, entry_id=f"{line.entry_id}-{n}") for n in range(count)]


@pytest.mark.parametrize("trouble", [NoAnswer("PutEvents", "ReadTimeout"), TryAgain("others wrote")])
def test_what_passes_by_itself_is_never_set_aside(changes: Changes, bus: Bus, trouble: Exception) -> None:
    bus.trouble = trouble
    with pytest.raises(type(trouble)):
        changes.publish(grants("usr_1"), NOW)
    assert not bus.set_aside


def test_an_event_that_the_bus_will_never_take_is_set_aside(changes: Changes, bus: Bus) -> None:
    bus.trouble = AwsError("PutEvents", "ValidationException")
    assert changes.publish(grants("usr_1"), NOW) == {"batchItemFailures": []}
    assert bus.set_aside == [{"user_id": "usr_1", "record": GRANT.record, "sequence": "0", "reason": "AwsError"}]


# --- hosts hear the same, in order ------------------------------------------------------------------------------------


def test_hosts_can_choose_every_event_that_the_bus_tells() -> None:
    assert set(OF_ACCOUNTS) == {*SHOWN, "EntitlementsChanged"}


def test_a_host_is_told_what_the_bus_is_told_and_a_repeat_is_the_same_event() -> None:
    records = [stream_record(record_to_item(USER, record)) for record in (*RECORDS, RENEWAL)]
    first, again = host_events(records), host_events(records)
    assert [event.data for event in first] == [json.loads(entry["Detail"]) for entry in domain_events(records)]
    assert [(e.event_id, e.body) for e in first] == [(e.event_id, e.body) for e in again]
    assert len({event.event_id for event in first}) == len(first)


def test_what_opens_and_closes_features_is_told_first_of_its_change() -> None:
    snapshot = item({"user_id": USER, "record": "entitlements", "version": 3, "sources": []})
    events = host_events([*(stream_record(record_to_item(USER, r)) for r in RECORDS), stream_record(snapshot)])
    assert min(events, key=lambda event: event.place).type == "EntitlementsChanged"


def test_two_reminders_of_one_version_are_two_events_in_their_order() -> None:
    first = stream_record(record_to_item(USER, RENEWAL))
    later = stream_record(
        record_to_item(USER, replace(RENEWAL, reminded_days=1)), record_to_item(USER, RENEWAL), "MODIFY"
    )
    later["dynamodb"]["ApproximateCreationDateTime"] += 86_400
    one, two = host_events([first, later])
    assert one.event_id != two.event_id
    assert one.place < two.place


def test_a_wallets_trouble_is_told_to_hosts_each_time_it_comes() -> None:
    first = stream_record(record_to_item(USER, MANDATE))
    later = json.loads(json.dumps(first))
    later["dynamodb"]["ApproximateCreationDateTime"] += 86_400  # the same again, after it had been well
    one, two = host_events([first, later])
    assert one.type == "RenewalTrouble"
    assert one.event_id != two.event_id
    assert one.place < two.place


def test_a_chargeback_and_a_customer_who_left_are_alerts_of_their_own() -> None:
    def line(**values: Any) -> dict[str, Any]:
        kept = {"entry_id": "e", "at": NOW, "amount_cents": -900, "currency": "USD", "provider": "stripe"}
        what = {"plan_id": "plus-month", "plan_version": 1, "object_id": "o", **values}
        return stream_record(item({"user_id": USER, "record": f"~ledger#1#{values['kind']}", **kept, **what}))

    def types(**values: Any) -> list[str]:
        return [event.type for event in host_events([line(**values)])]

    assert types(kind="dispute") == ["LedgerEntryWritten", "ChargebackOpened"]
    assert types(kind="mrr", movement="churn") == ["LedgerEntryWritten", "CustomerLost"]
    assert types(kind="mrr", movement="contraction") == ["LedgerEntryWritten"]
    assert types(kind="dispute_won") == ["LedgerEntryWritten"]


def test_hosts_hear_it_even_when_the_bus_does_not_take_it(changes: Changes, bus: Bus, hosts: Hosts) -> None:
    bus.refuses = {"usr_1"}
    changes.publish(grants("usr_1"), NOW)
    assert [event.type for event in hosts.taken] == ["GrantChanged"]


def _erased(user: str) -> dict[str, Any]:
    keys = item({"user_id": user, "record": "entitlements"})
    change = {"SequenceNumber": "1", "ApproximateCreationDateTime": float(NOW), "Keys": keys, "OldImage": keys}
    return {"eventName": "REMOVE", "dynamodb": change}


def test_of_whoever_is_erased_hosts_hear_only_what_comes_after(changes: Changes, hosts: Hosts) -> None:
    before, of_another = grants("usr_1", "usr_2")
    (after,) = grants("usr_1")
    batch = [before, of_another, _erased("usr_1"), after]
    changes.publish([_numbered(number, record) for number, record in enumerate(batch)], NOW)
    assert hosts.forgotten == ["usr_1"]
    assert [event.lane for event in hosts.taken] == ["usr_2", "usr_1"]


def test_what_could_not_be_forgotten_in_time_comes_again(changes: Changes, hosts: Hosts, bus: Bus) -> None:
    hosts.in_time = False
    batch = [_numbered(number, record) for number, record in enumerate([*grants("usr_1", "usr_2"), _erased("usr_1")])]
    assert changes.publish(batch, NOW) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    hosts.in_time = True
    assert changes.publish(batch, NOW) == {"batchItemFailures": []}
    assert [event.lane for event in hosts.taken] == ["usr_2"]
