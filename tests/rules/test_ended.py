"""What is over leaves the range that is read, and nobody notices: not the gate, not the books, no page."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.api.status import quotes, subscription_status
from billing.api.views import plan_in_force
from billing.data import replace
from billing.errors import Parked, PastNeeded, Unordered
from billing.rules import ended, entitlements
from billing.rules.access import windows
from billing.rules.apply import accept, apply
from billing.rules.apply.purchases import renew
from billing.rules.consequences import Consequences, consequences
from billing.rules.customers import customer
from billing.rules.ends import ahead
from billing.rules.entitlements import Source
from billing.rules.facts import (
    CustomerDeletedFact,
    DisputeFact,
    Fact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
)
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import (
    ENDED,
    Account,
    Checkout,
    Dispute,
    Ended,
    Payment,
    Purchase,
    Record,
    Redemption,
    Refund,
    Term,
)
from billing.rules.renewal import held, last_run
from billing.rules.standing import standings
from billing.rules.times import DAY
from memory import MemoryAccounts
from samples import CATALOGUE, DAY_PASS, NOW, PLUS, PRO, TAX_PASS, USER

BASIC = replace(PLUS, plan_id="basic-month", rank=5, price_cents=400)
EUROS = replace(PLUS, plan_id="euro-month", rank=30, currency="EUR")
TRUSTED = replace(PLUS, plan_id="trusted-month", optimistic=True)
WEEK_OF_TAX = replace(TAX_PASS, version=2, duration_days=7)
PLANS = Catalogue((*CATALOGUE.plans, BASIC, EUROS, TRUSTED, WEEK_OF_TAX))
SOLD = [PLUS, PRO, BASIC, EUROS, TRUSTED, DAY_PASS, TAX_PASS, WEEK_OF_TAX]


class Told:
    """One account, told of everything: each thing in a change of its own. `sold` are the plans that it buys."""

    def __init__(self, sold: Sequence[Plan], *, moves: bool) -> None:
        self.sold, self.moves, self.now, self.changes = sold, moves, NOW, 0
        self.store: Any = MemoryAccounts()

    def change(self, act: Callable[[Account], Account | Ref]) -> str:
        """What became of it, in a word."""
        outcome = ""
        self.changes += 1
        # Some functions may not delete, and some clocks are behind.
        moves, now = self.moves and self.changes % 3 > 0, self.now - DAY * (self.changes % 5 == 0)

        def decide(before: Account) -> Consequences | None:
            nonlocal outcome
            after = act(before)
            outcome = str(after) if isinstance(after, Ref) else "same" if after is before else "changed"
            if isinstance(after, Ref):
                return None
            return consequences(before, after, PLANS, now, moves=moves)

        try:
            self.store.change(USER, decide)
        except (Parked, Unordered) as refused:
            return type(refused).__name__
        return outcome

    def fact(self, fact: Fact) -> str:
        return self.change(lambda account: apply(account, fact, PLANS))

    # --- what may happen ---------------------------------------------------------------------------------------------

    def wait(self, days: int) -> str:
        self.now += days * DAY
        return "waited"

    def bought(self, number: int, state: Any, ago: int, seen_ago: int, *, asked: bool = False) -> str:
        """A purchase or term, paid so many days `ago`, or the money that came to the invoice that was `asked` for."""
        plan = self.sold[number % len(self.sold)]
        received = {"underpaid": plan.price_cents // 2, "paid_late": plan.price_cents}.get(state, 0)
        return self.fact(
            PurchaseFact(
                provider="btcpay" if asked else "mock",
                purchase_id=f"{'btc' if asked else 'inv'}_{number}",
                plan_id=plan.plan_id,
                plan_version=plan.version,
                checkout_id=f"chk_{number}",
                customer_id=None if asked else f"cus_{number % 3}",
                state=state,
                amount_cents=plan.price_cents,
                currency=plan.currency,
                observed_at=self.now - seen_ago * DAY // 4,
                created_at=self.now - (ago + seen_ago) * DAY,
                paid_at=self.now - ago * DAY if state == "paid" or received else None,
                refs=(f"ch_{number}",),
                received_cents=(plan.price_cents if state == "paid" else received) if asked else 0,
                received_sat=900 + number if asked else 0,
                poll=asked,
            )
        )

    def ordered(self, number: int, state: Any, ago: int, seen_ago: int) -> str:
        plan = self.sold[number % len(self.sold)]
        order = Checkout(
            checkout_id=f"chk_{number}",
            group=plan.group,
            plan_id=plan.plan_id,
            plan_version=plan.version,
            provider="btcpay",
            status="open",
            created_at=self.now,
            expires_at=self.now + DAY,
            amount_cents=plan.price_cents,
            currency=plan.currency,
            session_id=f"btc_{number}",
        )
        return self.change(lambda account: account.put(order)) + self.bought(number, state, ago, seen_ago, asked=True)

    def repeated(self, number: int, state: Any, ago: int, seen_ago: int) -> str:
        return self.bought(number, state, ago, seen_ago, asked=True)

    def refunded(self, number: int, status: Any, whole: bool, seen_ago: int) -> str:
        plan = self.sold[number % len(self.sold)]
        for provider, name in (("mock", "inv"), ("btcpay", "btc")):
            outcome = self.fact(
                RefundFact(
                    provider=provider,
                    observed_at=self.now - seen_ago,
                    refund_id=f"re_{name}_{number}_{whole}",
                    payment_ref=f"{name}_{number}",
                    amount_cents=plan.price_cents if whole else 100,
                    currency=plan.currency,
                    status=status,
                )
            )
        return outcome

    def disputed(self, number: int, status: Any, seen_ago: int) -> str:
        return self.fact(
            DisputeFact(
                provider="mock",
                observed_at=self.now - seen_ago,
                dispute_id=f"dp_{number}",
                payment_ref=f"ch_{number}",
                amount_cents=900,
                currency="USD",
                status=status,
            )
        )

    def accepted(self, number: int) -> str:
        def decide(account: Account) -> Account:
            found = (r for r in account.records.values() if isinstance(r, Purchase) and r.wants_a_person)
            waiting = sorted(found, key=lambda p: p.record)
            return accept(account, waiting[number % len(waiting)], "ada", PLANS, self.now) if waiting else account

        return self.change(decide)

    def redeemed(self, number: int, intervals: int, closed: bool) -> str:
        def decide(account: Account) -> Account:
            known = account.records.get(f"redemption#{number}")
            given = Redemption(
                redemption_id=str(number),
                redeemed_at=known.redeemed_at if isinstance(known, Redemption) else self.now,
                plan_id="plus-month",
                plan_version=1,
                intervals=intervals,
                worth_cents=900,
                currency="USD",
                closed="revoked" if closed else None,
                closed_at=self.now if closed else None,
            )
            return renew(account.put(given), PLANS)

        return self.change(decide)

    def renewed(self, number: int) -> str:
        """A subscription by card, and its payment."""
        start = self.now
        outcome = self.fact(
            SubscriptionFact(
                provider="mock",
                observed_at=start,
                subscription_id="sub_1",
                status="active" if number else "canceled",
                price_id="price",
                plan_id="plus-month",
                plan_version=1,
                current_period_start=start,
                current_period_end=start + 30 * DAY,
                created_at=NOW,
                customer_id="cus_1",
                ended_at=None if number else start,
            )
        )
        return outcome + self.fact(
            PaymentFact(
                provider="mock",
                observed_at=start,
                subscription_id="sub_1",
                payment_id=f"in_{start}",
                amount_cents=900,
                currency="USD",
                paid_at=start,
                period_start=start,
                period_end=start + 30 * DAY,
            )
        )

    def forgotten(self, number: int) -> str:
        fact = CustomerDeletedFact(provider="mock", observed_at=self.now, customer_id=f"cus_{number}")
        return self.fact(fact)

    def reviewed(self) -> str:
        """Time alone passed."""
        return self.change(lambda account: account)

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def read(self) -> Account:
        return self._in_order(self.store.load(USER))

    @property
    def whole(self) -> Account:
        return self._in_order(self.store.load(USER, whole=True))

    def _in_order(self, account: Account) -> Account:
        """As a table gives them."""
        return replace(account, records=dict(sorted(account.records.items())))

    def kept(self) -> Any:
        """All that is stored, and what is shown from the whole."""
        whole = self.whole
        records = {key: record for key, record in whole.records.items() if key != ENDED}
        return (
            whole.version,
            records,
            self.store.sources.get(USER),
            self.store.ledger,
            self.store.links,
        )

    def seen(self) -> Any:
        """What is known of an account as it is read for an event, an order or a page."""
        account, now = self.read, self.now
        stand = standings(account, PLANS, now)
        indexed = customer(account, self.store.sources.get(USER, ()), now)
        return (
            [w for w in windows(account, PLANS) if w.until is None or w.until > now],
            subscription_status(self.whole, PLANS, now),
            quotes(account, PLANS, ["mock", "btcpay"], now),
            plan_in_force(account, PLANS, now),
            list(ahead(account, PLANS, now, stand)),
            account.customers,
            indexed and replace(indexed, ids=()),
            [(last_run(account, PLANS, group), held(account, PLANS, group)) for group in ("plans", "main")],
        )


numbers = st.integers(0, 24)
states = st.sampled_from(("paid", "paid", "paid", "processing", "pending", "failed"))
asked_states = st.sampled_from(("paid", "paid", "processing", "pending", "failed", "underpaid", "paid_late"))
ago = st.sampled_from((0, 0, 0, 0, 1, 20, 45, 200))
steps = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from((0, 1, 5, 25, 31, 40, 90))),
    st.tuples(st.just("wait"), st.sampled_from((25, 31, 40, 90))),
    st.tuples(st.just("bought"), numbers, st.just("paid"), st.just(0), st.just(0)),
    st.tuples(st.just("bought"), numbers, st.just("paid"), st.just(0), st.just(0)),
    st.tuples(st.just("bought"), numbers, states, ago, ago),
    st.tuples(st.just("ordered"), numbers, asked_states, ago, st.just(0)),
    st.tuples(st.just("ordered"), numbers, st.just("paid"), st.just(0), st.just(0)),
    st.tuples(st.just("repeated"), numbers, asked_states, ago, ago),
    st.tuples(
        st.just("refunded"),
        numbers,
        st.sampled_from(("pending", "succeeded", "succeeded", "failed")),
        st.booleans(),
        st.integers(0, 9),
    ),
    st.tuples(
        st.just("disputed"), numbers, st.sampled_from(("inquiry", "open", "won", "lost")), st.sampled_from((0, 0, 90))
    ),
    st.tuples(st.just("accepted"), numbers),
    st.tuples(st.just("redeemed"), st.integers(0, 2), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("renewed"), st.integers(0, 3)),
    st.tuples(st.just("forgotten"), st.integers(0, 2)),
    st.tuples(st.just("reviewed")),
)


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all was over many times: few stay, and few go at once."""
    monkeypatch.setattr(entitlements, "ENDED_KEPT", 1)
    monkeypatch.setattr(ended, "AT_HAND", 0)
    monkeypatch.setattr(ended, "MOVED_AT_ONCE", 2)


