"""What facts of bitcoin invoices change in an account, in every order: terms, money seen, reminders, looking again."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import Parked, Unordered
from billing.rules.access import windows
from billing.rules.apply import apply
from billing.rules.apply.purchases import LONGEST_LEAD
from billing.rules.facts import Fact, PurchaseFact, RefundFact
from billing.rules.ledger import book
from billing.rules.plans import Catalogue
from billing.rules.polling import next_poll
from billing.rules.records import PURCHASE_STATES, Account, Checkout, Purchase, Renewal, Term
from billing.rules.times import DAY
from samples import CATALOGUE, NOW, PLUS, PRO, TAX_PASS, USER

OPTIMISTIC = Catalogue((replace(PLUS, optimistic=True), PRO))


def invoice(state: str, observed_at: int, **more: object) -> PurchaseFact:
    money_came = state not in ("pending", "failed")
    received = 600 if state == "underpaid" else 900 if money_came else 0
    known: dict[str, object] = {
        "provider": "btcpay",
        "observed_at": observed_at,
        "user_id": USER,
        "purchase_id": "inv_1",
        "checkout_id": "chk_1",
        "state": state,
        "amount_cents": 900,
        "currency": "USD",
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "paid_at": NOW + 5 if money_came else None,
        "due_cents": 300 if state == "underpaid" else 0,
        "received_cents": received,
        "received_sat": received * 10,
        "poll": True,
    }
    return PurchaseFact(**{**known, **more})  # type: ignore[arg-type]


def refund(amount: int, observed_at: int, status: str = "succeeded", refund_id: str = "rf_1") -> RefundFact:
    return RefundFact(
        provider="btcpay",
        observed_at=observed_at,
        refund_id=refund_id,
        payment_ref="inv_1",
        amount_cents=amount,
        currency="USD",
        status=status,  # type: ignore[arg-type]
    )


def order(**more: object) -> Checkout:
    known: dict[str, object] = {
        "checkout_id": "chk_1",
        "group": "main",
        "plan_id": PLUS.plan_id,
        "plan_version": 1,
        "provider": "btcpay",
        "status": "open",
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "amount_cents": 900,
        "currency": "USD",
    }
    return Checkout(**{**known, **more})  # type: ignore[arg-type]


ORDERED = Account(USER).put(order())


def after(*facts: Fact, catalogue: Catalogue = CATALOGUE, account: Account = ORDERED) -> Account:
    for fact in facts:
        result = apply(account, fact, catalogue)
        assert isinstance(result, Account)
        account = result
    return account


def term(account: Account) -> Term:
    (found,) = account.terms
    return found


def open_at(account: Account, now: int, catalogue: Catalogue = CATALOGUE) -> bool:
    return any(w.open_at(now) for w in windows(account, catalogue))


@pytest.mark.parametrize("state", [s for s in PURCHASE_STATES if s != "paid"])
def test_only_a_settled_invoice_opens_anything(state: str) -> None:
    account = after(invoice(state, NOW + 10))
    assert not open_at(account, NOW + 20)
    assert term(account).status == state


def test_a_settled_invoice_buys_a_term_from_the_moment_it_was_paid() -> None:
    account = after(invoice("pending", NOW), invoice("paid", NOW + 900))
    (window,) = windows(account, CATALOGUE)
    assert (window.start, window.reason) == (NOW + 5, "paid")
    assert open_at(account, NOW + 28 * DAY)
    assert not open_at(account, NOW + 32 * DAY)


def test_an_optimistic_plan_opens_at_the_first_sight_and_closes_when_the_invoice_dies() -> None:
    seen = after(invoice("processing", NOW + 10), catalogue=OPTIMISTIC)
    assert open_at(seen, NOW + 10, OPTIMISTIC)
    dead = after(invoice("processing", NOW + 10), invoice("failed", NOW + 3600), catalogue=OPTIMISTIC)
    assert not open_at(dead, NOW + 3600, OPTIMISTIC)
    fallen_back = after(invoice("processing", NOW + 10), invoice("pending", NOW + 99), catalogue=OPTIMISTIC)
    assert not open_at(fallen_back, NOW + 99, OPTIMISTIC)


def test_confirmation_does_not_move_an_optimistic_start() -> None:
    seen = after(invoice("processing", NOW + 10), catalogue=OPTIMISTIC)
    settled = after(invoice("processing", NOW + 10), invoice("paid", NOW + 3600), catalogue=OPTIMISTIC)
    assert windows(seen, OPTIMISTIC)[0].start == windows(settled, OPTIMISTIC)[0].start == NOW + 5


def test_trial_days_still_left_lengthen_the_term() -> None:
    account = after(invoice("paid", NOW + 10), account=Account(USER).put(order(trial_days=3)))
    assert term(account).bonus_seconds == 3 * DAY


def test_an_invoice_that_changes_its_price_is_refused_and_what_it_says_of_its_plan_is_not_heard() -> None:
    account = after(invoice("pending", NOW))
    for other in ({"amount_cents": 1}, {"currency": "EUR"}):
        with pytest.raises(Parked, match="is not the one we opened"):
            apply(account, invoice("paid", NOW + 9, **other), CATALOGUE)
    dearer = after(invoice("paid", NOW + 9, plan_id=PRO.plan_id, plan_version=1), account=account)
    assert term(dearer).plan_id == PLUS.plan_id


@pytest.mark.parametrize("session_id", [None, "inv_1"])
def test_only_an_order_on_record_makes_an_invoice_ours(session_id: str | None) -> None:
    ours = Account(USER).put(order(session_id=session_id))
    assert term(after(invoice("paid", NOW + 9), account=ours)).status == "paid"
    for other in ({"checkout_id": "chk_2"}, {"checkout_id": None}, {"purchase_id": "inv_2"}):
        with pytest.raises(Unordered):
            apply(Account(USER).put(order(session_id="inv_1")), invoice("paid", NOW + 9, **other), CATALOGUE)


def test_money_that_does_not_count_is_not_booked_and_counts_once_when_it_does() -> None:
    before = after(invoice("underpaid", NOW + 10))
    payment = term(before).payment
    assert payment is not None
    assert payment.amount_cents == 600
    assert book(ORDERED, before, CATALOGUE, NOW + 10)[1] == []
    settled = after(invoice("underpaid", NOW + 10), invoice("paid", NOW + 50))
    _, lines = book(before, settled, CATALOGUE, NOW + 50)
    assert [(line.kind, line.amount_cents) for line in lines] == [("payment", 900), ("mrr", 900)]


def test_a_settled_invoice_marked_invalid_is_taken_back_in_the_books() -> None:
    settled, invalid = after(invoice("paid", NOW + 10)), after(invoice("paid", NOW + 10), invoice("failed", NOW + 99))
    booked, _ = book(Account(USER), settled, CATALOGUE, NOW + 50)
    invalid = replace(invalid, records={**booked.records, **invalid.records})
    _, lines = book(booked, invalid, CATALOGUE, NOW + 99)
    assert [(line.kind, line.amount_cents) for line in lines] == [("refund", -900), ("mrr", -900)]
    assert not open_at(invalid, NOW + 99)


def test_a_late_payment_can_be_returned_without_ever_having_counted() -> None:
    account = after(invoice("paid_late", NOW + 7200), refund(900, NOW + 7300))
    assert term(account).status == "refunded"


def test_a_declined_invoice_whose_payment_was_never_heard_of_still_knows_its_refund() -> None:
    account = after(invoice("failed", NOW + 99, paid_at=NOW + 5, received_cents=900), refund(900, NOW + 99, "pending"))
    assert term(account).status == "refunded"


def test_a_refused_refund_of_a_paid_term_leaves_it_open() -> None:
    account = after(invoice("paid", NOW + 10), refund(900, NOW + 20, "pending"), refund(900, NOW + 30, "failed"))
    assert open_at(account, NOW + 40)


# --- looking again ---------------------------------------------------------------------------------------------------


def test_an_open_invoice_is_looked_at_often_at_first_and_rarely_later() -> None:
    moving, done = term(after(invoice("processing", NOW))), term(after(invoice("paid", NOW)))
    ages = (0, 600, 3600, 86_400, 10 * DAY)
    assert [(next_poll(moving, NOW + age) or 0) - NOW - age for age in ages] == [60, 75, 450, 10_800, 21_600]
    assert [(next_poll(done, NOW + age) or 0) - NOW - age for age in ages] == [60, 75, 450, 10_800, 108_000]
    assert next_poll(done, NOW + 91 * DAY) is None


def looks_at(purchase: Purchase, days: int) -> int:
    looks, due = 0, next_poll(purchase, NOW)
    while due is not None and due < NOW + days * DAY:
        looks, due = looks + 1, next_poll(purchase, due)
    return looks


@pytest.mark.parametrize("state", PURCHASE_STATES)
def test_what_nobody_has_to_decide_is_looked_at_for_three_months(state: str) -> None:
    (purchase,) = after(
        invoice(state, NOW), refund(900, NOW) if state not in ("pending", "failed") else invoice(state, NOW)
    ).terms
    assert 20 < looks_at(purchase, 90) < 500
    assert looks_at(purchase, 98) == looks_at(purchase, 900)


def test_what_waits_for_a_person_and_what_is_being_given_back_is_looked_at_for_as_long_as_it_takes() -> None:
    late = term(after(invoice("paid_late", NOW)))
    giving_back = term(after(invoice("paid", NOW), refund(900, NOW, "pending")))
    for purchase in (late, giving_back):
        assert looks_at(purchase, 900) > looks_at(purchase, 90) + 100


def test_a_card_purchase_is_not_looked_at() -> None:
    account = after(invoice("paid", NOW, poll=False, plan_id=TAX_PASS.plan_id, plan_version=1))
    (purchase,) = account.purchases
    assert purchase.poll_at is None


# --- reminders -------------------------------------------------------------------------------------------------------


def renewal(account: Account) -> Renewal:
    (found,) = account.renewals
    return found


def test_the_end_of_what_is_prepaid_is_kept_for_reminders_and_moves_with_each_renewal() -> None:
    first = after(invoice("paid", NOW + 10))
    end = windows(first, CATALOGUE)[0].until
    assert end is not None
    assert (renewal(first).ends_at, renewal(first).remind_at) == (end, end - LONGEST_LEAD)
    second = replace(order(group="other"), checkout_id="chk_2")
    both = after(
        invoice("paid", NOW + 10),
        invoice("paid", NOW + 50, purchase_id="inv_2", checkout_id="chk_2"),
        account=ORDERED.put(second),
    )
    assert renewal(both).ends_at > end + 27 * DAY
    assert renewal(both).reminded_days is None


def test_nothing_reminds_of_a_term_that_was_returned() -> None:
    assert renewal(after(invoice("paid", NOW + 10), refund(900, NOW + 20))).remind_at is None


def test_an_unconfirmed_renewal_does_not_silence_the_reminder() -> None:
    account = after(
        invoice("paid", NOW + 10),
        invoice("processing", NOW + 50, purchase_id="inv_2", checkout_id="chk_2"),
        catalogue=OPTIMISTIC,
        account=ORDERED.put(replace(order(group="other"), checkout_id="chk_2")),
    )
    assert renewal(account).purchase_id == "inv_1"


# --- order -----------------------------------------------------------------------------------------------------------

LIFE = [
    invoice("pending", NOW),
    invoice("underpaid", NOW + 10),
    invoice("processing", NOW + 20),
    invoice("paid", NOW + 30),
]


def decided(account: Account) -> object:
    """What access, money and people's view depend on."""
    return (
        [(w.start, w.until, w.reason) for w in windows(account, CATALOGUE)],
        [(t.status, t.due_cents, t.surplus_cents, t.poll_at, t.payment) for t in account.terms],
        [(r.ends_at, r.remind_at) for r in account.renewals if r.remind_at is not None],
    )


