"""What a plan costs a buyer with a past: trials used, time prepaid, plans that have it already."""

from dataclasses import replace
from typing import Any

import pytest

from billing.api.answers.plans import QuoteList
from billing.api.status import quotes
from billing.rules.apply.purchases import mark_duplicates
from billing.rules.plans import Allowance, Catalogue, Credits, Plan
from billing.rules.quotes import Obstacle, Overlap, included_in, live_subscription, obstacle, overlap, quote, trial_days
from billing.rules.records import Account, Checkout, Dispute, Grant, Purchase, Record, Redemption, Refund
from billing.rules.terms import add_interval
from billing.rules.times import DAY, rfc3339
from samples import CATALOGUE, DAY_PASS, NOW, PLUS, PLUS_TRIAL, PRO, TAX_PASS, USER
from tests.rules.test_access import (
    PERIOD_END,
    disputes,
    invoice,
    of_invoice,
    payment,
    purchase,
    refunds,
    subscription,
    term,
)

TRIAL = replace(PLUS_TRIAL, status="active")
SHOP = Catalogue((*(p for p in CATALOGUE.plans if p != PLUS_TRIAL), TRIAL))


def account(*records: Record) -> Account:
    return Account(USER).put(*records)


def shown(who: Account, plan_id: str, now: int = NOW) -> dict[str, Any]:
    """The quote of a plan as the API has it, held against its documented shape."""
    everything = quotes(who, SHOP, ["stripe", "btcpay", "mock"], now)
    QuoteList.model_validate({"quotes": everything})
    return next(q for q in everything if q["plan_id"] == plan_id)


def rail(who: Account, plan_id: str, provider: str, now: int = NOW) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in shown(who, plan_id, now)["rails"] if r["provider"] == provider)
    return found


def test_a_trial_delays_the_first_charge_of_a_card_and_lengthens_what_bitcoin_pays() -> None:
    card, bitcoin = (rail(account(), "plus-trial", name) for name in ("mock", "btcpay"))
    assert (card["due_now_cents"], card["trial_days"], card["first_charge_at"]) == (0, 14, rfc3339(NOW + 14 * DAY))
    assert card["access_until"] == card["first_charge_at"]
    assert (bitcoin["due_now_cents"], bitcoin["trial_days"]) == (900, 14)
    assert bitcoin["access_until"] == rfc3339(add_interval(NOW, "month") + 14 * DAY)


@pytest.mark.parametrize(
    "past",
    [
        subscription("canceled", ended_at=NOW - DAY, created_at=NOW - 40 * DAY),
        term(payment=payment(900)),
        term("processing"),
    ],
)
def test_who_had_a_trial_is_charged_from_today(past: Record) -> None:
    card = rail(account(past), "plus-trial", "mock")
    assert (card["due_now_cents"], card["trial_days"], card["first_charge_at"]) == (900, 0, rfc3339(NOW))


def test_a_trial_by_card_that_runs_is_added_to_what_bitcoin_buys() -> None:
    trialing = subscription("trialing", trial_end=NOW + 3 * DAY, current_period_end=NOW + 3 * DAY)
    assert rail(account(trialing), "plus-trial", "btcpay")["trial_days"] == 3


def test_what_is_left_of_a_trial_is_added_to_one_term_and_not_to_the_next() -> None:
    trialing = subscription("trialing", trial_end=NOW + 3 * DAY, current_period_end=NOW + 3 * DAY)
    first = term(bonus_seconds=3 * DAY)
    assert rail(account(trialing, first), "plus-trial", "btcpay")["trial_days"] == 0
    unpaid = term("failed", bonus_seconds=3 * DAY, payment=None)
    assert rail(account(trialing, unpaid), "plus-trial", "btcpay")["trial_days"] == 3


def test_what_was_left_of_a_trial_that_was_cancelled_is_not_added() -> None:
    over = subscription("canceled", trial_end=NOW + 3 * DAY, ended_at=NOW)
    assert rail(account(over), "plus-trial", "btcpay")["trial_days"] == 0