CLOSED_LATER: list[tuple[Any, ...]] = [
    ("redeemed", 0, 1, True),
    ("reviewed",),
    ("bought", 0, "paid", 0, 0),
    ("reviewed",),
    ("wait", 31),
    ("bought", 15, "paid", 0, 0),
    ("wait", 90),
    ("disputed", 15, "inquiry", 90),
    ("redeemed", 0, 1, True),
]
CLOSED_AMONG_THE_LAID: list[tuple[Any, ...]] = [
    ("redeemed", 0, 1, True),
    ("bought", 0, "paid", 0, 0),
    ("bought", 2, "paid", 0, 0),
    ("redeemed", 0, 3, True),
    ("ordered", 17, "paid", 200, 0),
    ("bought", 15, "paid", 0, 0),
    ("disputed", 0, "open", 0),
    ("ordered", 23, "underpaid", 45, 0),
    ("accepted", 0),
    ("wait", 90),
    ("ordered", 23, "underpaid", 45, 0),
    ("reviewed",),
]


@example(sold=[PLUS], history=CLOSED_LATER)
@example(sold=[PLUS], history=CLOSED_AMONG_THE_LAID)
@given(sold=st.lists(st.sampled_from(SOLD), min_size=1, max_size=3), history=st.lists(steps, min_size=12, max_size=40))
def test_nobody_can_tell_whether_anything_left(sold: list[Plan], history: list[tuple[Any, ...]]) -> None:
    eager, never = Told(sold, moves=True), Told(sold, moves=False)
    for number, (act, *given_) in enumerate(history):
        assert getattr(eager, act)(*given_) == getattr(never, act)(*given_), (act, given_)
        assert eager.kept() == never.kept(), (act, given_)
        if number % 4 == 3:
            assert eager.seen() == never.seen(), (act, given_)


