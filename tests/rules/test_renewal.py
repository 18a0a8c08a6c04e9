"""Renewal by wallet, row by row: what is known, and what is done next."""

from dataclasses import replace
from typing import Any

import pytest

from billing.rules.access import term_runs
from billing.rules.apply.purchases import renew
from billing.rules.plans import Catalogue
from billing.rules.records import Account, Attempt, Mandate, Purchase, Record
from billing.rules.renewal import (
    LEAST_LEFT,
    MARGIN,
    SOON,
    Act,
    Ask,
    Close,
    GiveUp,
    Look,
    Open,
    Rest,
    Void,
    asking,
    asks_at,
    closed,
    for_sale,
    held,
    last_run,
    next_act,
    noted,
    paid_by_hand_from,
    raised,
)
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from samples import CATALOGUE, FREE, NOW, PLUS, PRO, TAX_PASS, USER
from tests.rules.test_access import payment, purchase, refunds, subscription, term
from tests.rules.test_ends import END, mandate, page

HOUR = 3600
ASKED_FROM = END - 3 * DAY
GRACE_END = END + PLUS.grace_days * DAY
PAYABLE_UNTIL = ASKED_FROM + 1200
LATE = PAYABLE_UNTIL + MARGIN


RUN = last_run(Account(USER).put(term()), CATALOGUE, "main")


def attempt(**more: Any) -> Mandate:
    known: dict[str, Any] = {"number": 2, "checkout_id": "chk_2", "payable_until": PAYABLE_UNTIL, "invoice_id": "inv_2"}
    paused = more.pop("paused", False)
    return mandate(attempt=Attempt(**{**known, **more}), opened=2, paused=paused)


def invoice(state: str = "pending", **more: Any) -> Purchase:
    return term(state, purchase_id="inv_2", created_at=ASKED_FROM, **more)


def part(*refunds_of: tuple[int, str]) -> Purchase:
    """Less than was asked for came, and what of it goes back."""
    return invoice("failed", received_cents=400, payment=payment(400, refunds=refunds(*refunds_of)))


def newer(**more: Any) -> Catalogue:
    return Catalogue((*CATALOGUE.plans, replace(PLUS, version=2, **more)))


def act(mandate: Mandate, *records: Record, at: int = ASKED_FROM, catalogue: Catalogue = CATALOGUE) -> Act:
    return next_act(Account(USER).put(term(), mandate, *records), mandate, catalogue, at)