def test_the_invoice_of_the_same_order_does_not_use_the_trial_up() -> None:
    order = Checkout(
        checkout_id="chk_1",
        group="main",
        plan_id="plus-trial",
        plan_version=1,
        provider="btcpay",
        status="open",
        created_at=NOW,
        expires_at=NOW + 900,
        amount_cents=900,
        currency="USD",
        session_id="pur_1",
        url="https://pay",
    )
    pending = term("pending", plan_id="plus-trial", payment=None)
    assert rail(account(order, pending), "plus-trial", "btcpay") == rail(account(), "plus-trial", "btcpay")
    assert rail(account(order, pending), "plus-trial", "mock")["trial_days"] == 0, "it may still be paid"


def test_the_card_beside_prepaid_time_says_what_it_costs_and_until_when() -> None:
    card = rail(account(term()), "pro-month", "mock")
    assert card["due_now_cents"] == 1900
    assert card["overlap"] == {
        "kind": "prepaid",
        "plan_id": "plus-month",
        "plan_name": "Plus",
        "interval": "month",
        "price_cents": 900,
        "currency": "USD",
        "ends_at": rfc3339(add_interval(NOW, "month")),
        "renews": False,
    }


def test_prepaid_time_that_is_over_this_second_runs_beside_nothing() -> None:
    end = add_interval(NOW, "month")
    beside = [overlap(account(term()), SHOP, PLUS, now, prepaid=False) for now in (end - 1, end)]
    assert beside == [Overlap(kind="prepaid", plan=PLUS, ends_at=end, renews=False), None]


def test_what_a_voucher_gave_for_good_is_sold_again_once_the_voucher_is_closed() -> None:
    had = Redemption(redemption_id="r", redeemed_at=NOW, plan_id="tax-2026", plan_version=1)
    assert obstacle(account(had), SHOP, TAX_PASS, prepaid=False) == Obstacle("already_purchased", TAX_PASS)
    assert obstacle(account(replace(had, closed="revoked")), SHOP, TAX_PASS, prepaid=False) is None
    assert obstacle(account(replace(had, plan_id="other")), SHOP, TAX_PASS, prepaid=False) is None


def test_of_two_trials_the_longer_one_is_added() -> None:
    short = subscription("trialing", trial_end=NOW + 3 * DAY)
    long = subscription("trialing", subscription_id="sub_2", trial_end=NOW + 9 * DAY)
    assert trial_days(account(short, long), TRIAL, "btcpay", NOW, prepaid=True) == 9
    assert trial_days(account(long), TRIAL, "btcpay", NOW + 9 * DAY - 1, prepaid=True) == 1
    assert trial_days(account(long), TRIAL, "btcpay", NOW + 9 * DAY, prepaid=True) == 0
    assert trial_days(account(long), TRIAL, "stripe", NOW, prepaid=False) == 0


def test_of_two_subscriptions_the_newer_one_counts() -> None:
    old, new = subscription(created_at=NOW - DAY), subscription(subscription_id="sub_2", plan_id="pro-month")
    assert live_subscription(account(old, new), SHOP, "main") == new
    assert live_subscription(account(old, replace(new, status="canceled")), SHOP, "main") == old
    assert live_subscription(account(old, new), SHOP, "other") is None


def test_of_two_that_are_owned_the_one_for_good_is_named() -> None:
    day = replace(DAY_PASS, group="main")
    good = replace(TAX_PASS, group="main")
    plans = Catalogue((PLUS, day, good))
    a_day, for_good = purchase(purchase_id="pur_0", plan_id=day.plan_id, payment=payment(200)), purchase()
    assert overlap(account(a_day, for_good), plans, PLUS, NOW, prepaid=False) == Overlap(
        kind="owned", plan=good, ends_at=None, renews=False
    )
    assert overlap(account(a_day), plans, PLUS, NOW, prepaid=False) == Overlap(
        kind="owned", plan=day, ends_at=NOW + DAY, renews=False
    )


