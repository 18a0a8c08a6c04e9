"""What is told of each thing that ends or costs money again: when, how much, and whose turn it is."""

from dataclasses import replace
from typing import Any

import pytest

from billing.api.answers.status import SubscriptionStatus
from billing.api.status import subscription_status
from billing.rules.ends import ahead
from billing.rules.plans import Catalogue
from billing.rules.records import Account, Attempt, Checkout, Mandate, Record, Redemption, Refund, Renewal, Said
from billing.rules.terms import add_interval
from billing.rules.times import DAY, rfc3339
from samples import CATALOGUE, DAY_PASS, NOW, PLUS, USER
from tests.rules.test_access import PERIOD_END, owed, payment, purchase, subscription, term

LATER = NOW + 5 * DAY
END = add_interval(NOW, "month")
LIFTED = Catalogue((*CATALOGUE.plans, replace(PLUS, version=2, price_cents=1200)))
ARCHIVED = Catalogue((*CATALOGUE.plans, replace(PLUS, version=2, status="archived")))


def renewal(**more: Any) -> Renewal:
    known: dict[str, Any] = {"group": "main", "plan_id": "plus-month", "plan_version": 1, "provider": "btcpay"}
    return Renewal(**{**known, "purchase_id": "pur_1", "ends_at": END, **more})


def mandate(**more: Any) -> Mandate:
    agreed: dict[str, Any] = {"group": "main", "connection_id": "wal_1", "plan_id": "plus-month", "price_cents": 900}
    agreed |= {"currency": "USD", "most_sat": 40_000, "lead_days": 3, "agreed_at": NOW, "ends_at": END}
    return Mandate(**{**agreed, **more})


def page(status: str = "open", **more: Any) -> Checkout:
    known: dict[str, Any] = {"checkout_id": "chk_9", "group": "main", "plan_id": "plus-month", "plan_version": 1}
    known |= {"provider": "btcpay", "created_at": NOW, "expires_at": END - 3 * DAY + 3600, "amount_cents": 900}
    return Checkout(status=status, currency="USD", **{**known, **more})  # type: ignore[arg-type]


def voucher(**more: Any) -> Redemption:
    return Redemption(**{"redemption_id": "r1", "redeemed_at": NOW, "plan_version": 1, **more})