NOTHING_OPEN: dict[str, tuple[Act, Act]] = {
    "too early": (act(mandate(), at=ASKED_FROM - 1), Rest(ASKED_FROM)),
    "its day": (act(mandate()), Open(1)),
    "one was opened before": (act(mandate(opened=4)), Open(5)),
    "paused": (act(mandate(paused=True)), Rest(None)),
    "given up": (act(mandate(given_up=True)), Rest(None)),
    "before its next try": (act(mandate(retry_at=ASKED_FROM + HOUR)), Rest(ASKED_FROM + HOUR)),
    "at its next try": (act(mandate(retry_at=ASKED_FROM + HOUR), at=ASKED_FROM + HOUR), Open(1)),
    "a next try before its day": (act(mandate(retry_at=NOW), at=NOW + DAY), Rest(ASKED_FROM)),
    "the last second of the grace": (act(mandate(), at=GRACE_END - 1), Open(1)),
    "after the grace": (act(mandate(), at=GRACE_END), GiveUp(None)),
    "after the grace, in trouble": (act(mandate(trouble="budget_used_up"), at=GRACE_END), GiveUp("budget_used_up")),
    "a card renews": (act(mandate(), subscription(current_period_end=END)), Rest(ASKED_FROM + DAY)),
    "a card that ends": (act(mandate(), subscription(current_period_end=END, cancel_at_period_end=True)), Open(1)),
    "a card that has ended": (act(mandate(), subscription("canceled", ended_at=NOW)), Open(1)),
    "not for sale": (act(mandate(), catalogue=newer(status="archived")), GiveUp("plan_ended")),
    "hidden, and sold all the same": (act(mandate(), catalogue=newer(status="hidden")), Open(1)),
    "another plan": (act(mandate(plan_id="pro-month", price_cents=1900)), Rest(ASKED_FROM + DAY, "plan_changed")),
    "another plan, at the end of the grace": (
        act(mandate(plan_id="pro-month", price_cents=1900), at=GRACE_END - HOUR), Rest(GRACE_END, "plan_changed")
    ),
    "dearer": (act(mandate(), catalogue=newer(price_cents=901)), Rest(ASKED_FROM + DAY, "price_raised")),
    "dearer, at the end of the grace": (
        act(mandate(), at=GRACE_END - HOUR, catalogue=newer(price_cents=901)), Rest(GRACE_END, "price_raised")
    ),
    "cheaper": (act(mandate(), catalogue=newer(price_cents=899)), Open(1)),
    "money on its way": (act(mandate(), invoice("processing")), Rest(ASKED_FROM + HOUR, "payment_held")),
    "money that a person decides about": (
        act(mandate(), part()),
        Rest(ASKED_FROM + HOUR, "payment_held"),
    ),
    "an invoice by hand": (
        act(mandate(), invoice(expires_at=ASKED_FROM + HOUR)), Rest(ASKED_FROM + HOUR + MARGIN)
    ),
    "two by hand": (
        act(mandate(), invoice(expires_at=ASKED_FROM + HOUR), page(expires_at=ASKED_FROM)),
        Rest(ASKED_FROM + HOUR + MARGIN),
    ),
    "an invoice by hand that has ended": (act(mandate(), invoice("failed", expires_at=ASKED_FROM + HOUR)), Open(1)),
    "an invoice by hand of another group": (
        act(mandate(), purchase("pending", expires_at=ASKED_FROM + HOUR)), Open(1)
    ),
    "a page by hand": (act(mandate(), page()), Rest(ASKED_FROM + HOUR + MARGIN)),
    "a page that is being opened": (act(mandate(), page("opening")), Rest(ASKED_FROM + HOUR + MARGIN)),
    "a page that is over": (act(mandate(), page("expired")), Open(1)),
    "a page whose margin is over": (act(mandate(), page(expires_at=ASKED_FROM - MARGIN)), Open(1)),
    "a page in the last second of its margin": (
        act(mandate(), page(expires_at=ASKED_FROM - MARGIN + 1)), Rest(ASKED_FROM + 1)
    ),
}  # fmt: skip