# --- what stays ------------------------------------------------------------------------------------------------------


def day_pass(name: str, days_ago: int, **more: Any) -> Purchase:
    at = NOW - days_ago * DAY
    known: dict[str, Any] = {
        "provider": "btcpay",
        "purchase_id": name,
        "plan_id": "day-pass",
        "plan_version": 1,
        "state": "paid",
        "amount_cents": 200,
        "currency": "USD",
        "observed_at": at,
        "created_at": at,
        "payment": Payment(payment_id=name, amount_cents=200, currency="USD", paid_at=at),
    }
    return Purchase(**{**known, **more})


def money(**more: Any) -> Payment:
    return Payment(payment_id="old", amount_cents=200, currency="USD", paid_at=NOW - 900 * DAY, **more)


def back(status: Any, cents: int = 200) -> dict[str, Refund]:
    return {"re": Refund(refund_id="re", amount_cents=cents, status=status, observed_at=NOW - 800 * DAY)}


def charged(status: Any) -> dict[str, Dispute]:
    return {"dp": Dispute(dispute_id="dp", amount_cents=200, status=status, observed_at=NOW - 800 * DAY)}


OLD = day_pass("old", 900)
FOR_GOOD = {"plan_id": TAX_PASS.plan_id, "plan_version": 1}
STAYS: dict[str, Purchase] = {
    "it waits to be paid": replace(OLD, state="pending", payment=None),
    "its money is on its way": replace(OLD, state="processing"),
    "its invoice is looked at again": replace(OLD, poll_at=NOW),
    "a person has to decide": replace(OLD, state="underpaid", received_cents=90, payment=money()),
    "a refund is on its way": replace(OLD, payment=money(refunds=back("pending"))),
    "a chargeback is open": replace(OLD, payment=money(disputes=charged("open"))),
    "it was bought for good": replace(OLD, **FOR_GOOD),
    "it was bought for good and given back": replace(OLD, **FOR_GOOD, payment=money(refunds=back("succeeded"))),
    "nobody knows its plan": replace(OLD, plan_version=9),
    "it alone names its customer": replace(OLD, customer_id="cus_1"),
    "an order names it": replace(OLD, purchase_id="named"),
    "it is no day yet": day_pass("old", 0, observed_at=1, created_at=1),
}
LEAVES: dict[str, Purchase] = {
    "it is over": OLD,
    "it was given back": replace(OLD, payment=money(refunds=back("succeeded"))),
    "it was given back in part": replace(OLD, payment=money(refunds=back("succeeded", 50))),
    "a refund failed": replace(OLD, payment=money(refunds=back("failed"))),
    "a chargeback was won": replace(OLD, payment=money(disputes=charged("won"))),
    "nothing came of it": replace(OLD, state="failed", payment=None),
    "nothing came of what was for good": replace(OLD, **FOR_GOOD, state="failed", payment=None),
}
ORDER = Checkout(
    checkout_id="chk",
    group="day-pass",
    plan_id="day-pass",
    plan_version=1,
    provider="btcpay",
    status="completed",
    created_at=NOW,
    expires_at=NOW,
    amount_cents=200,
    currency="USD",
    session_id="named",
)