PREPAID = (term(), renewal())
RETURNED = {"re_1": Refund(refund_id="re_1", amount_cents=900, status="succeeded", observed_at=NOW)}
ASKED = mandate(attempt=Attempt(number=1, checkout_id="chk_1", payable_until=END))
CASES: dict[str, tuple[tuple[Record, ...], list[Any]]] = {
    # records: kind, act, ends_at, due_at, amount
    "a card renews": ((subscription(),), [("subscription", "charged", None, PERIOD_END, 900)]),
    "a smaller plan comes": (
        (subscription(scheduled_plan_id="pro-month", scheduled_plan_version=1),),
        [("subscription", "charged", None, PERIOD_END, 1900)],
    ),
    "a trial": (
        (subscription("trialing", trial_end=PERIOD_END),),
        [("trial", "charged", PERIOD_END, PERIOD_END, 900)],
    ),
    "a trial that ends": (
        (subscription("trialing", cancel_at_period_end=True),),
        [("trial", "resume", PERIOD_END, None, None)],
    ),
    "a card set to end": (
        (subscription(cancel_at_period_end=True),),
        [("subscription", "resume", PERIOD_END, None, None)],
    ),
    "a payment that failed": (
        (subscription("past_due", unpaid=owed(next_attempt_at=LATER)),),
        [("subscription", "fix_payment", NOW + 7 * DAY, LATER, 900)],
    ),
    "paused": ((subscription("paused"),), []),
    "over": ((subscription("canceled", ended_at=NOW),), []),
    "paid ahead": (PREPAID, [("prepaid", "renew", END, None, 900)]),
    "given back": ((term(payment=payment(900, refunds=RETURNED)), renewal()), []),
    "from a voucher": (
        (voucher(plan_id="plus-month"), renewal(provider="voucher", purchase_id="r1#000")),
        [("voucher", "renew", END, None, 900)],
    ),
    "the wallet is asked in time": ((*PREPAID, mandate()), [("prepaid", "wallet_pays", END, END - 3 * DAY, 900)]),
    "the wallet is being asked": ((*PREPAID, ASKED), [("prepaid", "wallet_pays", END, None, 900)]),
    "a page is open by hand until after that day": (
        (*PREPAID, mandate(), page(expires_at=END - 2 * DAY)),
        [("prepaid", "wallet_pays", END, END - 3 * DAY, 900)],
    ),
    "the wallet could not": (
        (*PREPAID, mandate(trouble="budget_used_up", retry_at=LATER)),
        [("prepaid", "wallet_trouble", END, None, 900)],
    ),
    "the wallet's connection ends before": (
        (*PREPAID, mandate(said=Said(ends_at=END - 3 * DAY))),
        [("prepaid", "wallet_trouble", END, None, 900)],
    ),
    "the wallet's connection ends after": (
        (*PREPAID, mandate(said=Said(ends_at=END - 3 * DAY + 1, budget_sat=500))),
        [("prepaid", "wallet_pays", END, END - 3 * DAY, 900)],
    ),
    "the wallet's budget is below what a term came to": (
        (replace(term(), received_sat=600), renewal(), mandate(said=Said(budget_sat=599))),
        [("prepaid", "wallet_trouble", END, None, 900)],
    ),
    "the wallet's budget is enough": (
        (replace(term(), received_sat=600), renewal(), mandate(said=Said(budget_sat=600))),
        [("prepaid", "wallet_pays", END, END - 3 * DAY, 900)],
    ),
    "it was given up": ((*PREPAID, mandate(given_up=True)), [("prepaid", "wallet_trouble", END, None, 900)]),
    "the wallet is paused": ((*PREPAID, mandate(paused=True)), [("prepaid", "renew", END, None, 900)]),
    "the wallet is gone": ((*PREPAID, mandate(paused=True, removed=True)), [("prepaid", "renew", END, None, 900)]),
    "a card goes on beside it": ((*PREPAID, subscription()), [("subscription", "charged", None, PERIOD_END, 900)]),
    "a card that is not paid does not": (
        (*PREPAID, subscription("past_due", unpaid=owed(next_attempt_at=LATER))),
        [("subscription", "fix_payment", NOW + 7 * DAY, LATER, 900), ("prepaid", "renew", END, None, 900)],
    ),
    "bought for a day": (
        (purchase(plan_id="day-pass", payment=payment(200)),),
        [("purchase", "none", NOW + DAY, None, None)],  # it is hidden: nobody could buy it again
    ),
    "bought for good": ((purchase(),), []),
    "a voucher for a day": ((voucher(plan_id="day-pass"),), [("voucher", "none", NOW + DAY, None, None)]),
    "credits": ((voucher(features={"ai.chat": {"credits": 50}}),), []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_ahead(case: str) -> None:
    records, expected = CASES[case]
    found = ahead(Account(USER).put(*records), CATALOGUE, NOW + 60)
    assert [(one.kind, one.act, one.ends_at, one.due_at, one.amount_cents) for one in found] == expected


@pytest.mark.parametrize("raised", [LIFTED, ARCHIVED], ids=["dearer", "archived"])
def test_a_wallet_is_not_said_to_pay_what_was_not_agreed_to(raised: Catalogue) -> None:
    (found,) = ahead(Account(USER).put(*PREPAID, mandate()), raised, NOW + 60)
    assert (found.act, found.due_at) == ("wallet_trouble", None)


def test_what_is_not_sold_any_more_is_bought_in_another_form() -> None:
    (found,) = ahead(Account(USER).put(*PREPAID), ARCHIVED, NOW + 60)
    assert (found.act, found.amount_cents, found.group) == ("buy", None, None)


def test_what_is_bought_for_days_and_sold_can_be_bought_again() -> None:
    sold = Catalogue((*CATALOGUE.plans, replace(DAY_PASS, version=2, status="active", price_cents=300)))
    (found,) = ahead(Account(USER).put(purchase(plan_id="day-pass", payment=payment(200))), sold, NOW + 60)
    assert (found.act, found.amount_cents) == ("buy", 300)


@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_what_ends_is_told_in_the_currency_in_which_it_is_sold_today(currency: str) -> None:
    sold = Catalogue(
        (*CATALOGUE.plans, replace(DAY_PASS, version=2, currency=currency), replace(PLUS, version=2, currency=currency))
    )
    once, ahead_of = ahead(
        Account(USER).put(purchase(plan_id="day-pass", payment=payment(200)), *PREPAID), sold, NOW + 60
    )
    assert {once.currency, ahead_of.currency} == {currency}


def status(*records: Record, now: int = NOW + 60, days: int = 7) -> list[dict[str, Any]]:
    found = subscription_status(Account(USER).put(*records), CATALOGUE, now, days)
    SubscriptionStatus.model_validate(found)
    return list(found["ends"])


def test_the_status_tells_what_ends_and_from_when_to_say_so() -> None:
    (end,) = status(*PREPAID)
    assert end == {
        "id": end["id"],
        "kind": "prepaid",
        "plan_id": "plus-month",
        "plan_name": "Plus",
        "interval": "month",
        "ends_at": rfc3339(END),
        "notice_from": rfc3339(END - 7 * DAY),
        "act": "renew",
        "due_at": None,
        "amount_cents": 900,
        "currency": "USD",
        "group": "main",
    }
    assert status(*PREPAID, days=14)[0]["notice_from"] == rfc3339(END - 14 * DAY)
    assert status(*PREPAID, now=END) == []
    assert status(subscription()) == []


def test_each_end_has_an_id_of_its_own_and_each_thing_to_do_about_it() -> None:
    ids = {
        status(*records)[0]["id"]
        for records in (
            PREPAID,
            (term(), renewal(ends_at=END + DAY)),
            (*PREPAID, mandate()),
            (*PREPAID, mandate(trouble="balance_too_low")),
        )
    }
    assert len(ids) == 4
    assert status(*PREPAID)[0]["id"] in ids
    assert all("pur_1" not in name and "main" not in name for name in ids)