OF_AN_ATTEMPT: dict[str, tuple[Act, Act]] = {
    "asked for, no answer": (act(attempt(invoice_id=None)), Open(2)),
    "asked for, no answer, and paused": (act(attempt(invoice_id=None, paused=True)), Close(None)),
    "there, and not read yet": (act(attempt()), Look()),
    "payable": (act(attempt(), invoice()), Ask()),
    "payable, and paused": (act(attempt(paused=True), invoice()), Void()),
    "just time enough": (act(attempt(), invoice(), at=PAYABLE_UNTIL - LEAST_LEFT - 1), Ask()),
    "too little time": (act(attempt(), invoice(), at=PAYABLE_UNTIL - LEAST_LEFT), Void()),
    "no relay took it": (act(attempt(outcome="relay_unreachable", asks=2), invoice()), Ask()),
    "no relay took it, three times": (act(attempt(outcome="relay_unreachable", asks=3), invoice()), Void()),
    "not seen, and no use in asking": (act(attempt(outcome="above_ceiling"), invoice()), Void()),
    "not seen, and over": (act(attempt(), invoice("failed")), Close("shop_unavailable")),
    "not seen, paused and over": (act(attempt(paused=True), invoice("failed")), Close(None)),
    "not seen, a reason, and over": (act(attempt(outcome="above_ceiling"), invoice("failed")), Close("above_ceiling")),
    "paid": (act(attempt(asked_at=ASKED_FROM), invoice("paid")), Close(None)),
    "on its way": (act(attempt(asked_at=ASKED_FROM), invoice("processing")), Rest(ASKED_FROM + HOUR, "payment_held")),
    "part of it came": (
        act(attempt(asked_at=ASKED_FROM), part()),
        Rest(ASKED_FROM + HOUR, "payment_held"),
    ),
    "on its way back": (
        act(
            attempt(asked_at=ASKED_FROM),
            part((400, "pending")),
        ),
        Rest(ASKED_FROM + HOUR, "payment_held"),
    ),
    "came, and is back": (
        act(
            attempt(asked_at=ASKED_FROM),
            part((400, "succeeded")),
            at=LATE,
        ),
        Close("wallet_silent"),
    ),
    "asked": (act(attempt(asked_at=ASKED_FROM, outcome="wallet_silent", asks=1), invoice()), Rest(LATE)),
    "asked, and busy": (act(attempt(asked_at=ASKED_FROM, outcome="wallet_busy", asks=1), invoice()), Ask()),
    "asked, busy, and over": (act(attempt(asked_at=ASKED_FROM, outcome="wallet_busy"), invoice("failed")), Rest(LATE)),
    "asked, busy, and paused": (
        act(attempt(asked_at=ASKED_FROM, outcome="wallet_busy", paused=True), invoice()), Rest(LATE)
    ),
    "asked, before its margin is over": (act(attempt(asked_at=ASKED_FROM), invoice("failed"), at=LATE - 1), Rest(LATE)),
    "asked, its margin over": (act(attempt(asked_at=ASKED_FROM), invoice("failed"), at=LATE), Close("wallet_silent")),
    "asked, a reason, its margin over": (
        act(attempt(asked_at=ASKED_FROM, outcome="payment_failed"), invoice("failed"), at=LATE), Close("payment_failed")
    ),
    "asked, and nobody said that it is over": (act(attempt(asked_at=ASKED_FROM), invoice(), at=LATE), Look()),
}  # fmt: skip


@pytest.mark.parametrize(("found", "right"), NOTHING_OPEN.values(), ids=NOTHING_OPEN)
def test_what_is_done_while_no_invoice_is_open(found: Act, right: Act) -> None:
    assert found == right


@pytest.mark.parametrize(("found", "right"), OF_AN_ATTEMPT.values(), ids=OF_AN_ATTEMPT)
def test_what_is_done_about_an_open_invoice(found: Act, right: Act) -> None:
    assert found == right


def test_nothing_prepaid_is_nothing_to_renew() -> None:
    assert next_act(Account(USER).put(mandate()), mandate(), CATALOGUE, ASKED_FROM) == Rest(None)
    open_only = Account(USER).put(mandate(), term("pending"))
    assert next_act(open_only, mandate(), CATALOGUE, ASKED_FROM) == Rest(None)


@pytest.mark.parametrize(
    ("mandate", "right"),
    [
        (mandate(), ASKED_FROM),
        (mandate(retry_at=ASKED_FROM + HOUR), ASKED_FROM + HOUR),
        (mandate(ends_at=NOW + DAY), NOW + HOUR),
        (mandate(ends_at=None), None),
        (mandate(paused=True), None),
        (mandate(given_up=True), None),
        (attempt(), None),
    ],
)
def test_when_a_wallet_is_asked_next(mandate: Mandate, right: int | None) -> None:
    assert asks_at(mandate, NOW + HOUR) == right


def test_what_is_for_sale_is_the_newest_version_that_renews_and_costs_something() -> None:
    assert for_sale(newer(price_cents=5), mandate()) == replace(PLUS, version=2, price_cents=5)
    for plan in (FREE, TAX_PASS, replace(PLUS, status="archived")):
        assert for_sale(Catalogue((plan,)), mandate(plan_id=plan.plan_id)) is None
    assert for_sale(CATALOGUE, mandate(plan_id="gone")) is None