def at_rest(account: Account) -> Account:
    """The account when all has left that may."""
    before = None
    while account != before:
        before, account = account, ended.settled(account, PLANS, NOW, moves=True).account
    return account


def left(*old: Purchase) -> Account:
    """The account when all has left that may, beside many newer ones of every way to end."""
    newer = []
    for n, one in enumerate([*LEAVES.values()] * 2):
        at = NOW - (30 + n) * DAY
        newer.append(day_pass(f"new{n}", 30 + n, payment=one.payment and replace(one.payment, paid_at=at)))
    newer += [day_pass(f"newest{n}", 3 + n) for n in range(3)]
    return at_rest(Account(USER).put(*old, *newer, ORDER))


@pytest.mark.parametrize("why", STAYS)
def test_what_somebody_waits_for_stays(why: str) -> None:
    old = STAYS[why]
    account = left(old)
    assert account.behind
    assert old.record not in account.behind


@pytest.mark.parametrize("why", LEAVES)
def test_what_decides_nothing_leaves(why: str) -> None:
    assert OLD.record in left(LEAVES[why]).behind


def test_what_has_to_be_at_hand_again_and_does_not_fit_has_all_read() -> None:
    store: Any = MemoryAccounts()
    account = left(*(day_pass(f"old{n}", 100 + n) for n in range(9)))
    store.accounts[USER] = account
    waiting = [replace(r, poll_at=NOW) for r in account.records.values() if isinstance(r, Purchase)]
    store.commit(consequences(account, account.put(*waiting), PLANS, NOW))
    rounds = 0
    while (read := store.load(USER)).whole:
        assert {r.record for r in waiting} <= read.records.keys()
        store.commit(consequences(read, read.put(replace(ORDER, created_at=NOW + read.version)), PLANS, NOW))
        rounds += 1
    assert rounds > 2
    assert {r.record for r in waiting} <= read.records.keys()
    assert not store.load(USER, whole=True).behind


