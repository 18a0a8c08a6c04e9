"""The calls toward Stripe, against the stand-in, which refuses every field and word the SDK's types do not know."""

from dataclasses import replace
from typing import Any

import pytest
import stripe

from billing.errors import NotConfigured, Parked, ProviderError, ProviderUnavailable
from billing.providers.stripe.client import Options, StripeClient, asking, connect
from billing.rules.facts import (
    DisputeFact,
    FraudWarningFact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
)
from billing.settings import Settings
from fakes.base import Fault
from fakes.stripe import shapes
from tests.providers.stripe.stripe_shop import DAY, START, Shop, plan


def subscription_fact(shop: Shop, subscription_id: str) -> SubscriptionFact:
    fact = shop.client.read(Ref("subscription", subscription_id), START)[0]
    assert isinstance(fact, SubscriptionFact)
    return fact


# --- checkout ------------------------------------------------------------------------------------------------------


def test_asking_twice_for_one_checkout_opens_one_session(shop: Shop) -> None:
    first, second = (shop.client.create_checkout(shop.order("plus_month")) for _ in range(2))
    assert (first.session_id, first.url) == (second.session_id, second.url)
    assert len(list(shop.books.all("checkout.session"))) == 1


def test_a_lost_answer_is_asked_for_again_and_creates_nothing_twice(shop: Shop) -> None:
    shop.app.faults = [Fault("lose", "POST", "/v1/checkout/sessions")]
    shop.client.create_checkout(shop.order("plus_month"))
    assert len(list(shop.books.all("checkout.session"))) == 1


def test_a_user_has_one_customer_that_says_nothing_of_the_person(shop: Shop) -> None:
    for number in range(2):
        shop.client.create_checkout(shop.order("plus_month", f"chk_{number}"))
    (customer,) = shop.books.all("customer")
    assert customer["metadata"] == {"user_id": "usr_1"}
    assert customer["email"] is None


def test_a_user_id_cannot_break_out_of_the_customer_search(shop: Shop) -> None:
    shop.client.create_checkout(shop.order("plus_month", user_id="x' OR metadata['user_id']:'usr_1"))
    (customer,) = shop.books.all("customer")
    assert customer["metadata"]["user_id"].startswith("x' OR")


def test_both_the_session_and_what_it_makes_name_the_user(shop: Shop) -> None:
    session = shop.buy("plus_month")
    subscription = shop.books.objects[session["subscription"]]
    assert session["metadata"] == subscription["metadata"]
    assert subscription["metadata"] == {
        "user_id": "usr_1",
        "plan_id": "plus_month",
        "plan_version": "1",
        "checkout_id": "chk_1",
    }
    purchase = shop.buy("tax_pass", "chk_2")
    assert shop.books.objects[purchase["payment_intent"]]["metadata"]["plan_id"] == "tax_pass"


def test_a_trial_is_given_when_the_order_says_so(shop: Shop) -> None:
    sub = shop.subscribe("plus_month", trial_days=14)
    assert (sub["status"], sub["trial_end"]) == ("trialing", START + 14 * DAY)


def test_a_deployment_may_ask_for_tax_promotion_codes_and_trials_without_a_card(shop: Shop) -> None:
    options = Options(automatic_tax=True, promotion_codes=True, trial_needs_card=False)
    opened = StripeClient(shop.client.api, options).create_checkout(shop.order("plus_month", trial_days=7))
    session = shop.books.objects[opened.session_id]
    assert session["automatic_tax"]["enabled"]
    assert session["allow_promotion_codes"]
    assert session["payment_method_collection"] == "if_required"


def test_a_plan_without_a_price_says_what_is_missing(shop: Shop) -> None:
    unsynced = replace(shop.plans["plus_month"], provider_plan_ids={})
    with pytest.raises(ProviderError) as refused:
        shop.client.create_checkout(replace(shop.order("plus_month"), plan=unsynced))
    assert refused.value.extensions["reason"] == "plan_not_synced"