def test_a_price_in_another_currency_was_not_agreed_to() -> None:
    assert [raised(mandate(), replace(PLUS, price_cents=cents)) for cents in (899, 900, 901)] == [False, False, True]
    assert raised(mandate(), replace(PLUS, price_cents=1, currency="EUR"))


def test_a_group_is_paid_by_hand_only_when_no_wallet_can_pay_for_it_any_more() -> None:
    def by_hand(mandate: Mandate, *records: Record, at: int = ASKED_FROM) -> int | None:
        return paid_by_hand_from(Account(USER).put(term(), mandate, *records), "main", at)

    assert paid_by_hand_from(Account(USER).put(term()), "main", ASKED_FROM) is None
    assert by_hand(mandate()) is None
    assert by_hand(attempt()) == LATE
    assert by_hand(attempt(), invoice()) == LATE
    assert by_hand(attempt(), invoice(), at=LATE) == LATE + SOON
    assert by_hand(attempt(), invoice("paid")) is None
    assert by_hand(attempt(), invoice("processing")) is None


def test_money_that_waits_holds_the_group_that_it_is_for() -> None:
    shop = Catalogue((*CATALOGUE.plans, replace(PLUS, plan_id="else-month", group="else")))
    waiting = Account(USER).put(term(), invoice("processing", plan_id="else-month"))
    assert (held(waiting, shop, "else"), held(waiting, shop, "main")) == (True, False)


def test_an_attempt_is_noted_before_its_invoice_is_asked_for() -> None:
    after = noted(mandate(), 3, page(checkout_id="chk_3", by_wallet=True))
    assert after.opened == 3
    assert after.attempt == Attempt(number=3, checkout_id="chk_3", payable_until=ASKED_FROM + HOUR)


def test_whoever_asks_a_wallet_writes_down_what_for_and_the_first_time() -> None:
    opened = attempt().attempt
    assert opened is not None
    first = asking(attempt(), opened, "hash", 20_000, ASKED_FROM)
    assert first.attempt is not None
    assert (first.attempt.asked_at, first.attempt.asks, first.attempt.amount_sat) == (ASKED_FROM, 1, 20_000)
    assert (first.attempt.payment_hash, first.attempt.outcome, first.hashes) == ("hash", "wallet_silent", ("hash",))
    again = asking(first, first.attempt, "hash", 20_000, ASKED_FROM + 60)
    assert again.attempt is not None
    assert (again.attempt.asked_at, again.attempt.asks, again.hashes) == (ASKED_FROM, 2, ("hash",))
    known = replace(first, hashes=tuple(f"h{n}" for n in range(40)))
    kept = asking(known, first.attempt, "new", 20_000, ASKED_FROM).hashes
    assert (len(kept), kept[0], kept[-1]) == (40, "h1", "new")


def test_after_a_trouble_the_next_try_waits_longer_each_time_and_never_too_long() -> None:
    run, tried = RUN, attempt()
    for tries, pause in enumerate((HOUR, 4 * HOUR, 16 * HOUR, DAY, DAY)):
        after = closed(replace(tried, tries=tries), "wallet_silent", run, ASKED_FROM, None)
        assert (after.attempt, after.tries, after.trouble) == (None, tries + 1, "wallet_silent")
        assert (after.trouble_at, after.retry_at) == (ASKED_FROM, ASKED_FROM + pause)


def test_the_last_try_before_it_is_too_late_is_not_given_away_to_a_pause() -> None:
    run, chance = RUN, GRACE_END - 1200 - MARGIN
    late = closed(attempt(), "wallet_silent", run, chance - HOUR + 1, None)
    assert late.retry_at == chance
    too_late = closed(attempt(), "wallet_silent", run, chance - SOON, None)
    assert too_late.retry_at == chance - SOON + HOUR
    assert closed(attempt(), "wallet_silent", None, chance - HOUR + 1, None).retry_at == chance + 1