# --- what `Ended` stands for -----------------------------------------------------------------------------------------


def term(name: str, days_ago: int, **more: Any) -> Term:
    at = NOW - days_ago * DAY
    known: dict[str, Any] = {
        "provider": "btcpay",
        "purchase_id": name,
        "plan_id": "plus-month",
        "plan_version": 1,
        "state": "paid",
        "amount_cents": 900,
        "currency": "USD",
        "observed_at": at,
        "created_at": at,
        "payment": Payment(payment_id=name, amount_cents=900, currency="USD", paid_at=at),
    }
    return Term(**{**known, **more})


LAID = term("laid", 60)
NEWER = term("newer", 20)
KIND = "term|plus-month|ended|1"
READ = replace(Account(USER), whole=False)
STANDS = READ.put(
    LAID, NEWER, day_pass("pass", 5), Ended(laid={LAID.record: (NOW - 60 * DAY, NOW - 30 * DAY, 900, False)})
)


def ended_source(days_ago: int, number: int, *, until: int | None = None) -> Source:
    return Source(
        kind="term",
        id=f"inv_{number}",
        plan_id="plus-month",
        plan_version=1,
        start=NOW - (days_ago + 30) * DAY,
        until=NOW - days_ago * DAY if until is None else until,
        reason="ended",
        features={},
    )


@pytest.mark.parametrize(
    ("changed", "needed"),
    [
        (replace(LAID, poll_at=NOW), True),
        (replace(NEWER, poll_at=NOW), False),
        (replace(NEWER, payment=None), True),
        (day_pass("pass", 5, poll_at=NOW), False),
        (day_pass("pass", 5, payment=None), False),
    ],
)
def test_a_change_of_a_term_that_was_laid_among_those_that_left_needs_them(changed: Purchase, needed: bool) -> None:
    after = STANDS.put(changed)
    if needed:
        with pytest.raises(PastNeeded):
            ended.check_ended(STANDS, after, (), NOW)
    else:
        ended.check_ended(STANDS, after, (), NOW)
    ended.check_ended(READ.put(LAID), READ.put(replace(LAID, poll_at=NOW)), (), NOW)


def closed(days_ago: int) -> Term:
    """The newer term, disputed so long ago."""
    assert NEWER.payment is not None
    dispute = Dispute(dispute_id="dp", amount_cents=900, status="open", observed_at=NOW - days_ago * DAY)
    return replace(NEWER, payment=replace(NEWER.payment, disputes={"dp": dispute}))


def revoked(days_ago: int | None) -> Redemption:
    known: dict[str, Any] = {"redemption_id": "red", "redeemed_at": NOW - 50 * DAY, "plan_id": "plus-month"}
    if days_ago is None:
        return Redemption(**known)
    return Redemption(**known, closed="revoked", closed_at=NOW - days_ago * DAY)


@pytest.mark.parametrize(
    ("was", "is_", "needed"),
    [
        (NEWER, closed(9), False),
        (closed(9), replace(closed(9), poll_at=NOW), False),
        (closed(9), closed(8), True),
        (closed(9), NEWER, True),
        (revoked(None), revoked(9), False),
        (revoked(9), replace(revoked(9), returned=True), False),
        (revoked(9), revoked(8), True),
        (revoked(9), revoked(None), True),
    ],
)
def test_an_end_that_moves_may_have_used_time_of_what_left(was: Record, is_: Record, needed: bool) -> None:
    before = STANDS.put(was)
    if needed:
        with pytest.raises(PastNeeded):
            ended.check_ended(before, before.put(is_), (), NOW)
    else:
        ended.check_ended(before, before.put(is_), (), NOW)


@pytest.mark.parametrize("laid", ["term#voucher#red#000", "term#voucher#another#000"])
def test_a_voucher_that_was_laid_among_those_that_left_and_is_revoked_needs_them(laid: str) -> None:
    """Closed, it ends no other term any more, and none goes on where it ended."""
    given, taken_back = (replace(revoked(days), intervals=2) for days in (None, 0))
    before = READ.put(given, Ended(laid={laid: (NOW - 50 * DAY, NOW - 20 * DAY, 900, False)}))
    after = before.put(taken_back)
    if "#red#" in laid:
        with pytest.raises(PastNeeded):
            ended.check_ended(before, after, (), NOW)
    else:
        ended.check_ended(before, after, (), NOW)


