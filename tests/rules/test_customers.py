"""What the list of customers says of an account: how it stands, until when, at what risk, and the ids to find it by."""

from dataclasses import replace
from typing import Any

import pytest

from billing.rules.customers import customer, past_ids
from billing.rules.entitlements import Source
from billing.rules.plans import Credits
from billing.rules.records import (
    ERASED,
    Account,
    Grant,
    PastPayment,
    Payment,
    Record,
    Redemption,
    Subscription,
    Term,
)
from samples import NOW, USER
from tests.rules.test_access import DAY, PERIOD_END, grant, invoice, owed, purchase, subscription, term

LATER = NOW + 5 * DAY


def source(kind: Any = "subscription", **more: Any) -> Source:
    known: dict[str, Any] = {
        "id": "1",
        "plan_id": "plus-month",
        "plan_version": 1,
        "start": NOW,
        "until": PERIOD_END,
        "reason": kind,
        "features": {"wallets.max": 5},
    }
    return Source(kind=kind, **{**known, **more})


def shown(*records: Record | Grant | Redemption, sources: tuple[Source, ...] = (), now: int = LATER) -> Any:
    return customer(Account(USER).put(*records), sources, now)


def test_an_account_with_nothing_and_an_erased_one_are_no_customers() -> None:
    assert shown() is None
    assert customer(Account(f"{ERASED}1").put(subscription()), (), NOW) is None
    assert shown(subscription()) is not None


def test_a_customer_is_one_since_the_first_thing_they_opened() -> None:
    assert shown(subscription(created_at=NOW + 2), purchase(created_at=NOW + 1)).since == NOW + 1
    assert shown(subscription(created_at=NOW + 2), grant(granted_at=NOW)).since == NOW
    assert shown(Redemption(redemption_id="r_1", redeemed_at=NOW - 1), grant()).since == NOW - 1


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [("term", "subscription"), ("purchase", "term"), ("voucher", "term"), ("grant", "purchase"), ("grant", "voucher")],
)
def test_the_best_of_what_is_open_says_how_a_customer_stands(weaker: str, stronger: str) -> None:
    for sources in ((source(weaker), source(stronger)), (source(stronger), source(weaker))):
        assert shown(subscription(), sources=sources).status == stronger


def test_with_nothing_open_the_newest_subscription_says_how_a_customer_stands() -> None:
    old = subscription("canceled", subscription_id="sub_0", created_at=NOW - DAY)
    new = subscription("unpaid", created_at=NOW)
    assert shown(new, old).status == "unpaid"
    assert shown(new, old, sources=(source(until=LATER),)).status == "unpaid"
    assert shown(new, old, sources=(source(start=LATER + 1),)).status == "unpaid"
    assert shown(purchase("refunded")).status == "free"


def test_plans_are_those_that_are_open_or_paid_for_ahead() -> None:
    sources = (
        source(plan_id="ended", until=LATER),
        source(plan_id="open", until=LATER + 1),
        source(plan_id="ahead", start=LATER + DAY),
        source("purchase", plan_id="for-good", until=None),
        source("grant", plan_id=None),
    )
    assert shown(subscription(), sources=sources).plans == ("ahead", "for-good", "open")


def test_rails_are_where_a_customer_ever_bought() -> None:
    assert shown(subscription("canceled"), purchase(), grant()).rails == ("btcpay", "stripe")
    assert shown(grant()).rails == ()


@pytest.mark.parametrize(
    ("record", "at_risk"),
    [
        (subscription(), False),
        (subscription("past_due"), True),
        (subscription("unpaid"), True),
        (subscription(unpaid=owed(start=PERIOD_END, end=PERIOD_END + 30 * DAY)), True),
        (subscription(cancel_at_period_end=True), True),
        (subscription("canceled", ended_at=NOW, cancel_at_period_end=True), False),
        (subscription("incomplete", unpaid=owed()), False),
    ],
    ids=["active", "past due", "unpaid", "owes", "leaves", "has left", "never began"],
)
def test_who_still_pays_and_perhaps_not_for_long_is_at_risk(record: Subscription, at_risk: bool) -> None:
    assert shown(record).at_risk is at_risk


def test_what_renews_has_no_end() -> None:
    prepaid = source("term", until=PERIOD_END + DAY)
    assert shown(subscription(), term(), sources=(prepaid,)).ends_at is None
    assert shown(grant(), sources=(source("grant"),)).ends_at is None
    assert shown(purchase(), sources=(source("purchase"),)).ends_at is None


def test_a_customer_ends_with_the_last_of_what_recurs_or_was_prepaid() -> None:
    leaving = subscription(cancel_at_period_end=True)
    prepaid = source("term", until=PERIOD_END + DAY)
    assert shown(leaving).ends_at == PERIOD_END
    assert shown(leaving, term(), sources=(prepaid,)).ends_at == PERIOD_END + DAY
    assert shown(leaving, term(), sources=(replace(prepaid, until=LATER + 1),)).ends_at == PERIOD_END
    assert shown(subscription("canceled", ended_at=NOW), term(), sources=(prepaid,)).ends_at == PERIOD_END + DAY
    assert shown(leaving, term(), sources=(replace(prepaid, until=None),)).ends_at == PERIOD_END


def test_of_vouchers_only_those_of_a_plan_that_recurs_end_a_customer() -> None:
    of_plan = source("voucher", period=(NOW, PERIOD_END))
    assert shown(grant(), sources=(of_plan,)).ends_at == PERIOD_END
    assert shown(grant(), sources=(replace(of_plan, period=None),)).ends_at is None
    leaving = subscription(cancel_at_period_end=True)
    assert shown(leaving, sources=(replace(of_plan, until=None),)).ends_at == PERIOD_END
    assert shown(purchase(), sources=(source("purchase", period=(NOW, PERIOD_END)),)).ends_at is None


def test_credits_count_while_they_are_open() -> None:
    bought = source("purchase", features={"ai.chat": Credits(50)}, until=LATER + 1)
    assert shown(purchase(), sources=(source(), bought)).has_credits
    assert not shown(purchase(), sources=(source(), replace(bought, until=LATER))).has_credits
    assert not shown(purchase(), sources=(source(),)).has_credits


def test_every_id_of_a_customer_leads_to_them_once() -> None:
    paid = invoice(refs=("pi_1", "ch_1"))
    found = shown(
        subscription(customer_id="cus_1", payments=paid),
        purchase(customer_id="cus_1", transactions=("tx_1",)),
        term(purchase_id="inv_1"),
        term("pending", purchase_id="inv_2"),
    )
    assert sorted(found.ids) == sorted(
        {
            (USER, "user"),
            ("cus_1", "customer"),
            ("sub_1", "subscription"),
            ("pay_1", "invoice"),
            ("pi_1", "transaction"),
            ("ch_1", "transaction"),
            ("pur_1", "purchase"),
            ("tx_1", "transaction"),
            ("inv_1", "invoice"),
            ("inv_2", "invoice"),
        }
    )


def test_a_purchase_is_found_by_what_its_payment_is_called_at_the_bank() -> None:
    paid = Payment(payment_id="pay_9", amount_cents=900, currency="USD", paid_at=NOW, refs=("ch_9",))
    record = purchase(kind=Term, payment=paid)
    assert shown(record).ids == ((USER, "user"), ("pur_1", "invoice"), ("ch_9", "transaction"))
    past = PastPayment(provider="stripe", subscription_id="sub_1", payment=paid)
    assert list(past_ids(past)) == [("pay_9", "invoice"), ("ch_9", "transaction")]