@pytest.mark.parametrize(
    "last", [invoice("failed", NOW + 40, paid_at=NOW + 5, received_cents=900), invoice("paid", NOW + 40), *LIFE]
)
def test_every_order_of_an_invoices_life_ends_the_same(last: PurchaseFact) -> None:
    facts = [*LIFE, last]
    assert len({repr(decided(after(*one))) for one in permutations(facts)}) == 1


@given(
    st.lists(
        st.sampled_from([*LIFE, invoice("failed", NOW + 40, paid_at=NOW + 5, received_cents=900)]),
        min_size=1,
        max_size=12,
    )
)
def test_repeats_change_nothing(facts: list[PurchaseFact]) -> None:
    newest = max(facts, key=lambda f: f.observed_at)
    once = after(*sorted(set(facts), key=lambda f: f.observed_at))
    assert term(after(*facts)).state == newest.state == term(once).state


def test_a_purchase_keeps_who_accepted_it() -> None:
    late = after(invoice("paid_late", NOW + 7200))
    accepted = replace(late, records={term(late).record: replace(term(late), accepted_by="admin_1")})
    again = apply(accepted, invoice("paid_late", NOW + 9000), CATALOGUE)
    assert isinstance(again, Account)
    assert isinstance(term(again), Purchase)
    assert (term(again).accepted_by, term(again).paid) == ("admin_1", True)
