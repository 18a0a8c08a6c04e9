"""Reconciliation against Stripe's stand-in, on real tables: what no webhook told is found, shown, mended, and once."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from billing.aws import Aws
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.intake.rebuild import Rebuilder
from billing.intake.reconcile import Reconciler, Report
from billing.log import SILENT
from billing.providers.interface import Client
from billing.providers.stripe import reads
from billing.rules.consequences import consequences
from billing.rules.records import Subscription
from billing.selling.aftercare import Aftercare
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.progress import ProgressStore
from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_world import notifications, shop_in_process


@dataclass
class Desk:
    shop: Shop
    accounts: AccountStore
    plans: PlanStore
    processor: Processor
    reconciler: Reconciler
    progress: ProgressStore

    @property
    def now(self) -> int:
        return self.shop.app.clock.now()

    def run(self, *, dry_run: bool = False, out_of_time: bool = False) -> Report:
        return self.reconciler.run(
            self.now, since=START - DAY, dry_run=dry_run, out_of_time=lambda: out_of_time and self.pages() > 1
        )

    def pages(self) -> int:
        return len([path for _, path in self.shop.app.requests if path in ("/v1/subscriptions", "/v1/events")])

    def deliver_all(self) -> None:
        for notification in notifications(self.shop):
            self.processor.process(notification, Delivery(received_at=self.now), self.now)

    def subscription(self, user_id: str = "usr_1") -> Subscription:
        (found,) = self.accounts.load(user_id).subscriptions
        return found


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    shop = shop_in_process()
    aws = Aws("dynamodb")
    accounts = AccountStore(aws, tables["AccountsTable"], tables["PaymentEventsTable"])
    plans = PlanStore(aws, tables["PlansTable"])
    for plan in shop.plans.values():
        plans.add_version(plan)
    events = PaymentEventStore(aws, tables["PaymentEventsTable"])

    def client(_: str) -> Client:
        return shop.client

    applier = Applier(accounts, plans, client)
    aftercare = Aftercare(accounts, plans, applier, client, "refund", SILENT)
    processor = Processor(applier, events, livemode=False, aftercare=aftercare.settle)
    progress = ProgressStore(aws, tables["AccountsTable"])
    reconciler = Reconciler("stripe", client, accounts, plans, events, applier, processor, progress, aftercare.settle)
    return Desk(shop, accounts, plans, processor, reconciler, progress)


def test_where_everything_was_delivered_nothing_is_found(desk: Desk) -> None:
    desk.shop.subscribe()
    desk.deliver_all()
    report = desk.run()
    assert (report.checked, report.findings, report.finished) == (1, [], True)


def test_a_subscription_nobody_told_of_is_found_with_its_payment(desk: Desk) -> None:
    desk.shop.subscribe()
    found = {f.kind for f in desk.run().findings}
    assert found == {"missing", "event_missing"}
    assert desk.subscription().status == "active"
    assert [p.amount_cents for p in desk.subscription().payments.values()] == [900]
    assert desk.run().findings == []


def test_a_dry_run_finds_the_same_and_changes_nothing(desk: Desk) -> None:
    desk.shop.subscribe()
    would = desk.run(dry_run=True)
    assert desk.accounts.load("usr_1").records == {}
    assert desk.progress.finished_at("stripe") == 0  # the nightly round is still to come
    did = desk.run()
    assert [f.object_id for f in would.findings if f.kind == "missing"] == [
        f.object_id for f in did.findings if f.kind == "missing"
    ]
    assert not any(f.repaired for f in would.findings)


def test_a_lost_renewal_is_found_and_says_what_differs(desk: Desk) -> None:
    desk.shop.subscribe()
    desk.deliver_all()
    desk.shop.app.advance(33 * DAY)
    report = desk.run()
    (differs,) = [f for f in report.findings if f.kind == "differs"]
    assert "current_period_end" in differs.detail
    assert len(list(desk.accounts.load("usr_1", whole=True).payments)) == 2


def test_a_lost_cancellation_is_found_among_the_events(desk: Desk) -> None:
    """It is no live subscription any more, so only Stripe's record of events tells."""
    sub = desk.shop.subscribe()
    desk.deliver_all()
    desk.shop.app.advance(DAY)
    desk.shop.books.end(sub, "cancellation_requested")
    report = desk.run()
    assert [f.kind for f in report.findings] == ["event_missing"]
    assert desk.subscription().status == "canceled"


def of_nobody(desk: Desk) -> dict[str, Any]:
    """A subscription whose user is named neither by it, nor by its invoice or its customer."""
    sub = desk.shop.subscribe()
    sub["metadata"] = desk.shop.books.objects[sub["customer"]]["metadata"] = {}
    desk.shop.books.objects[sub["latest_invoice"]]["parent"]["subscription_details"]["metadata"] = {}
    desk.shop.books.events.clear()
    return sub


def test_a_subscription_of_another_product_is_nothing_to_find(desk: Desk) -> None:
    item = of_nobody(desk)["items"]["data"][0]
    item["price"] = {**item["price"], "id": "price_elsewhere", "metadata": {}}
    report = desk.run()
    assert (report.checked, report.findings) == (1, [])
    assert desk.accounts.load("usr_1").records == {}


def test_a_subscription_of_nobody_is_for_a_person_to_look_at(desk: Desk) -> None:
    sub = of_nobody(desk)
    (finding, *_) = desk.run().findings
    assert (finding.kind, finding.object_id, finding.repaired) == ("unknown_user", sub["id"], False)


