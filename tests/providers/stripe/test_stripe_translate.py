"""What Stripe's events mean: every type, in the shapes before and since basil, with the pitfalls of each."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing.providers.interface import Notification
from billing.providers.stripe import minimise, translate
from billing.providers.stripe.translate import EVENTS as TRANSLATED
from billing.rules.facts import (
    CheckoutFact,
    DisputeFact,
    DunningFact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
    Translation,
)

EVENTS = Path(__file__).parents[3] / "events" / "stripe"
SHAPES = ("endive", "prebasil")
NOW = 1_794_000_000


def recorded(kind: str, shape: str = "endive") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{kind}.{shape}.json").read_bytes())
    return found


def meaning(event: dict[str, Any], **changes: Any) -> Translation:
    """The translation of an event whose object is changed in some fields."""
    event["data"]["object"] |= changes
    return translate(minimise(json.dumps(event).encode()))


def only(translation: Translation) -> Any:
    (fact,) = translation.facts
    return fact


MEANINGS = {
    "checkout.session.completed": (["CheckoutFact"], ["subscription"]),
    "checkout.session.async_payment_succeeded": (["CheckoutFact", "PurchaseFact"], []),
    "checkout.session.async_payment_failed": (["CheckoutFact", "PurchaseFact"], []),
    "checkout.session.expired": (["CheckoutFact"], []),
    "invoice.paid": (["PaymentFact"], []),
    "invoice.payment_succeeded": (["PaymentFact"], []),
    "invoice.payment_failed": (["DunningFact"], []),
    "invoice.payment_action_required": (["DunningFact"], []),
    "invoice.marked_uncollectible": (["DunningFact"], []),
    "invoice.voided": (["DunningFact"], []),
    "invoice_payment.paid": ([], ["invoice"]),
    "payment_intent.succeeded": (["PurchaseFact"], ["payment"]),
    "charge.succeeded": (["PurchaseFact"], []),
    "charge.updated": ([], ["payment"]),
    "charge.refunded": ([], ["payment"]),
    "customer.deleted": (["CustomerDeletedFact"], []),
    **{f"customer.discount.{name}": ([], ["customer"]) for name in ("created", "updated", "deleted")},
    **{
        f"customer.subscription.{name}": (["SubscriptionFact"], [])
        for name in (
            "created updated deleted paused resumed trial_will_end pending_update_applied pending_update_expired"
        ).split()
    },
    # It is past due: which of its invoices are open is asked.
    "customer.subscription.updated": (["SubscriptionFact"], ["subscription"]),
    **{
        f"subscription_schedule.{name}": ([], ["subscription"])
        for name in ("created", "updated", "released", "canceled", "completed")
    },
    **{
        name: (["RefundFact"], ["payment"])
        for name in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
    },
    **{
        f"charge.dispute.{name}": (["DisputeFact"], ["payment"])
        for name in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
    },
    "radar.early_fraud_warning.created": (["FraudWarningFact"], ["payment"]),
    "radar.early_fraud_warning.updated": (["FraudWarningFact"], ["payment"]),
    "invoice.payment_attempt_required": ([], []),
    "invoice.finalization_failed": ([], []),
}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda p: p.stem)
def test_every_recorded_event_means_what_the_table_says(path: Path) -> None:
    notification = minimise(path.read_bytes())
    found = translate(notification)
    facts, reads = MEANINGS.get(notification.type, ([], []))
    assert [type(f).__name__ for f in found.facts] == facts
    assert [r.kind for r in found.rereads] == reads
    assert bool(found.reason) == (not facts and reads in ([], ["customer"]))


def test_every_event_we_subscribe_to_is_recorded_and_in_the_table() -> None:
    assert set(TRANSLATED) == set(MEANINGS)
    assert {p.name.rsplit(".", 2)[0] for p in EVENTS.glob("*.endive.json")} >= set(TRANSLATED)


@pytest.mark.parametrize("kind", sorted(k for k in MEANINGS if not k.startswith("invoice_payment.")))
def test_both_payload_shapes_mean_the_same(kind: str) -> None:
    new, old = meaning(recorded(kind)), meaning(recorded(kind, "prebasil"))
    # Only the old shape names the payment on the invoice; since basil it is read when it is needed.
    without_refs = [replace(f, refs=()) if isinstance(f, PaymentFact) else f for f in old.facts]
    assert (list(new.facts), new.rereads) == (without_refs, old.rereads)


def test_an_unknown_event_is_nothing_to_us() -> None:
    whole = recorded("customer.updated") | {"type": "some.thing.new"}
    assert meaning(whole) == Translation(reason="an event this service does not use")


def test_an_event_of_a_connected_account_is_not_ours() -> None:
    found = meaning(recorded("customer.subscription.updated") | {"account": "acct_other"})
    assert found == Translation(reason="an event of a connected account")


# --- subscriptions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_subscription_carries_its_whole_state(shape: str) -> None:
    fact = only(meaning(recorded("customer.subscription.updated", shape)))
    assert isinstance(fact, SubscriptionFact)
    assert (fact.user_id, fact.price_id, fact.quantity, fact.status) == ("usr_corpus", "price_pro_month", 1, "past_due")
    assert fact.current_period_end > fact.current_period_start


def test_a_cancellation_may_be_a_date_without_the_flag() -> None:
    fact = only(meaning(recorded("customer.subscription.updated"), cancel_at=NOW + 5, cancel_at_period_end=False))
    assert (fact.cancel_at, fact.cancel_at_period_end) == (NOW + 5, False)


def test_the_customers_own_reason_is_kept_before_stripes() -> None:
    details = {"reason": "cancellation_requested", "feedback": "too_expensive", "comment": "never again"}
    assert only(meaning(recorded("customer.subscription.deleted"), cancellation_details=details)).cancel_reason == (
        "too_expensive"
    )
    details = {"reason": "payment_failed", "feedback": None, "comment": None}
    assert only(meaning(recorded("customer.subscription.deleted"), cancellation_details=details)).cancel_reason == (
        "payment_failed"
    )


def test_collection_paused_leaves_the_status_alone() -> None:
    pause = {"behavior": "void", "resumes_at": None}
    fact = only(meaning(recorded("customer.subscription.resumed"), pause_collection=pause))
    assert (fact.status, fact.collection_paused) == ("active", True)


def test_a_subscription_under_a_schedule_is_read_for_what_comes() -> None:
    found = meaning(recorded("customer.subscription.updated"), schedule="sub_sched_1")
    assert (found.facts, [r.kind for r in found.rereads]) == ((), ["subscription"])


def test_a_subscription_without_a_period_is_read() -> None:
    whole = recorded("customer.subscription.updated")
    for item in whole["data"]["object"]["items"]["data"]:
        del item["current_period_end"]
    assert [r.kind for r in meaning(whole).rereads] == ["subscription"]


def test_of_several_items_the_oldest_is_the_plan() -> None:
    whole = recorded("customer.subscription.updated")
    first = whole["data"]["object"]["items"]["data"][0]
    addon = {**first, "id": "si_addon", "created": first["created"] + 9, "price": {"id": "price_addon"}}
    whole["data"]["object"]["items"]["data"] = [addon, first]
    assert only(meaning(whole)).price_id == "price_pro_month"


def test_metadata_edited_by_hand_does_not_break_the_event() -> None:
    fact = only(meaning(recorded("customer.subscription.updated"), metadata={"plan_version": "two"}))
    assert (fact.user_id, fact.plan_version) == (None, None)


# --- checkout ------------------------------------------------------------------------------------------------------


def payment_session(**changes: Any) -> dict[str, Any]:
    event = recorded("checkout.session.async_payment_succeeded") | {"type": "checkout.session.completed"}
    event["data"]["object"] |= changes
    return event


def test_complete_is_not_paid() -> None:
    purchase = meaning(payment_session(payment_status="unpaid")).facts[1]
    assert isinstance(purchase, PurchaseFact)
    assert (purchase.state, purchase.paid_at) == ("pending", None)


def test_a_paid_session_is_a_purchase_named_by_its_payment() -> None:
    checkout, purchase = meaning(payment_session(payment_intent="pi_1")).facts
    assert isinstance(checkout, CheckoutFact)
    assert isinstance(purchase, PurchaseFact)
    assert (purchase.purchase_id, purchase.state, purchase.amount_cents, purchase.currency) == (
        "pi_1",
        "paid",
        4900,
        "USD",
    )


def test_a_session_that_costs_nothing_is_named_by_itself() -> None:
    session = payment_session(payment_intent=None, payment_status="no_payment_required", amount_total=0)
    purchase = meaning(session).facts[1]
    assert isinstance(purchase, PurchaseFact)
    assert purchase.purchase_id == session["data"]["object"]["id"]
    assert purchase.state == "paid"


def test_a_guest_purchase_has_no_customer() -> None:
    purchase = meaning(payment_session(customer=None)).facts[1]
    assert isinstance(purchase, PurchaseFact)
    assert (purchase.user_id, purchase.customer_id) == ("usr_corpus", None)


def test_a_delayed_payment_that_fails_ends_the_purchase() -> None:
    purchase = meaning(recorded("checkout.session.async_payment_failed")).facts[1]
    assert isinstance(purchase, PurchaseFact)
    assert purchase.state == "failed"


@pytest.mark.parametrize("metadata", [{}, {"user_id": "usr_1"}, {"checkout_id": "chk_1"}])
def test_a_session_of_somebody_elses_is_not_ours(metadata: dict[str, str]) -> None:
    assert meaning(payment_session(metadata=metadata)).reason == "a checkout session that is not ours"


def test_the_payment_the_charge_and_the_session_name_one_purchase() -> None:
    events = [meaning(recorded(k)).facts[-1] for k in ("payment_intent.succeeded", "charge.succeeded")]
    assert len({f.purchase_id for f in events if isinstance(f, PurchaseFact)}) == 1


# --- invoices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bought_period_is_the_lines_not_the_invoices(shape: str) -> None:
    whole = recorded("invoice.paid", shape)
    line = whole["data"]["object"]["lines"]["data"][0]
    line["period"] = {"start": NOW, "end": NOW + 100}
    if shape == "prebasil":
        line["proration"] = False
    else:
        line["parent"]["subscription_item_details"]["proration"] = False
    fact = only(meaning(whole, period_start=1, period_end=2))
    assert (fact.period_start, fact.period_end) == (NOW, NOW + 100)


def test_paid_and_payment_succeeded_say_the_same() -> None:
    paid, succeeded = (only(meaning(recorded(f"invoice.{k}"))) for k in ("paid", "payment_succeeded"))
    assert paid == succeeded


def test_an_old_invoice_names_its_payment() -> None:
    fact = only(meaning(recorded("invoice.paid", "prebasil")))
    assert {name[:3] for name in fact.refs} == {"pi_", "ch_"}


def test_an_invoice_of_no_subscription_is_not_ours() -> None:
    assert meaning(recorded("invoice.paid"), parent=None).reason == "an invoice of no subscription"


def test_an_invoice_of_a_quote_is_not_ours() -> None:
    parent = {"type": "quote_details", "quote_details": {"quote": "qt_1"}, "subscription_details": None}
    assert meaning(recorded("invoice.paid"), parent=parent).reason == "an invoice of no subscription"


def test_a_failed_attempt_tells_when_the_next_one_comes() -> None:
    fact = only(meaning(recorded("invoice.payment_failed"), attempt_count=2, next_payment_attempt=NOW + 9))
    assert isinstance(fact, DunningFact)
    assert (fact.attempt_count, fact.next_attempt_at, fact.action_required) == (2, NOW + 9, False)


def test_a_voided_invoice_is_not_tried_again() -> None:
    assert only(meaning(recorded("invoice.voided"), next_payment_attempt=NOW + 9)).next_attempt_at is None


def test_a_bank_that_asks_for_the_customer_is_told_apart() -> None:
    assert only(meaning(recorded("invoice.payment_action_required"))).action_required


def test_an_invoice_that_cannot_be_made_is_for_the_operator() -> None:
    assert meaning(recorded("invoice.finalization_failed")).reason.startswith("operator: ")


# --- refunds and disputes ------------------------------------------------------------------------------------------


def test_a_refunded_charge_is_cumulative_so_the_payment_is_read() -> None:
    assert meaning(recorded("charge.refunded"), payment_intent="pi_9").rereads == (Ref("payment", "pi_9"),)


def test_a_charge_without_an_intent_is_read_by_its_own_name() -> None:
    assert meaning(recorded("charge.refunded"), payment_intent=None, id="ch_9").rereads == (Ref("payment", "ch_9"),)


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_an_updated_charge_that_took_no_money_reads_nothing(status: str) -> None:
    assert meaning(recorded("charge.updated"), status=status) == Translation(reason="a charge that took no money")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("brand_new", "pending"),
    ],
)
def test_the_words_of_a_refund(theirs: str, ours: str) -> None:
    fact = only(meaning(recorded("refund.updated"), status=theirs))
    assert isinstance(fact, RefundFact)
    assert fact.status == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("warning_needs_response", "inquiry"),
        ("warning_under_review", "inquiry"),
        ("warning_closed", "inquiry"),
        ("prevented", "inquiry"),
        ("needs_response", "open"),
        ("under_review", "open"),
        ("won", "won"),
        ("lost", "lost"),
        ("appeal_needs_response", "lost"),
        ("appeal_under_review", "lost"),
        ("brand_new", "open"),
    ],
)
def test_the_words_of_a_dispute(theirs: str, ours: str) -> None:
    fact = only(meaning(recorded("charge.dispute.updated"), status=theirs))
    assert isinstance(fact, DisputeFact)
    assert fact.status == ours


def test_a_replayed_notification_means_what_it_meant() -> None:
    first = minimise(json.dumps(recorded("invoice.paid")).encode())
    stored = Notification(**json.loads(json.dumps({f: getattr(first, f) for f in Notification.__dataclass_fields__})))
    assert translate(stored) == translate(first)
