"""What customers do with a subscription: real tables, real conditional writes, and Stripe's stand-in behind them."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter

from billing.api.answers.buying import ChangePreviewView
from billing.api.answers.payments import ReceiptList
from billing.api.answers.status import SubscriptionStatus
from billing.api.status import subscription_status
from billing.aws import Aws
from billing.errors import Conflict, NotFound
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.providers import Clients
from billing.providers.interface import Client
from billing.rules.access import windows
from billing.rules.facts import Ref
from billing.rules.records import Purchase, Subscription
from billing.selling.double_subscriptions import Doubles
from billing.selling.portal import portal_link
from billing.selling.receipts import Receipts
from billing.selling.refunds import Refunds, Wanted
from billing.selling.subscriptions import Subscriptions
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.notes import LEAVING_SECONDS, NoteStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.previews import PREVIEW_SECONDS, PreviewStore
from fakes.base import Fault
from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_stories import intent_of
from tests.scenarios.stripe_world import shop_in_process

USER = "usr_1"


@dataclass
class Desk:
    """The use cases over one shop. `catch_up` applies what Stripe holds, as the webhooks would."""

    shop: Shop
    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    subscriptions: Subscriptions
    receipts: Receipts
    refunds: Refunds
    doubles: Doubles
    logged: list[str]

    @property
    def now(self) -> int:
        return self.shop.app.clock.now()

    def subscribe(self, plan_id: str = "plus_month", **given: Any) -> Any:
        sub = self.shop.subscribe(plan_id, **given)
        self.catch_up("subscription", sub["id"])
        return sub

    def catch_up(self, kind: Any, object_id: str) -> None:
        facts = self.applier.read("stripe", Ref(kind, object_id), 0, self.now)
        self.applier.apply(USER, "stripe", facts, self.now)

    def record(self, sub: Any) -> Subscription:
        found = self.accounts.load(USER).records[f"subscription#stripe#{sub['id']}"]
        assert isinstance(found, Subscription)
        return found


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, line: str, extra: Any = None) -> None:
        self.lines.append(line)


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    shop = shop_in_process()
    aws = Aws("dynamodb")
    accounts = AccountStore(aws, tables["AccountsTable"], tables["PaymentEventsTable"])
    plans = PlanStore(aws, tables["PlansTable"])
    for plan in shop.plans.values():
        plans.add_version(plan)

    def client(_: str) -> Client:
        return shop.client

    applier = Applier(accounts, plans, client)
    log = Log()
    return Desk(
        shop,
        accounts,
        plans,
        applier,
        Subscriptions(accounts, plans, PreviewStore(aws, tables["AccountsTable"]), applier, client),
        Receipts(accounts, plans, client),
        Refunds(accounts, plans, applier, client),
        Doubles(accounts, plans, applier, client, "refund", log),  # type: ignore[arg-type]
        log.lines,
    )


def holds(model: Any, answer: Any) -> Any:
    """The answer is of its documented shape."""
    TypeAdapter(model).validate_python(answer)
    return answer


# --- changing ------------------------------------------------------------------------------------------------------


def test_an_upgrade_costs_what_was_shown_and_counts_at_once(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.app.advance(10 * DAY)
    shown = holds(ChangePreviewView, desk.subscriptions.preview(USER, "pro_month", desk.now))
    assert (shown["kind"], shown["at_period_end"]) == ("upgrade", False)
    (gain,) = shown["features"]
    assert (gain["feature"], gain["before"]) == ("wallets.max", None)
    desk.shop.app.advance(300)
    status = holds(SubscriptionStatus, desk.subscriptions.change(USER, shown["preview_id"], desk.now))
    assert status["plan_id"] == "pro_month"
    assert desk.shop.books.objects[sub["latest_invoice"]]["amount_paid"] == shown["amount_due_cents"] > 0


def test_a_confirm_that_is_repeated_charges_once(desk: Desk) -> None:
    desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    for _ in range(2):
        desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert len([b for b in desk.shop.books.all("invoice") if b["billing_reason"] == "subscription_update"]) == 1


def test_a_confirm_whose_answer_is_lost_charges_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    monkeypatch.setattr(desk.applier, "read", lambda *_: (_ for _ in ()).throw(TimeoutError))
    with pytest.raises(TimeoutError):
        desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    monkeypatch.undo()
    assert desk.subscriptions.change(USER, shown["preview_id"], desk.now)["plan_id"] == "pro_month"
    assert len([b for b in desk.shop.books.all("invoice") if b["billing_reason"] == "subscription_update"]) == 1


def test_an_upgrade_that_is_not_paid_keeps_the_old_plan_and_says_so(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.books.works[sub["customer"]] = False
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert refused.value.code == "change_not_paid"
    assert desk.record(sub).plan_id == "plus_month"


def test_an_upgrade_is_tried_again_once_the_card_was_replaced(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.books.works[sub["customer"]] = False
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            desk.subscriptions.change(USER, shown["preview_id"], desk.now)
        assert refused.value.code == "change_not_paid"
    desk.shop.books.works[sub["customer"]] = True
    desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert desk.record(sub).plan_id == "pro_month"
    invoices = [i for i in desk.shop.books.all("invoice") if i["billing_reason"] == "subscription_update"]
    assert sorted((i["status"], i["amount_paid"]) for i in invoices) == [("paid", 1000), ("void", 0), ("void", 0)]


def test_a_change_that_the_bank_still_asks_about_is_not_made_anew(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.books.asks_bank.add(sub["customer"])
    urls = set()
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            desk.subscriptions.change(USER, shown["preview_id"], desk.now)
        urls.add(refused.value.extensions["confirm_url"])
    assert len(urls) == 1


def test_a_downgrade_waits_and_can_be_taken_back(desk: Desk) -> None:
    sub = desk.subscribe("pro_month")
    shown = desk.subscriptions.preview(USER, "plus_month", desk.now)
    assert (shown["kind"], shown["at_period_end"], shown["amount_due_cents"]) == ("downgrade", True, 0)
    (loss,) = shown["features"]
    assert (loss["feature"], loss["after"]) == ("wallets.max", None)
    status = desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert status["subscriptions"][0]["scheduled_plan_id"] == "plus_month"
    desk.subscriptions.resume(USER, desk.now)
    assert desk.record(sub).scheduled_plan_id is None


def test_to_the_year_at_once_and_to_the_month_at_the_years_end(desk: Desk) -> None:
    desk.subscribe()
    shown = desk.subscriptions.preview(USER, "plus_year", desk.now)
    assert (shown["kind"], shown["at_period_end"]) == ("switch", False)
    desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    back = desk.subscriptions.preview(USER, "plus_month", desk.now)
    assert (back["kind"], back["at_period_end"]) == ("switch", True)


def test_in_a_trial_any_change_is_at_once(desk: Desk) -> None:
    desk.subscribe("pro_month", trial_days=14)
    shown = desk.subscriptions.preview(USER, "plus_month", desk.now)
    assert (shown["at_period_end"], shown["amount_due_cents"]) == (False, 0)
    assert desk.subscriptions.change(USER, shown["preview_id"], desk.now)["plan_id"] == "plus_month"


def test_a_preview_expires(desk: Desk) -> None:
    desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.change(USER, shown["preview_id"], desk.now + PREVIEW_SECONDS)
    assert refused.value.code == "preview_expired"


def test_a_preview_is_nobody_elses(desk: Desk) -> None:
    desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    with pytest.raises(Conflict):
        desk.subscriptions.change("usr_2", shown["preview_id"], desk.now)


def test_a_subscription_that_renewed_meanwhile_has_to_be_looked_at_again(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    asked_at = desk.now + 60
    desk.shop.app.advance(40 * DAY)
    desk.catch_up("subscription", sub["id"])
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.change(USER, shown["preview_id"], asked_at)
    assert refused.value.code == "preview_outdated"


@pytest.mark.parametrize(
    ("plan_id", "code"), [("plus_month", "already_on_plan"), ("tax_pass", "not_found"), ("nothing", "not_found")]
)
def test_what_cannot_replace_a_subscription_is_refused(desk: Desk, plan_id: str, code: str) -> None:
    desk.subscribe()
    with pytest.raises((Conflict, NotFound)) as refused:
        desk.subscriptions.preview(USER, plan_id, desk.now)
    assert refused.value.code == code


def test_whoever_owes_settles_first(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.works[sub["customer"]] = False
    desk.shop.app.advance(32 * DAY)
    desk.catch_up("subscription", sub["id"])
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.preview(USER, "pro_month", desk.now)
    assert refused.value.code == "payment_open"


@pytest.mark.parametrize("decided", ["needs_response", "lost"])
def test_nobody_is_credited_a_payment_that_was_taken_back(desk: Desk, decided: str) -> None:
    dispute(desk, decided)
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.preview(USER, "pro_month", desk.now)
    assert refused.value.code == "payment_disputed"


def test_a_dispute_that_was_won_is_over(desk: Desk) -> None:
    dispute(desk, "won")
    assert desk.subscriptions.preview(USER, "pro_month", desk.now)["preview_id"]


def test_nobody_is_credited_what_was_taken_back_of_the_plan_before_an_upgrade(desk: Desk) -> None:
    """The upgrade itself stays paid, and open; its rest would be credited at the whole price."""
    sub = desk.subscribe()
    first = intent_of(desk.shop, sub)
    desk.shop.app.advance(DAY)
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    desk.shop.books.open_dispute(first)
    desk.catch_up("payment", first)
    assert any(w.reason == "active" for w in windows(desk.accounts.load(USER), desk.plans.catalogue()))
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.preview(USER, "plus_year", desk.now)
    assert refused.value.code == "payment_disputed"


def dispute(desk: Desk, decided: str) -> None:
    """The payment of a new subscription is taken back, and the bank decides."""
    paid = intent_of(desk.shop, desk.subscribe())
    opened = desk.shop.books.open_dispute(paid)
    desk.shop.books.move_dispute(opened["id"], decided)
    desk.catch_up("payment", paid)


# --- cancelling ----------------------------------------------------------------------------------------------------


def cancel(desk: Desk, *, at_period_end: bool = True) -> Any:
    return desk.subscriptions.cancel(
        USER, at_period_end=at_period_end, reason="too_expensive", comment="call me on 555", now=desk.now
    )


def test_cancelling_keeps_access_until_the_periods_end_and_can_be_taken_back(desk: Desk) -> None:
    sub = desk.subscribe()
    for _ in range(2):
        status = cancel(desk)
    (view,) = status["subscriptions"]
    assert (view["status"], view["actions"]) == ("active", ["resume", "payment_method"])
    assert sub["cancellation_details"]["comment"] == "call me on 555"
    assert "555" not in repr(desk.accounts.load(USER))
    desk.subscriptions.resume(USER, desk.now)
    assert desk.record(sub).ends_at is None


def test_what_somebody_says_as_they_leave_on_stripes_own_page_is_kept_as_our_form_keeps_it(
    desk: Desk, tables: dict[str, str]
) -> None:
    sub, aws = desk.subscribe(), Aws("dynamodb")
    notes = NoteStore(aws, tables["AccountsTable"])
    events = PaymentEventStore(aws, tables["PaymentEventsTable"])
    processor = Processor(desk.applier, events, livemode=False, keep_comment=notes.add_comment)
    said = {"feedback": "too_expensive", "comment": "call me on 555"}
    desk.shop.client.api.v1.subscriptions.update(
        sub["id"], {"cancel_at_period_end": True, "cancellation_details": said}
    )
    left_at = desk.now

    def deliver() -> None:
        for notification in desk.shop.notifications():
            assert "555" not in repr(notification)
            processor.process(notification, Delivery(received_at=desk.now), desk.now)

    deliver()
    deliver()
    [note] = notes.of(USER, desk.now)
    assert (note.text, note.author, note.about) == ("call me on 555", None, sub["id"])
    assert note.ttl == left_at + LEAVING_SECONDS
    assert "555" not in repr(desk.accounts.load(USER))
    desk.shop.app.advance(40 * DAY)
    deliver()  # that it has ended, with the same words
    assert desk.record(sub).status == "canceled"
    assert [n.ttl for n in notes.of(USER, desk.now)] == [left_at + LEAVING_SECONDS]
    desk.shop.app.advance(LEAVING_SECONDS)
    notes.remove(USER, note.note_id)
    processor.process(desk.shop.notifications()[-1], Delivery(received_at=desk.now), desk.now)
    assert notes.of(USER, desk.now) == []


def test_cancelling_now_ends_it_now(desk: Desk) -> None:
    sub = desk.subscribe()
    cancel(desk, at_period_end=False)
    assert (desk.record(sub).status, desk.record(sub).cancel_reason) == ("canceled", "too_expensive")
    with pytest.raises(NotFound):
        cancel(desk)


def test_cancel_resume_cancel_is_three_calls_and_not_one(desk: Desk) -> None:
    sub = desk.subscribe()
    cancel(desk)
    desk.subscriptions.resume(USER, desk.now)
    cancel(desk)
    assert sub["cancel_at_period_end"]


def test_what_was_never_paid_ends_at_once(desk: Desk) -> None:
    desk.shop.books.give_up = "unpaid"
    sub = desk.subscribe()
    desk.shop.books.works[sub["customer"]] = False
    desk.shop.app.advance(45 * DAY)
    desk.catch_up("subscription", sub["id"])
    cancel(desk)
    assert desk.record(sub).status == "canceled"


def test_an_end_that_came_while_it_was_taken_back_stands(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.subscriptions.cancel(USER, at_period_end=True, reason=None, comment=None, now=desk.now)
    desk.shop.app.advance(31 * DAY)
    assert desk.record(sub).status == "active"
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.resume(USER, desk.now)
    assert refused.value.code == "nothing_to_resume"
    assert desk.record(sub).status == "canceled"


def test_there_is_nothing_to_take_back(desk: Desk) -> None:
    desk.subscribe()
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.resume(USER, desk.now)
    assert refused.value.code == "nothing_to_resume"


# --- receipts and the portal ---------------------------------------------------------------------------------------


def test_receipts_list_everything_newest_first_with_links(desk: Desk) -> None:
    desk.subscribe()
    desk.shop.app.advance(DAY)
    session = desk.shop.buy("tax_pass", "chk_2")
    desk.catch_up("checkout", session["id"])
    found = holds(ReceiptList, desk.receipts.list(USER))["receipts"]
    assert [r["plan_id"] for r in found] == ["tax_pass", "plus_month"]
    assert ["/receipts/" in found[0]["url"], "/invoices/" in found[1]["url"]] == [True, True]
    assert "standin.example" not in repr(desk.accounts.load(USER))


def test_a_receipt_whose_provider_does_not_answer_is_listed_without_its_link(desk: Desk) -> None:
    desk.subscribe()
    desk.shop.app.faults = [Fault("refuse", "GET", "/v1/invoices", times=9)]
    (found,) = desk.receipts.list(USER)["receipts"]
    assert (found["amount_cents"], found["url"]) == (900, None)


def test_a_receipt_of_a_provider_that_is_not_on_offer_any_more_is_listed_without_its_link(desk: Desk) -> None:
    desk.subscribe()
    nobody = Clients(Settings({"STAGE": "test", "LIVEMODE": "false"}))
    (found,) = Receipts(desk.accounts, desk.plans, nobody).list(USER)["receipts"]
    assert (found["amount_cents"], found["url"]) == (900, None)


def portal(desk: Desk) -> str:
    return portal_link(desk.accounts, lambda _: desk.shop.client, "https://portal.example/account", USER)


def test_the_portal_is_for_those_who_bought_by_card(desk: Desk) -> None:
    with pytest.raises(NotFound):
        portal(desk)
    desk.subscribe()
    assert "/p/session/" in portal(desk)


# --- refunds -------------------------------------------------------------------------------------------------------


def refund(desk: Desk, payment_id: str, amount: int | None = None, *, dry_run: bool = False, key: str = "k1") -> Any:
    wanted = Wanted(user_id=USER, provider="stripe", payment=payment_id, amount_cents=amount)
    if dry_run:
        return desk.refunds.preview(wanted, desk.now)
    return desk.refunds.refund(wanted, key, "usr_admin", desk.now)


def bought_pass(desk: Desk) -> str:
    session = desk.shop.buy("tax_pass")
    desk.catch_up("checkout", session["id"])
    name: str = session["payment_intent"]
    return name


def test_a_dry_run_shows_what_a_refund_would_take_and_moves_nothing(desk: Desk) -> None:
    payment = bought_pass(desk)
    shown = refund(desk, payment, dry_run=True)
    assert (shown["amount_cents"], shown["features_lost"], shown["refund_id"]) == (4900, ["ai.chat"], None)
    assert list(desk.shop.books.all("refund")) == []


def test_a_refund_does_what_the_dry_run_showed(desk: Desk) -> None:
    payment = bought_pass(desk)
    for _ in range(2):
        done = refund(desk, payment, 900)
        assert (done["amount_cents"], done["features_lost"]) == (900, [])
    rest = refund(desk, payment, key="k2")
    assert (rest["amount_cents"], rest["features_lost"]) == (4000, ["ai.chat"])
    (purchase,) = desk.accounts.load(USER).purchases
    assert isinstance(purchase, Purchase)
    assert purchase.status == "refunded"


def test_another_live_source_keeps_the_feature(desk: Desk) -> None:
    payment = bought_pass(desk)
    desk.subscribe(checkout_id="chk_2")
    assert refund(desk, payment, dry_run=True)["features_lost"] == []


def test_more_than_is_left_is_refused_before_the_provider_is_asked(desk: Desk) -> None:
    payment = bought_pass(desk)
    with pytest.raises(Conflict) as refused:
        refund(desk, payment, 5000, dry_run=True)
    assert refused.value.extensions["refundable_cents"] == 4900


def test_what_a_chargeback_has_taken_cannot_be_refunded_as_well(desk: Desk) -> None:
    payment = bought_pass(desk)
    desk.shop.books.refund(payment, 900, None, {})
    desk.shop.books.open_dispute(payment, 3000)
    desk.catch_up("payment", payment)
    assert refund(desk, payment, dry_run=True)["amount_cents"] == 1000
    with pytest.raises(Conflict, match="at most 1000"):
        refund(desk, payment, 1001, dry_run=True)


def test_somebody_elses_payment_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        refund(desk, "pi_other")


# --- two subscriptions of one group --------------------------------------------------------------------------------


def test_the_second_of_two_subscriptions_is_undone_and_paid_back(desk: Desk) -> None:
    first = desk.subscribe()
    desk.shop.app.advance(60)
    second = desk.subscribe("pro_month", checkout_id="chk_2")
    for _ in range(2):
        desk.doubles.settle(USER, desk.now)
    assert (first["status"], second["status"]) == ("active", "canceled")
    (back,) = desk.shop.books.all("refund")
    assert (back["amount"], back["reason"]) == (1900, "duplicate")
    assert desk.record(second).status == "canceled"
    assert desk.logged == ["double_subscription"]


def test_one_that_pays_is_kept_before_one_that_does_not(desk: Desk) -> None:
    first = desk.subscribe()
    desk.shop.books.works[first["customer"]] = False
    desk.shop.app.advance(33 * DAY)
    desk.catch_up("subscription", first["id"])
    desk.shop.books.works[first["customer"]] = True
    second = desk.subscribe("pro_month", checkout_id="chk_2")
    desk.doubles.settle(USER, desk.now)
    assert (first["status"], second["status"]) == ("canceled", "active")


def test_each_payment_of_the_second_subscription_goes_back(desk: Desk) -> None:
    desk.subscribe()
    second = desk.subscribe(checkout_id="chk_2")
    desk.shop.app.advance(DAY)
    desk.shop.client.change_subscription(
        second["id"],
        item_of(second)["id"],
        desk.shop.plans["pro_month"],
        at_period_end=False,
        proration_date=desk.now,
        key="k",
    )
    desk.catch_up("subscription", second["id"])
    paid = [p.amount_cents for p in desk.record(second).payments.values()]
    assert len(paid) == 2
    desk.doubles.settle(USER, desk.now)
    assert sorted(back["amount"] for back in desk.shop.books.all("refund")) == sorted(paid)


def test_what_was_used_up_before_the_second_one_began_is_not_paid_back(desk: Desk) -> None:
    first = desk.subscribe()
    desk.shop.app.advance(31 * DAY)
    desk.catch_up("subscription", first["id"])
    desk.shop.books.works[first["customer"]] = False
    desk.shop.app.advance(31 * DAY)
    desk.catch_up("subscription", first["id"])
    desk.shop.books.works[first["customer"]] = True
    assert desk.record(first).status == "past_due"
    assert len(list(desk.accounts.load(USER, whole=True).payments)) == 2
    desk.subscribe("pro_month", checkout_id="chk_2")
    desk.doubles.settle(USER, desk.now)
    assert first["status"] == "canceled"
    assert list(desk.shop.books.all("refund")) == []


def test_what_ends_after_further_periods_is_billed_again_before_that(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.modify(sub, {"cancel_at": desk.now + 70 * DAY})
    desk.catch_up("subscription", sub["id"])
    account, catalogue = desk.accounts.load(USER), desk.plans.catalogue()
    (shown,) = subscription_status(account, catalogue, desk.now)["subscriptions"]
    assert shown["next_billing_at"] == shown["current_period_end"] < shown["cancel_at"]


def test_a_pass_beside_a_subscription_is_no_double(desk: Desk) -> None:
    desk.subscribe()
    desk.catch_up("checkout", desk.shop.buy("tax_pass", "chk_2")["id"])
    assert desk.doubles.settle(USER, desk.now) == []


def test_a_proration_counts_from_when_it_was_shown(desk: Desk) -> None:
    sub = desk.subscribe()
    assert item_of(sub)["current_period_start"] == START
    desk.shop.app.advance(10 * DAY)
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.app.advance(PREVIEW_SECONDS - 1)
    desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    lines = desk.shop.books.objects[sub["latest_invoice"]]["lines"]["data"]
    assert {line["period"]["start"] for line in lines} == {START + 10 * DAY}