def test_a_subscription_of_a_price_no_plan_has(desk: Desk) -> None:
    sub = desk.shop.subscribe()
    price = sub["items"]["data"][0]["price"]
    sub["items"]["data"][0]["price"] = {**price, "id": "price_elsewhere"}
    sub["metadata"] = {"user_id": "usr_1"}
    desk.shop.books.events.clear()
    assert "unknown_plan" in {f.kind for f in desk.run().findings}


def test_it_pages_through_everything_and_goes_on_where_it_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "PAGE", 2)
    for number in range(5):
        desk.shop.subscribe(checkout_id=f"chk_{number}", user_id=f"usr_{number}")
    first = desk.run(out_of_time=True)
    assert not first.finished
    assert first.checked < 5
    second = desk.run()
    assert second.finished
    assert first.checked + second.checked == 5
    assert all(desk.subscription(f"usr_{number}").status == "active" for number in range(5))
    assert desk.progress.finished_at("stripe") == desk.now


def test_one_customer_can_be_looked_at_alone(desk: Desk) -> None:
    mine = desk.shop.subscribe(user_id="usr_1")
    desk.shop.subscribe(user_id="usr_2", checkout_id="chk_2")
    report = desk.reconciler.customer(mine["customer"], desk.now, dry_run=False)
    assert report.checked == 1
    assert desk.subscription("usr_1").status == "active"
    assert desk.accounts.load("usr_2").records == {}


def test_replaying_what_was_processed_changes_nothing(desk: Desk) -> None:
    desk.shop.subscribe()
    desk.deliver_all()
    before = desk.accounts.load("usr_1")
    for event in desk.shop.books.events:
        assert desk.reconciler.replay(event["id"], desk.now) in ("unchanged", "ignored")
    after = desk.accounts.load("usr_1")
    assert (after.records, after.version) == (before.records, before.version)


def test_replaying_what_we_never_had_fetches_it_from_stripe(desk: Desk) -> None:
    desk.shop.subscribe()
    created = next(e for e in desk.shop.books.events if e["type"] == "customer.subscription.created")
    assert desk.reconciler.replay(created["id"], desk.now) == "applied"
    assert replace(desk.subscription(), payments={}).status == "active"


def test_an_event_of_which_only_that_it_came_was_kept_is_asked_for_again(desk: Desk, tables: dict[str, str]) -> None:
    """As of one who was erased."""
    desk.shop.subscribe()
    desk.deliver_all()
    created = next(e for e in desk.shop.books.events if e["type"] == "customer.subscription.created")
    events = PaymentEventStore(Aws("dynamodb"), tables["PaymentEventsTable"])
    events.forget_person(f"stripe#{created['id']}", "usr_1")
    assert desk.reconciler.replay(created["id"], desk.now) == "unchanged"
    assert rebuilder(desk, tables).compare("usr_1", desk.now) == []


def rebuilder(desk: Desk, tables: dict[str, str]) -> Rebuilder:
    events = PaymentEventStore(Aws("dynamodb"), tables["PaymentEventsTable"])
    applier = Applier(desk.accounts, desk.plans, lambda _: desk.shop.client)
    return Rebuilder(desk.accounts, events, applier, desk.processor)


def test_the_audit_records_alone_make_the_live_state(desk: Desk, tables: dict[str, str]) -> None:
    sub = desk.shop.subscribe(trial_days=7)
    desk.shop.app.advance(40 * DAY)
    session = desk.shop.buy("tax_pass", "chk_2")
    desk.shop.books.refund(session["payment_intent"], 900, "duplicate", {})
    desk.shop.client.cancel_subscription(sub["id"], at_period_end=True, reason="unused", key="k1")
    desk.deliver_all()
    assert rebuilder(desk, tables).compare("usr_1", desk.now) == []


def test_a_user_with_more_events_than_one_answer_holds_is_rebuilt_from_all_of_them(
    desk: Desk, tables: dict[str, str]
) -> None:
    desk.shop.subscribe()
    desk.deliver_all()
    events = PaymentEventStore(Aws("dynamodb"), tables["PaymentEventsTable"])
    for number in range(25):
        events.record(
            PaymentEvent(
                event_id=f"stripe#evt_later_{number}",
                provider="stripe",
                provider_event_id=f"evt_later_{number}",
                type="invoice.upcoming",
                created_at=desk.now + number,
                received_at=desk.now,
                processed_at=desk.now,
                status="ignored",
                payload={"object": {"id": "x" * 50_000}},
                user_id="usr_1",
            )
        )
    desk.shop.app.advance(DAY)
    assert rebuilder(desk, tables).compare("usr_1", desk.now) == []


def test_a_live_state_that_somebody_changed_by_hand_is_shown(desk: Desk, tables: dict[str, str]) -> None:
    desk.shop.subscribe()
    desk.deliver_all()
    before = desk.accounts.load("usr_1")
    forged = replace(desk.subscription(), plan_id="pro_month")
    after = replace(before, records={**before.records, forged.record: forged})
    desk.accounts.commit(consequences(before, after, desk.plans.catalogue(), desk.now))
    (difference,) = rebuilder(desk, tables).compare("usr_1", desk.now)
    assert "plan_id: pro_month → plus_month" in difference