def test_a_used_up_budget_is_waited_for_if_it_is_new_in_time() -> None:
    run = RUN

    def retry(renews_at: int) -> int | None:
        return closed(attempt(), "budget_used_up", run, ASKED_FROM, renews_at).retry_at

    assert retry(ASKED_FROM + 2 * DAY) == ASKED_FROM + 2 * DAY + SOON
    assert retry(ASKED_FROM + 60) == ASKED_FROM + HOUR
    assert retry(ASKED_FROM) == ASKED_FROM + HOUR
    assert retry(GRACE_END) == ASKED_FROM + HOUR


def test_an_attempt_that_was_paid_leaves_no_trouble_behind() -> None:
    troubled = replace(attempt(), tries=3, trouble="wallet_silent", trouble_at=NOW, retry_at=NOW)
    after = closed(troubled, None, RUN, ASKED_FROM, None)
    assert after == replace(mandate(), opened=2)


# --- the mandate follows what is prepaid -----------------------------------------------------------------------------


def _followed(mandate: Mandate, *records: Record) -> Mandate:
    after = renew(Account(USER).put(mandate, *records), CATALOGUE).mandate_in("main")
    assert after is not None
    return after


def test_a_new_end_is_renewed_anew() -> None:
    tried = mandate(ends_at=NOW, tries=3, retry_at=NOW, given_up=True, trouble="wallet_silent", trouble_at=NOW)
    assert _followed(tried, term()) == mandate(act_at=ASKED_FROM, trouble_at=NOW)
    assert _followed(mandate(ends_at=None), term()) == mandate(act_at=ASKED_FROM)


def test_a_mandate_that_is_paused_follows_and_is_looked_at_no_more() -> None:
    assert _followed(mandate(ends_at=NOW, paused=True), term()) == mandate(paused=True)


def test_what_has_changed_nothing_leaves_the_mandate_as_it_is() -> None:
    tried = mandate(tries=2, retry_at=NOW, act_at=NOW)
    assert _followed(tried, term()) == tried


def test_an_attempt_that_was_paid_is_over_and_one_that_is_open_stays() -> None:
    paid = replace(invoice("paid"), payment=replace(payment(900), paid_at=ASKED_FROM))
    after = _followed(attempt(), term(), paid)
    assert (after.attempt, after.renewed_at) == (None, ASKED_FROM)
    assert after.ends_at == add_interval(END, "month")
    assert after.act_at == add_interval(END, "month") - 3 * DAY
    waiting = replace(attempt(), ends_at=NOW, act_at=NOW + HOUR)
    still = _followed(waiting, term(), invoice())
    assert (still.attempt, still.ends_at, still.act_at) == (waiting.attempt, END, NOW + HOUR)


@pytest.mark.parametrize("left", [(), (term(),)])
def test_where_the_last_term_was_returned_the_buyer_says_whether_to_go_on(left: tuple[Record, ...]) -> None:
    second = replace(invoice("paid"), purchase_id="pur_2", payment=payment(900))
    account = renew(Account(USER).put(mandate(), *left, second), CATALOGUE)
    gone = replace(second, state="failed", payment=None)
    after = renew(account.put(gone), CATALOGUE).mandate_in("main")
    assert after is not None
    assert (after.paused, after.trouble, after.act_at) == (True, "term_returned", None)
    assert after.ends_at == (END if left else None)


def test_the_last_term_of_a_group_is_the_paid_one_that_ends_last() -> None:
    longer = replace(term(), purchase_id="pur_2", created_at=NOW + 1, payment=replace(payment(900), paid_at=NOW + 1))
    account = Account(USER).put(longer, term(), term("pending", purchase_id="pur_3"))
    runs = {run.term.purchase_id: run for run in term_runs(account, CATALOGUE)}
    assert last_run(account, CATALOGUE, "main") == runs["pur_2"]
    assert last_run(account, CATALOGUE, "other") is None
    assert PRO.group == "main"