def test_bitcoin_beside_a_card_says_what_the_card_takes_and_when() -> None:
    bitcoin = rail(account(subscription()), "plus-month", "btcpay")
    assert (bitcoin["overlap"]["kind"], bitcoin["overlap"]["renews"]) == ("card", True)
    assert bitcoin["overlap"]["ends_at"] == rfc3339(PERIOD_END)


def test_the_next_term_begins_when_the_last_one_ends() -> None:
    again = rail(account(term()), "plus-month", "btcpay")
    first_end = add_interval(NOW, "month")
    assert (again["waits"], again["starts_at"]) == (True, rfc3339(first_end))
    assert again["access_until"] == rfc3339(add_interval(first_end, "month"))


def test_a_bigger_term_takes_over_what_is_left_of_the_smaller_one() -> None:
    bigger = rail(account(term()), "pro-month", "btcpay")
    month = add_interval(NOW, "month") - NOW
    assert (bigger["waits"], bigger["access_until"]) == (False, rfc3339(NOW + month + 900 * month // 1900))


def test_a_purchase_without_duration_is_for_good() -> None:
    once = rail(account(), "tax-2026", "mock")
    assert (once["access_until"], once["renews"], once["due_now_cents"]) == (None, False, 4900)


def test_credits_add_up_and_are_sold_again_and_again() -> None:
    pack = replace(TAX_PASS, plan_id="pack", group="pack", features={"ai.chat": Credits(50)})
    shop = Catalogue((*SHOP.plans, pack))
    both = [
        purchase(plan_id="pack", purchase_id=name, received_cents=4900, payment=replace(payment(4900), payment_id=name))
        for name in ("pur_1", "pur_2")
    ]
    (again,) = [q for q in quotes(account(*both), shop, ["mock", "btcpay"], NOW) if q["plan_id"] == "pack"]
    assert (again["move"], [rail["provider"] for rail in again["rails"]]) == ("buy", ["mock", "btcpay"])
    assert [p.duplicate_of for p in mark_duplicates(account(*both), pack).purchases] == [None, None]


def bought(purchase_id: str, plan: Plan, paid_at: int, **more: Any) -> Purchase:
    paid = replace(payment(plan.price_cents), payment_id=purchase_id, paid_at=paid_at)
    known: dict[str, Any] = {"received_cents": plan.price_cents, "amount_cents": plan.price_cents, "payment": paid}
    return purchase(plan_id=plan.plan_id, purchase_id=purchase_id, **{**known, **more})


def marked(purchase: Purchase, **more: Any) -> Purchase:
    """With this of its payment."""
    assert purchase.payment is not None
    return replace(purchase, payment=replace(purchase.payment, **more))


FIRST, SECOND = bought("pur_2", TAX_PASS, NOW), bought("pur_1", TAX_PASS, NOW + 1)
GIVEN_BACK = {"re_1": Refund(refund_id="re_1", amount_cents=4900, status="succeeded", observed_at=NOW)}
DISPUTED = {"dp_1": Dispute(dispute_id="dp_1", amount_cents=4900, status="open", observed_at=NOW)}


@pytest.mark.parametrize(
    ("first", "second", "duplicate_of"),
    [
        (FIRST, SECOND, "pur_2"),
        (FIRST, replace(SECOND, duplicate_of="pur_2"), "pur_2"),
        (FIRST, replace(SECOND, received_cents=None), None),  # by card: the provider would have refused it
        (FIRST, replace(SECOND, state="failed"), None),
        (replace(FIRST, state="failed"), replace(SECOND, duplicate_of="pur_2"), None),
        (marked(FIRST, refunds=GIVEN_BACK), replace(SECOND, duplicate_of="pur_2"), None),
        (marked(FIRST, disputes=DISPUTED), replace(SECOND, duplicate_of="pur_2"), None),
        (replace(FIRST, plan_id="other"), SECOND, None),
    ],
)
def test_what_is_for_good_is_bought_once(first: Purchase, second: Purchase, duplicate_of: str | None) -> None:
    after = {p.purchase_id: p.duplicate_of for p in mark_duplicates(account(first, second), TAX_PASS).purchases}
    assert after == {"pur_2": None, "pur_1": duplicate_of}


def test_what_lasts_for_days_or_renews_is_bought_again() -> None:
    days = account(bought("pur_1", DAY_PASS, NOW), bought("pur_2", DAY_PASS, NOW + 1))
    assert [p.duplicate_of for p in mark_duplicates(days, DAY_PASS).purchases] == [None, None]
    renewing = account(bought("pur_1", PLUS, NOW), bought("pur_2", PLUS, NOW + 1))
    assert [p.duplicate_of for p in mark_duplicates(renewing, PLUS).purchases] == [None, None]


def test_what_another_plan_has_is_named() -> None:
    assert shown(account(subscription(plan_id="pro-month")), "tax-2026")["included_in"] is None, "it adds the exports"
    whole = Catalogue((*SHOP.plans, replace(PRO, plan_id="all", features={**PRO.features, "tax.export": True})))
    assert included_in(account(subscription(plan_id="all")), whole, TAX_PASS, NOW) == whole.get("all")
    assert included_in(account(), whole, TAX_PASS, NOW) is None
    ended = subscription("canceled", plan_id="all", ended_at=NOW - 1)
    assert included_in(account(ended), whole, TAX_PASS, NOW) is None


def test_nothing_is_in_itself_nor_in_what_is_no_plan() -> None:
    running = account(bought("pur_1", DAY_PASS, NOW - 60))
    assert included_in(running, SHOP, DAY_PASS, NOW) is None
    given = Grant(grant_id="grt_1", features=PRO.features, granted_by="ada", reason="x", granted_at=NOW - 60)
    assert shown(account(given), "plus-month")["included_in"] is None


@pytest.mark.parametrize(("uses", "included"), [(199, True), (200, True), (201, False)])
def test_a_pass_with_an_allowance_is_included_in_a_plan_that_allows_as_much(uses: int, *, included: bool) -> None:
    chats = replace(DAY_PASS, features={"ai.chat": Allowance(uses)})
    found = included_in(account(subscription()), SHOP, chats, NOW)
    assert found == (PLUS if included else None)


def test_a_smaller_plan_is_said_to_be_in_what_is_paid_ahead_and_the_same_by_the_year_is_not() -> None:
    has = account(term(plan_id="pro-month"))
    assert [shown(has, name)["included_in"] for name in ("plus-month", "pro-year")] == ["Pro", None]
    assert shown(account(term()), "pro-month")["included_in"] is None


# The payment of the period before was charged back.
LOST_BEFORE = subscription(payments=invoice(NOW - 30 * DAY, NOW, disputes=disputes("lost")))
TO_PRO: dict[str, Any] = {"scheduled_plan_id": "pro-month", "scheduled_plan_version": 1}


@pytest.mark.parametrize(
    ("records", "plan_id", "move", "blocked"),
    [
        ((), "plus-month", "buy", None),
        ((), "free", "current", None),
        ((subscription(),), "plus-month", "current", None),
        ((subscription(),), "pro-month", "upgrade", None),
        ((subscription(),), "free", "free", None),
        ((subscription(plan_id="pro-month"),), "plus-month", "downgrade", None),
        ((subscription(plan_id="pro-month"),), "pro-year", "switch", None),
        ((subscription("past_due"),), "pro-month", "upgrade", "payment_open"),
        ((subscription(cancel_at_period_end=True),), "pro-month", "upgrade", "cancellation_scheduled"),
        ((of_invoice("open"),), "pro-month", "upgrade", "payment_disputed"),
        ((of_invoice("lost"),), "pro-month", "upgrade", "payment_disputed"),
        ((of_invoice("won", "inquiry"),), "pro-month", "upgrade", None),
        (
            (subscription(payments=invoice(NOW - 30 * DAY, NOW, disputes=disputes("lost"))),),
            "pro-month",
            "upgrade",
            None,
        ),
        ((of_invoice("open", cancel_at_period_end=True),), "pro-month", "upgrade", "cancellation_scheduled"),
        ((subscription(**TO_PRO),), "pro-month", "upgrade", "change_scheduled"),
        ((subscription(**TO_PRO),), "pro-year", "upgrade", None),
        ((subscription("canceled", ended_at=NOW),), "pro-month", "buy", None),
        ((term(),), "plus-month", "current", None),
        ((term(),), "pro-month", "buy", None),
        ((purchase(),), "tax-2026", "owned", None),
    ],
)
def test_what_choosing_a_plan_means(records: tuple[Record, ...], plan_id: str, move: str, blocked: str | None) -> None:
    found = shown(account(*records), plan_id)
    assert (found["move"], found["blocked"]) == (move, blocked)


def test_a_subscriber_is_not_sold_a_second_subscription() -> None:
    providers = [r["provider"] for r in shown(account(subscription()), "pro-month")["rails"]]
    assert providers == ["btcpay"]
    assert shown(account(purchase()), "tax-2026")["rails"] == []


def test_the_id_is_that_of_the_terms_not_of_the_moment() -> None:
    def quote_id(who: Account, now: int = NOW, plan: Any = TRIAL) -> str:
        return quote(who, SHOP, plan, "mock", now, prepaid=False).quote_id

    assert quote_id(account()) == quote_id(account(), NOW + 60) == quote_id(Account("usr_other"))
    used = subscription("canceled", ended_at=NOW - DAY)
    others = [quote_id(account(used)), quote_id(account(term())), quote_id(account(), plan=replace(TRIAL, version=2))]
    assert len({quote_id(account()), *others}) == 4
    beside = [
        quote(account(card), SHOP, PLUS, "btcpay", NOW, prepaid=True).quote_id
        for card in (subscription(), subscription(cancel_at_period_end=True))
    ]
    assert beside[0] != beside[1], "whether the card is charged again beside it is shown"


def test_the_id_names_the_terms_whose_rest_is_credited() -> None:
    def quote_id(*records: Record, now: int = NOW) -> str:
        return quote(account(*records), SHOP, PRO, "btcpay", now, prepaid=True).quote_id

    first, second = term(purchase_id="inv_1"), term(purchase_id="inv_2")
    assert quote_id(first) == quote_id(first, now=NOW + DAY)
    assert len({quote_id(), quote_id(first), quote_id(first, second)}) == 3
    assert quote_id(first, marked(second, refunds=refunds((900, "succeeded")))) == quote_id(first)


def test_what_an_earlier_upgrade_ended_is_not_credited_again() -> None:
    def at(days: int, name: str, plan_id: str) -> Purchase:
        bought_at = NOW + days * DAY
        return term(
            purchase_id=name, plan_id=plan_id, created_at=bought_at, payment=replace(payment(900), paid_at=bought_at)
        )

    past = account(at(-60, "inv_1", "plus-month"), at(-50, "inv_2", "pro-month"))
    assert quote(past, SHOP, PRO, "btcpay", NOW, prepaid=True).ends == ()
    over_now = account(at(-31, "inv_1", "plus-month"))
    assert quote(over_now, SHOP, PRO, "btcpay", NOW, prepaid=True).ends == ()
    running = past.put(at(-1, "inv_3", "plus-month"))
    assert quote(running, SHOP, PRO, "btcpay", NOW, prepaid=True).ends == ("term#btcpay#inv_3",)


def test_a_stranger_has_no_plan_of_their_own() -> None:
    assert shown(Account(""), "free")["move"] == "free"
    assert shown(Account(""), PLUS.plan_id)["move"] == "buy"