@pytest.mark.parametrize(
    ("source", "enough"),
    [
        (ended_source(1, 1), True),
        # The very one that left does not stand for itself, nor does an older one, nor what is not over.
        (ended_source(100, 0), False),
        (ended_source(101, 1), False),
        (ended_source(1, 1, until=NOW), True),
        (ended_source(1, 1, until=NOW + 1), False),
        (replace(ended_source(1, 1), until=None), False),
        (replace(ended_source(1, 1), reason="refunded"), False),
    ],
)
def test_newer_ones_of_its_kind_stand_for_what_left(source: Source, enough: bool) -> None:
    newest = ended_source(100, 0)
    assert newest.until is not None
    stands = READ.put(Ended(newest={KIND: (newest.until, newest.start, newest.id)}))
    if enough:
        ended.check_ended(stands, stands, [source], NOW)
    else:
        with pytest.raises(PastNeeded):
            ended.check_ended(stands, stands, [source], NOW)


def test_the_plan_of_what_left_is_known() -> None:
    stands = Ended(newest={"purchase|day-pass|ended|1": (NOW, NOW - DAY, "inv")})
    assert ended.of_plan(stands, "day-pass")
    assert not ended.of_plan(stands, "tax-2026")
    assert not ended.of_plan(Ended(), "day-pass")
    assert not ended.of_plan(None, "day-pass")


def test_what_the_last_paid_term_came_to_in_satoshis_stays_at_hand() -> None:
    """By it one says about how much the next term will take from a wallet."""
    paid = term("paid", 400, received_sat=40_000, received_cents=900)
    unpaid = term("unpaid", 300, state="underpaid", received_sat=20_000, received_cents=450, decided_cents=450)
    unpaid = replace(unpaid, payment=replace(unpaid.payment, refunds=back("succeeded", 900)))
    later = [term(f"later{n}", 200 - 31 * n, plan_version=1, provider="mock") for n in range(4)]
    account = at_rest(Account(USER).put(paid, unpaid, *later))
    assert account.behind
    assert paid.record not in account.behind


def test_the_last_paid_term_of_each_plan_and_provider_stays_at_hand() -> None:
    """By it one says why the last term ended."""
    old = term("old", 400)
    account, before = (
        Account(USER).put(old, *(term(f"later{n}", 200 - 31 * n, provider="mock") for n in range(4))),
        None,
    )
    while account != before:
        before, account = account, ended.settled(account, PLANS, NOW, moves=True).account
    assert account.behind
    assert old.record not in account.behind
    (stands,) = (r for r in account.records.values() if isinstance(r, Ended))
    assert old.record in stands.laid
    assert not account.behind & stands.laid.keys()


@pytest.mark.parametrize(("waiting", "lacking"), [(1, False), (2, True), (3, True)])
def test_one_comes_back_at_least_however_little_room_there_is(waiting: int, lacking: bool) -> None:
    account = left(*(day_pass(f"old{n}", 100 + n) for n in range(3)))
    gone = [r for r in account.records.values() if isinstance(r, Purchase) and r.record in account.behind][:waiting]
    needed = account.put(*(replace(r, poll_at=NOW) for r in gone))
    moved = ended.settled(needed, PLANS, NOW, moves=False, room=1)
    assert len(moved.back) == 1
    (stands,) = (r for r in moved.account.records.values() if isinstance(r, Ended))
    assert stands.lacking == lacking


def test_records_leave_only_where_it_is_asked_for() -> None:
    many = Account(USER).put(*(day_pass(f"old{n}", 100 + n) for n in range(9)))
    changed = many.put(replace(ORDER, created_at=NOW + 1))
    assert consequences(many, changed, PLANS, NOW, moves=True).after.behind
    assert not consequences(many, changed, PLANS, NOW).after.behind


def test_what_time_alone_books_is_a_new_version() -> None:
    """Nobody reads the account as it was before its lines."""
    account = renew(Account(USER).put(term("one", 20)), PLANS)
    begun = consequences(Account(USER), account, PLANS, NOW).after
    over = consequences(begun, begun, PLANS, NOW + 60 * DAY)
    assert over.lines
    assert over.after.version == begun.version + 1
    again = consequences(over.after, over.after, PLANS, NOW + 60 * DAY)
    assert (list(again.lines), again.after.version) == ([], over.after.version)