def test_expiring_closes_an_open_session_and_leaves_a_paid_one(shop: Shop) -> None:
    opened = shop.client.create_checkout(shop.order("plus_month"))
    for _ in range(2):
        shop.client.expire_checkout(opened.session_id)
    assert shop.books.objects[opened.session_id]["status"] == "expired"
    paid = shop.buy("plus_month", "chk_2")
    shop.client.expire_checkout(paid["id"])
    assert paid["status"] == "complete"


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_read_is_dated_by_stripes_clock(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.app.advance(5 * DAY)
    assert subscription_fact(shop, sub["id"]).observed_at == START + 5 * DAY


def test_a_finished_checkout_reads_as_its_subscription(shop: Shop) -> None:
    session = shop.buy("plus_month")
    kinds = [type(f).__name__ for f in shop.client.read(Ref("checkout", session["id"]), START)]
    assert kinds == ["CheckoutFact", "SubscriptionFact", "PaymentFact"]


def test_an_open_checkout_reads_as_nothing_yet(shop: Shop) -> None:
    opened = shop.client.create_checkout(shop.order("plus_month"))
    assert shop.client.read(Ref("checkout", opened.session_id), START) == ()


def test_a_paid_purchase_reads_with_its_fee_and_charge(shop: Shop) -> None:
    session = shop.buy("tax_pass")
    purchase = shop.client.read(Ref("checkout", session["id"]), START)[1]
    assert isinstance(purchase, PurchaseFact)
    assert (purchase.state, purchase.amount_cents, purchase.fee_cents) == ("paid", 4900, 172)
    assert purchase.refs[0].startswith("ch_")


def test_an_invoice_reads_with_the_names_of_its_payment(shop: Shop) -> None:
    sub = shop.subscribe()
    (payment,) = shop.client.read(Ref("invoice", sub["latest_invoice"]), START)
    assert isinstance(payment, PaymentFact)
    assert (payment.user_id, payment.amount_cents) == ("usr_1", 900)
    assert payment.refs[0].startswith("pi_")


@pytest.mark.parametrize(("paid_out", "fee"), [(900, 56), (1110, 45), (9, 5600)])
def test_the_fee_of_an_invoice_is_told_in_the_currency_that_was_charged(shop: Shop, paid_out: int, fee: int) -> None:
    """56 cents of what Stripe pays out in the account's currency, at the rate of that very charge."""
    sub = shop.subscribe()
    (transaction,) = shop.books.all("balance_transaction")
    transaction |= {"amount": paid_out, "net": paid_out - 56}
    (payment,) = shop.client.read(Ref("invoice", sub["latest_invoice"]), START)
    assert isinstance(payment, PaymentFact)
    assert payment.fee_cents == fee


def test_a_fee_that_stripe_does_not_know_yet_is_not_guessed(shop: Shop) -> None:
    sub = shop.subscribe()
    (charge,) = shop.books.all("charge")
    charge["balance_transaction"] = None
    (payment,) = shop.client.read(Ref("invoice", sub["latest_invoice"]), START)
    assert isinstance(payment, PaymentFact)
    assert payment.fee_cents is None


@pytest.mark.parametrize("kind", ["invoice", "payment"])
def test_a_key_that_may_not_read_fees_reads_the_payment_without_one(shop: Shop, kind: str) -> None:
    sub = shop.subscribe()
    (charge,) = shop.books.all("charge")
    shop.app.faults = [Fault("refuse", "GET", "/v1/payment_intents", status=403)]
    payment = shop.client.read(
        Ref(kind, sub["latest_invoice"] if kind == "invoice" else charge["payment_intent"]), START
    )[0]
    assert isinstance(payment, PaymentFact)
    assert (payment.amount_cents, payment.fee_cents, shop.app.faults[0].times) == (900, None, 0)


def test_a_payment_reads_with_everything_that_happened_to_it(shop: Shop) -> None:
    sub = shop.subscribe()
    (payment,) = shop.client.read(Ref("invoice", sub["latest_invoice"]), START)
    assert isinstance(payment, PaymentFact)
    intent = payment.refs[0]
    shop.books.refund(intent, 100, "duplicate", {})
    shop.books.open_dispute(intent)
    shop.books.warn_of_fraud(intent)
    facts = shop.client.read(Ref("payment", intent), START)
    assert [type(f) for f in facts] == [PaymentFact, RefundFact, DisputeFact, FraudWarningFact]
    assert {f.user_id for f in facts} == {"usr_1"}
    owner = facts[0]
    assert isinstance(owner, PaymentFact)
    assert owner.payment_id == sub["latest_invoice"]
    assert owner.fee_cents == 56


def test_a_refund_that_is_read_late_is_dated_by_the_day_it_was_made(shop: Shop) -> None:
    intent = shop.books.pay(900, "usd", None, {"user_id": "usr_1", "plan_id": "tax_pass", "checkout_id": "chk_1"})["id"]
    shop.books.refund(intent, 900, "requested_by_customer", {})
    shop.app.advance(3 * DAY)
    refund = shop.client.read(Ref("payment", intent), START)[1]
    assert isinstance(refund, RefundFact)
    assert (refund.made_at, refund.observed_at) == (START, START + 3 * DAY)


def paid_in_two(shop: Shop) -> list[Any]:
    """The charges of an invoice that was paid in two parts."""
    sub = shop.subscribe()
    bill = shop.books.objects[sub["latest_invoice"]]
    (first,) = shop.books.all("charge")
    first["amount"] = 800
    intent = shop.books.pay(100, "usd", sub["customer"], {}, bill["id"])["id"]
    shop.books.add(shapes.invoice_payment(shop.books.new_id("inpay"), shop.books.at, bill, intent))
    return list(shop.books.all("charge"))


@pytest.mark.parametrize(("known", "fee"), [(1, None), (2, 56 + 33)])
def test_the_fee_of_an_invoice_is_that_of_all_its_payments(shop: Shop, known: int, fee: int | None) -> None:
    charges = paid_in_two(shop)
    for charge in charges[known:]:
        charge["balance_transaction"] = None
    # The smaller part's fee is on its own amount.
    transactions = {t["id"]: t for t in shop.books.all("balance_transaction")}
    transactions[charges[1]["_transaction"]]["amount"] = 800
    for charge in charges:
        owner = shop.client.read(Ref("payment", charge["payment_intent"]), START)[0]
        assert isinstance(owner, PaymentFact)
        assert owner.fee_cents == fee


def test_a_part_of_an_invoice_that_is_not_paid_yet_waits_only_if_something_happened_to_it(shop: Shop) -> None:
    part, _ = paid_in_two(shop)
    shop.books.objects[part["_invoice"]]["status"] = "open"
    assert shop.client.read(Ref("payment", part["payment_intent"]), START) == ()
    shop.books.warn_of_fraud(part["payment_intent"])
    with pytest.raises(Parked):
        shop.client.read(Ref("payment", part["payment_intent"]), START)


@pytest.mark.parametrize("what", ["refund", "dispute"])
def test_money_back_of_an_invoice_that_is_not_paid_yet_waits_for_it(shop: Shop, what: str) -> None:
    part, _ = paid_in_two(shop)
    shop.books.objects[part["_invoice"]]["status"] = "open"
    if what == "refund":
        shop.books.refund(part["payment_intent"], 50, "duplicate", {})
    else:
        shop.books.open_dispute(part["payment_intent"])
    with pytest.raises(Parked):
        shop.client.read(Ref("payment", part["payment_intent"]), START)


def test_a_payment_of_another_product_is_not_ours(shop: Shop) -> None:
    intent = shop.books.pay(500, "usd", None, {})
    assert shop.client.read(Ref("payment", intent["id"]), START) == ()


# --- changing a subscription ---------------------------------------------------------------------------------------


def test_cancel_at_the_periods_end_and_take_it_back(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.client.cancel_subscription(sub["id"], at_period_end=True, reason="too_expensive", key="k1")
    fact = subscription_fact(shop, sub["id"])
    assert (fact.cancel_at_period_end, fact.cancel_reason, fact.status) == (True, "too_expensive", "active")
    shop.client.resume_subscription(sub["id"], key="k2")
    fact = subscription_fact(shop, sub["id"])
    assert (fact.cancel_at_period_end, fact.cancel_at) == (False, None)


def test_a_cancellation_made_in_the_portal_is_taken_back_too(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.books.modify(sub, {"cancel_at": START + 10 * DAY})
    shop.client.resume_subscription(sub["id"], key="k1")
    assert subscription_fact(shop, sub["id"]).cancel_at is None


def test_cancel_now_ends_it_and_a_repeat_is_no_error(shop: Shop) -> None:
    sub = shop.subscribe()
    for key in ("k1", "k1", "k2"):
        shop.client.cancel_subscription(sub["id"], at_period_end=False, reason=None, key=key)
    assert subscription_fact(shop, sub["id"]).status == "canceled"


def test_a_paused_subscription_is_resumed(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.books.pause(sub)
    shop.client.resume_subscription(sub["id"], key="k1")
    assert subscription_fact(shop, sub["id"]).status == "active"


def test_the_preview_is_what_the_change_then_costs(shop: Shop) -> None:
    sub = shop.subscribe()
    item = sub["items"]["data"][0]["id"]
    shop.app.advance(10 * DAY)
    moment = shop.app.clock.now()
    preview = shop.client.preview_change(sub["id"], item, shop.plans["pro_month"], moment)
    shop.app.advance(60)
    shop.client.change_subscription(
        sub["id"], item, shop.plans["pro_month"], at_period_end=False, proration_date=moment, key="k1"
    )
    bill = shop.books.objects[sub["latest_invoice"]]
    assert bill["amount_paid"] == preview.amount_due_cents > 0
    assert preview.credit_cents > 0
    assert preview.next_amount_cents == 1900
    assert subscription_fact(shop, sub["id"]).price_id == shop.plans["pro_month"].provider_plan_ids["stripe"]


def test_from_month_to_year_a_new_period_begins(shop: Shop) -> None:
    sub = shop.subscribe()
    item = sub["items"]["data"][0]["id"]
    shop.app.advance(10 * DAY)
    moment = shop.app.clock.now()
    preview = shop.client.preview_change(sub["id"], item, shop.plans["plus_year"], moment)
    shop.client.change_subscription(
        sub["id"], item, shop.plans["plus_year"], at_period_end=False, proration_date=moment, key="k1"
    )
    fact = subscription_fact(shop, sub["id"])
    assert (fact.current_period_start, fact.current_period_end) == (moment, preview.next_billing_at)


def test_an_upgrade_that_is_not_paid_keeps_the_old_plan(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    item = sub["items"]["data"][0]["id"]
    shop.client.change_subscription(
        sub["id"], item, shop.plans["pro_month"], at_period_end=False, proration_date=START, key="k1"
    )
    assert subscription_fact(shop, sub["id"]).price_id == shop.plans["plus_month"].provider_plan_ids["stripe"]


def downgrade(shop: Shop) -> dict[str, Any]:
    sub = shop.subscribe("pro_month")
    item = sub["items"]["data"][0]["id"]
    shop.client.change_subscription(
        sub["id"], item, shop.plans["plus_month"], at_period_end=True, proration_date=START, key="k1"
    )
    return sub


def test_a_downgrade_waits_for_the_periods_end(shop: Shop) -> None:
    sub = downgrade(shop)
    plus, pro = (shop.plans[p].provider_plan_ids["stripe"] for p in ("plus_month", "pro_month"))
    fact = subscription_fact(shop, sub["id"])
    assert (fact.price_id, fact.scheduled_price_id) == (pro, plus)
    shop.app.advance(32 * DAY)
    fact = subscription_fact(shop, sub["id"])
    assert (fact.price_id, fact.scheduled_price_id) == (plus, None)
    shop.app.advance(32 * DAY)
    assert sub["schedule"] is None


def test_a_change_is_scheduled_while_the_last_one_still_has_its_schedule(shop: Shop) -> None:
    """Stripe releases a schedule a whole period after its change: its first phase is long past then."""
    sub = downgrade(shop)
    shop.app.advance(32 * DAY)
    assert sub["schedule"] is not None
    item = sub["items"]["data"][0]
    shop.client.change_subscription(
        sub["id"], item["id"], shop.plans["plus_year"], at_period_end=True, proration_date=START, key="k2"
    )
    plus, year = (shop.plans[p].provider_plan_ids["stripe"] for p in ("plus_month", "plus_year"))
    fact = subscription_fact(shop, sub["id"])
    assert (fact.price_id, fact.scheduled_price_id) == (plus, year)
    shop.app.advance(31 * DAY)
    assert subscription_fact(shop, sub["id"]).price_id == year


def test_a_discount_goes_along_into_the_next_period(shop: Shop) -> None:
    sub = shop.subscribe("pro_month")
    applied = shop.books.discount(sub, "forever", percent_off=10)["id"]
    shop.client.change_subscription(
        sub["id"],
        sub["items"]["data"][0]["id"],
        shop.plans["plus_month"],
        at_period_end=True,
        proration_date=START,
        key="k1",
    )
    shop.app.advance(32 * DAY)
    assert sub["discounts"] == [applied]


def test_a_downgrade_can_be_taken_back(shop: Shop) -> None:
    sub = downgrade(shop)
    shop.client.resume_subscription(sub["id"], key="k2")
    assert subscription_fact(shop, sub["id"]).scheduled_price_id is None


def test_a_second_downgrade_replaces_the_first(shop: Shop) -> None:
    sub = downgrade(shop)
    item = sub["items"]["data"][0]["id"]
    shop.client.change_subscription(
        sub["id"], item, shop.plans["plus_year"], at_period_end=True, proration_date=START, key="k2"
    )
    assert subscription_fact(shop, sub["id"]).scheduled_price_id == shop.plans["plus_year"].provider_plan_ids["stripe"]


def test_cancelling_drops_a_scheduled_downgrade(shop: Shop) -> None:
    sub = downgrade(shop)
    shop.client.cancel_subscription(sub["id"], at_period_end=True, reason=None, key="k2")
    fact = subscription_fact(shop, sub["id"])
    assert (fact.scheduled_price_id, fact.cancel_at_period_end) == (None, True)


def test_cancelling_what_is_past_due_collects_nothing_more_and_taking_it_back_does(shop: Shop) -> None:
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(32 * DAY)
    shop.client.cancel_subscription(sub["id"], at_period_end=True, reason=None, key="k1")
    shop.books.works[sub["customer"]] = True
    shop.app.advance(4 * DAY)
    (bill,) = [b for b in shop.books.all("invoice") if b["id"] == sub["latest_invoice"]]
    # Not void: the subscription would turn active.
    assert (bill["status"], bill["amount_paid"], sub["status"]) == ("open", 0, "past_due")
    shop.client.resume_subscription(sub["id"], key="k2")
    shop.app.advance(1)
    assert (bill["status"], sub["status"], sub["cancel_at_period_end"]) == ("paid", "active", False)


def test_a_preview_has_tax_and_discount_and_the_true_next_bill(shop: Shop) -> None:
    shop.books.tax_percent = 19
    sub = shop.subscribe()
    shop.books.discount(sub, "forever", percent_off=50)
    item = sub["items"]["data"][0]
    moment = (item["current_period_start"] + item["current_period_end"]) // 2
    now = shop.client.preview_change(sub["id"], item["id"], shop.plans["pro_month"], moment)
    # Half a month of 9.00 back, half a month of 19.00 to pay, 19 % on the difference; prorations have no discount.
    assert (now.amount_due_cents, now.tax_cents, now.discount_cents, now.credit_cents) == (595, 95, 0, 450)
    assert (now.next_amount_cents, now.next_tax_cents, now.next_discount_cents) == (1130, 180, 950)
    later = shop.client.preview_change(sub["id"], item["id"], shop.plans["pro_month"], moment, at_period_end=True)
    assert (later.amount_due_cents, later.tax_cents, later.next_amount_cents) == (0, 0, 1130)
    assert later.next_billing_at == item["current_period_end"]


# --- money back, pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["invoice", "intent", "charge"])
def test_a_payment_is_refunded_by_any_of_its_names(shop: Shop, name: str) -> None:
    sub = shop.subscribe()
    (payment,) = shop.client.read(Ref("invoice", sub["latest_invoice"]), START)
    assert isinstance(payment, PaymentFact)
    intent = payment.refs[0]
    names = {
        "invoice": sub["latest_invoice"],
        "intent": intent,
        "charge": shop.books.objects[intent]["latest_charge"],
    }
    for _ in range(2):
        facts = shop.client.refund(names[name], 300, "USD", reason="requested_by_customer", key="r1").facts
    refunds = [f for f in facts if isinstance(f, RefundFact)]
    assert [(r.amount_cents, r.status, r.reason) for r in refunds] == [(300, "succeeded", "requested_by_customer")]


def test_the_rest_is_refunded_when_no_amount_is_named(shop: Shop) -> None:
    session = shop.buy("tax_pass")
    shop.client.refund(session["id"], 900, "USD", reason="duplicate", key="r1")
    facts = shop.client.refund(session["id"], None, "USD", reason="duplicate", key="r2").facts
    assert sorted(f.amount_cents for f in facts if isinstance(f, RefundFact)) == [4000]


def test_more_than_was_paid_is_refused_in_stripes_words(shop: Shop) -> None:
    session = shop.buy("tax_pass")
    with pytest.raises(ProviderError, match="greater than unrefunded"):
        shop.client.refund(session["id"], 5000, "USD", reason="duplicate", key="r1")


def test_receipts_are_links_of_stripes(shop: Shop) -> None:
    sub, session = shop.subscribe(), shop.buy("tax_pass", "chk_2")
    assert "/invoices/" in (shop.client.receipt_url(sub["latest_invoice"]) or "")
    assert "/receipts/" in (shop.client.receipt_url(session["payment_intent"]) or "")


def test_the_portal_opens_for_a_customer(shop: Shop) -> None:
    sub = shop.subscribe()
    assert shop.client.portal_url(sub["customer"], "http://127.0.0.1/account").startswith(shop.app.url)


# --- plans ---------------------------------------------------------------------------------------------------------


def test_a_sync_that_is_repeated_changes_nothing(shop: Shop) -> None:
    again = shop.client.sync_plan(plan("plus_month", 900), dry_run=False)
    assert again.price_id == shop.plans["plus_month"].provider_plan_ids["stripe"]
    assert (again.changes, again.problems) == ((), ())


def test_a_dry_run_only_says_what_it_would_do(shop: Shop) -> None:
    would = shop.client.sync_plan(plan("new_month", 500), dry_run=True)
    assert would.price_id is None
    assert would.changes == ("create product bitsleuth_new_month", "create price bitsleuth_new_month_v1")
    assert "bitsleuth_new_month" not in shop.books.objects


def test_a_new_version_gets_a_price_of_its_own_under_the_same_product(shop: Shop) -> None:
    newer = shop.client.sync_plan(plan("plus_month", 1200, version=2, name="Plus"), dry_run=False)
    old = shop.plans["plus_month"].provider_plan_ids["stripe"]
    prices = {p["id"]: p for p in shop.books.all("price")}
    assert newer.price_id != old
    assert prices[newer.price_id]["product"] == prices[old]["product"]
    assert shop.books.objects["bitsleuth_plus_month"]["name"] == "Plus"


def test_archiving_takes_the_price_off_sale(shop: Shop) -> None:
    archived = replace(shop.plans["plus_month"], status="archived")
    assert shop.client.sync_plan(archived, dry_run=False).changes
    assert not shop.books.objects[archived.provider_plan_ids["stripe"]]["active"]
    with pytest.raises(ProviderError, match="inactive"):
        shop.client.create_checkout(shop.order("plus_month"))


def test_an_adopted_price_that_differs_is_reported(shop: Shop) -> None:
    adopted = plan("gold_year", 9000, "year", provider_plan_ids=shop.plans["plus_month"].provider_plan_ids)
    problems = shop.client.sync_plan(adopted, dry_run=False).problems
    assert len(problems) == 2
    assert "amount 900" in problems[0]
    assert "interval month" in problems[1]


# --- when Stripe does not play along -------------------------------------------------------------------------------


def test_no_answer_is_unavailable_and_may_be_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *_: 0)
    shop.app.faults = [Fault("refuse", path="/v1/subscriptions", times=9)]
    with pytest.raises(ProviderUnavailable):
        shop.client.read(Ref("subscription", "sub_1"), START)
    assert shop.app.requests.count(("GET", "/v1/subscriptions/sub_1")) == 3


def test_an_unknown_object_is_refused_in_stripes_words(shop: Shop) -> None:
    with pytest.raises(ProviderError, match="No such subscription") as refused:
        shop.client.read(Ref("subscription", "sub_none"), START)
    assert refused.value.extensions["reason"] == "resource_missing"


@pytest.mark.parametrize(
    "env",
    [
        {"STRIPE_SECRET_KEY": "sk_live_x", "LIVEMODE": "false", "STAGE": "dev"},
        {"STRIPE_SECRET_KEY": "sk_test_x", "LIVEMODE": "true", "STAGE": "prod"},
        {"STRIPE_SECRET_KEY": "", "LIVEMODE": "false", "STAGE": "dev"},
        {"STRIPE_SECRET_KEY": "sk_live_x", "LIVEMODE": "true", "STAGE": "prod", "STRIPE_API_BASE": "http://x"},
    ],
)
def test_a_key_of_the_wrong_mode_or_a_redirected_prod_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(NotConfigured):
        connect(Settings(env))


@pytest.mark.parametrize("refusal", [stripe.AuthenticationError, stripe.PermissionError])
def test_a_key_that_stripe_refuses_is_named_to_nobody(refusal: type[stripe.StripeError]) -> None:
    with pytest.raises(ProviderError) as refused, asking():
        raise refusal("Invalid API Key provided: sk_live_****1234", http_status=401)
    assert "sk_live" not in refused.value.detail


def test_a_downgrade_keeps_everything_but_the_price(shop: Shop) -> None:
    """Phases replace what is there: tax rates, the settings of items, a discount, the payment method, another item."""
    sub = shop.subscribe("pro_month")
    addon = next(p for p in shop.books.all("price") if p["unit_amount"] == 9000)
    shop.books.add_item(sub, addon)
    first, second = sub["items"]["data"]
    first |= {"tax_rates": ["txr_1"], "metadata": {"seat": "1"}}
    second |= {"tax_rates": ["txr_2"], "quantity": 3}
    sub |= {"default_tax_rates": ["txr_3"], "default_payment_method": "pm_own"}
    discount = shop.books.discount(sub, "forever", percent_off=10)["id"]
    shop.client.change_subscription(
        sub["id"], first["id"], shop.plans["plus_month"], at_period_end=True, proration_date=START, key="k1"
    )
    for days, plan_id in ((0, "pro_month"), (32, "plus_month")):
        shop.app.advance(days * DAY)
        ours, other = sub["items"]["data"]
        assert ours["price"]["id"] == shop.plans[plan_id].provider_plan_ids["stripe"]
        assert (ours["tax_rates"], ours["metadata"], ours["quantity"]) == (["txr_1"], {"seat": "1"}, 1)
        assert (other["price"]["id"], other["tax_rates"], other["quantity"]) == (addon["id"], ["txr_2"], 3)
        assert (sub["default_tax_rates"], sub["discounts"]) == (["txr_3"], [discount])
        assert sub["default_payment_method"] == "pm_own"


def test_a_change_that_waits_leaves_a_trials_end_where_it_was(shop: Shop) -> None:
    sub = shop.subscribe("pro_month", trial_days=14)
    shop.client.change_subscription(
        sub["id"],
        sub["items"]["data"][0]["id"],
        shop.plans["plus_month"],
        at_period_end=True,
        proration_date=START,
        key="k1",
    )
    assert (sub["status"], sub["trial_end"]) == ("trialing", START + 14 * DAY)
    shop.app.advance(15 * DAY)
    (paid,) = [b for b in shop.books.all("invoice") if b["amount_paid"]]
    assert paid["amount_paid"] == 900
