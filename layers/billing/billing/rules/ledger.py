"""The ledger: immutable lines of money in, money out, and changes of monthly recurring revenue (MRR).

Lines are the difference between two states of an account, so that a line is written exactly when, and in the same
transaction in which, the state that it explains changes. Repeats and reordering of events therefore never book twice.
docs/metrics.md defines every figure that is made from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from billing.data import dataclass, replace
from billing.rules.access import term_runs
from billing.rules.money import monthly
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import (
    VOUCHER,
    Account,
    Booked,
    Checkout,
    Item,
    Payment,
    Purchase,
    Redemption,
    Refund,
    Subscription,
    Term,
    is_income,
)
from billing.rules.terms import Run
from billing.rules.times import day_of

EntryKind = Literal[
    "payment", "refund", "refund_failed", "dispute", "dispute_won", "tax", "fee", "mrr", "trial", "checkout"
]
Movement = Literal["new", "expansion", "contraction", "churn", "reactivation", "switch"]

# Reasons of a churn that the customer did not choose.
INVOLUNTARY = frozenset({"payment_failed", "payment_disputed", "disputed", "failed", "paused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """`amount_cents` is signed: positive into the business, negative out of it; for `mrr` the change per month. Tax is
    no revenue: it is beside it in `tax_cents`, with the same sign.

    `entry_id` is unique within the account and made from what the line is about (payment:stripe:in_1:4).
    `object_id` names the payment, subscription, purchase or checkout. `reason`, from a closed list: why it churned or
    was refunded; of a payment whether it is first, renewal, purchase, term or voucher.
    `subscribers` is the change in the number of subscriptions and terms of this plan version that pay (on a `trial`
    line: that try), `users` the change in the number of users who do, in this currency. `cohort` is the month in which
    the user first did (2026-09).
    """

    entry_id: str
    at: int
    kind: EntryKind
    amount_cents: int
    currency: str
    provider: str
    plan_id: str
    plan_version: int
    object_id: str
    movement: Movement | None = None
    reason: str | None = None
    subscribers: int = 0
    users: int = 0
    cohort: str | None = None
    tax_cents: int = 0

    @property
    def record(self) -> str:
        # "~" sorts behind every letter: history lies outside the key range that is read to decide access.
        return f"~ledger#{self.at:012d}#{self.entry_id}"


def book(before: Account, after: Account, catalogue: Catalogue, now: int) -> tuple[Account, list[LedgerEntry]]:
    """The lines that explain the change from one state to the next, and the new state with what is booked stored in it.
    Money is dated by the provider, recurring revenue by `now`, so that the MRR of a closed day never changes."""
    lines = [*_checkout_lines(before, after), *_money_lines(before, after, now), *_voucher_lines(before, after, now)]
    booked, changes = _recurring(before, after, catalogue, now)
    if booked != after.booked:
        after = replace(after, records={**after.records, booked.record: booked})
    return after, [*lines, *changes]


# --- orders ----------------------------------------------------------------------------------------------------------


def _checkout_lines(before: Account, after: Account) -> Iterator[LedgerEntry]:
    """An order that a buyer opened: a step of the funnel, without an amount until it is paid. Orders of wallets are
    none."""
    old_ids = {c.checkout_id for c in before.checkouts}
    for checkout in after.checkouts:
        if checkout.checkout_id not in old_ids and not checkout.by_wallet:
            yield _checkout_line(checkout)


def _checkout_line(checkout: Checkout) -> LedgerEntry:
    return LedgerEntry(
        entry_id=f"checkout:{checkout.checkout_id}",
        at=checkout.created_at,
        kind="checkout",
        amount_cents=0,
        currency=checkout.currency,
        provider=checkout.provider,
        plan_id=checkout.plan_id,
        plan_version=checkout.plan_version,
        object_id=checkout.checkout_id,
    )


# --- money -----------------------------------------------------------------------------------------------------------

_Sourced = tuple[Subscription | Purchase, Payment]


def _payments(account: Account) -> dict[tuple[str, str], _Sourced]:
    """Income by provider and payment id, as far as it was read: what was not read has not changed."""
    income = ((record, payment) for record, payment in account.at_hand if is_income(record))
    return {(record.provider, payment.payment_id): (record, payment) for record, payment in income}


def _money_lines(before: Account, after: Account, now: int) -> Iterator[LedgerEntry]:
    old, new = _payments(before), _payments(after)
    version = before.version + 1
    for key, (source, payment) in new.items():
        old_payment = old[key][1] if key in old else None
        if old_payment is payment:  # Nothing changed, so there is nothing to book; this keeps a long history cheap.
            continue
        lines = _PaymentLines(source, payment, version)
        yield from lines.of_change(old_payment, _why_paid(source, payment, before, after))
    for key in old.keys() - new.keys():
        # The provider took a payment back: a bitcoin invoice turned invalid after it was settled.
        source, payment = old[key]
        if isinstance(source, Purchase):
            yield _PaymentLines(source, payment, version).reversal(now)


def _why_paid(source: Subscription | Purchase, payment: Payment, before: Account, after: Account) -> str:
    """first, renewal, purchase or term: whether this payment completes an order."""
    if isinstance(source, Purchase):
        return "term" if isinstance(source, Term) else "purchase"
    old_source = before.records.get(source.record)
    earlier = old_source.payments.values() if isinstance(old_source, Subscription) else ()
    if any(p.amount_cents for p in earlier):
        return "renewal"
    every = (p for of, p in after.at_hand if of is source)
    first = min(every, key=lambda p: (p.amount_cents == 0, p.paid_at, p.payment_id))
    return "first" if first.payment_id == payment.payment_id else "renewal"


@dataclass(frozen=True, slots=True)
class _PaymentLines:
    """The lines of one payment. `version` is part of their ids, so that a later line of the same kind gets its own."""

    source: Subscription | Purchase
    payment: Payment
    version: int

    def of_change(self, old: Payment | None, why: str) -> Iterator[LedgerEntry]:
        payment = self.payment
        # Of the payment so far, what was not given back. Each step books its share of the tax with it.
        booked = old.kept_cents if old is not None else 0
        if came := payment.amount_cents - (old.amount_cents if old else 0):
            yield self._step("payment", payment.payment_id, payment.paid_at, booked, booked + came, why)
            booked += came
        elif old is not None and (tax_change := payment.tax_on(booked) - old.tax_on(booked)):
            yield self._line("tax", payment.payment_id, payment.paid_at, -tax_change, tax=tax_change)
        if payment.fee_cents and (old is None or old.fee_cents is None):
            yield self._line("fee", payment.payment_id, payment.paid_at, -payment.fee_cents)
        for refund, back in _price_given_back(payment, old):
            kind: EntryKind = "refund" if back > 0 else "refund_failed"
            at = refund.taken_at if back > 0 else refund.observed_at
            yield self._step(kind, refund.refund_id, at, booked, booked - back, refund.reason)
            booked -= back
        for dispute in payment.disputes.values():
            taken = old.disputes.get(dispute.dispute_id) if old else None
            if back := dispute.withdrawn_cents - (taken.withdrawn_cents if taken else 0):
                kind = "dispute" if back > 0 else "dispute_won"
                at = dispute.taken_at if back > 0 else dispute.observed_at
                yield self._step(kind, dispute.dispute_id, at, booked, booked - back, dispute.reason)
                booked -= back

    def reversal(self, now: int) -> LedgerEntry:
        """Takes back what is left of the payment; the fee stays paid."""
        return self._step("refund", f"reversal-{self.payment.payment_id}", now, self.payment.kept_cents, 0)

    def _step(
        self, kind: EntryKind, subject: str, at: int, was: int, is_: int, reason: str | None = None
    ) -> LedgerEntry:
        """The line for what is kept of the payment going from one amount to another: revenue and tax, which add up to
        it."""
        tax = self.payment.tax_on(is_) - self.payment.tax_on(was)
        return self._line(kind, subject, at, is_ - was - tax, reason, tax=tax)

    def _line(
        self, kind: EntryKind, subject: str, at: int, amount: int, reason: str | None = None, *, tax: int = 0
    ) -> LedgerEntry:
        return LedgerEntry(
            entry_id=f"{kind}:{self.source.provider}:{subject}:{self.version}",
            at=at,
            kind=kind,
            amount_cents=amount,
            currency=self.payment.currency,
            provider=self.source.provider,
            plan_id=self.payment.plan_id or self.source.plan_id,
            plan_version=self.payment.plan_version or self.source.plan_version,
            object_id=self.payment.payment_id,
            reason=reason,
            tax_cents=tax,
        )


def _price_given_back(payment: Payment, old: Payment | None) -> Iterator[tuple[Refund, int]]:
    """How much of the price each changed refund takes, one after the other: a surplus goes first. Where the surplus
    changed meanwhile, the last refund before takes less or more of the price, in one line with its own change."""
    old_refunds = old.refunds if old else {}
    at, booked = replace(payment, refunds=old_refunds), old.refunded_cents if old else 0
    changed = [r for r in payment.refunds.values() if old_refunds.get(r.refund_id) != r]
    unchanged = [r for r in list(old_refunds.values())[-1:] if payment.refunds.get(r.refund_id) == r]
    for refund in [*unchanged, *sorted(changed, key=lambda r: (r.observed_at, r.refund_id))]:
        if refund in changed:
            at = replace(at, refunds={**at.refunds, refund.refund_id: refund})
        if back := at.refunded_cents - booked:
            yield refund, back
        booked = at.refunded_cents


# --- vouchers --------------------------------------------------------------------------------------------------------


def _voucher_lines(before: Account, after: Account, now: int) -> Iterator[LedgerEntry]:
    """The price of a voucher sold by hand, booked when it is redeemed, and again when it was given back. One that was
    free, or bought as a gift (booked with its buyer), books nothing."""
    for redemption in after.redemptions:
        old = before.records.get(redemption.record)
        due = redemption.sold_cents if not redemption.returned else 0
        booked = old.sold_cents if isinstance(old, Redemption) and not old.returned else 0
        if old is None and redemption.sold_cents:
            yield _voucher_line(
                redemption, redemption.redeemed_at, "payment", redemption.sold_cents, before.version + 1
            )
            booked = redemption.sold_cents
        if due != booked:
            kind: EntryKind = "refund" if due < booked else "refund_failed"
            yield _voucher_line(redemption, now, kind, due - booked, before.version + 1)


def _voucher_line(redemption: Redemption, at: int, kind: EntryKind, amount: int, version: int) -> LedgerEntry:
    return LedgerEntry(
        entry_id=f"{kind}:{VOUCHER}:{redemption.redemption_id}:{version}",
        at=at,
        kind=kind,
        amount_cents=amount,
        currency=redemption.currency,
        provider=VOUCHER,
        # A voucher of credits belongs to no plan: it is booked under the feature that it gives.
        plan_id=redemption.plan_id or f"credits:{next(iter(redemption.features), '')}",
        plan_version=redemption.plan_version or 0,
        object_id=redemption.redemption_id,
        reason=VOUCHER,
    )


# --- monthly recurring revenue ---------------------------------------------------------------------------------------

# Currency, provider, plan and version.
Position = tuple[str, str, str, int]
_Counts = Mapping[str, int]
_NOTHING: _Counts = {"mrr_cents": 0, "paying": 0, "trialing": 0}


def positions(account: Account, runs: Iterable[Run], catalogue: Catalogue, now: int) -> dict[Position, _Counts]:
    """What an account pays per month for what recurs, and how many subscriptions and terms pay for it or try it.

    Counted as paying are subscriptions that are active or past due, once a first invoice was paid and until the newest
    is given up, and prepaid terms that run at `now`. Vouchers are not: nobody has agreed to pay for one again. The
    price is what recurs at the provider, discounts that stay taken off, all units, without tax; where no provider says,
    the plan version's times the quantity. It is not what one invoice happened to come to. `runs`: all its terms.
    """
    by_position: dict[Position, dict[str, int]] = {}

    def add(provider: str, plan: Plan | None, cost: tuple[int, str], *, trial: bool) -> None:
        amount = monthly(cost[0], plan.interval) if plan else 0
        if plan and amount:
            counts = by_position.setdefault((cost[1], provider, plan.plan_id, plan.version), dict(_NOTHING))
            counts["trialing" if trial else "paying"] += 1
            counts["mrr_cents"] += 0 if trial else amount

    for subscription in account.subscriptions:
        pays = subscription.status in ("active", "past_due", "trialing") and subscription.begun
        if not pays or (subscription.status == "active" and subscription.given_up):
            continue
        items: tuple[Subscription | Item, ...] = (subscription, *subscription.others)
        for item in items:
            plan = catalogue.get(item.plan_id, item.plan_version)
            if plan is not None:
                cost = _recurring_cost(subscription, item, plan)
                add(subscription.provider, plan, cost, trial=subscription.status == "trialing")
    for run in runs:
        if run.start <= now < run.end and run.term.provider != VOUCHER:
            add(run.term.provider, run.plan, (run.plan.price_cents, run.plan.currency), trial=False)
    return dict(by_position)


def _recurring_cost(subscription: Subscription, item: Subscription | Item, plan: Plan) -> tuple[int, str]:
    """What an item costs per interval without tax, and in which currency."""
    if item.recurring_cents is None:
        return plan.price_cents * item.quantity, plan.currency
    amount = item.recurring_cents
    # Where prices contain the tax, the newest payment says how much of them.
    paid = [p for p in subscription.payments.values() if p.amount_cents > 0]
    newest = max(paid, key=lambda p: (p.paid_at, p.payment_id), default=None)
    if newest is not None and newest.tax_inside:
        amount -= newest.tax_cents * amount // newest.amount_cents
    return amount, subscription.currency or plan.currency


def _recurring(before: Account, after: Account, catalogue: Catalogue, now: int) -> tuple[Booked, list[LedgerEntry]]:
    booked, runs = before.booked, term_runs(after, catalogue)
    old = {_position(key): counts for key, counts in booked.positions.items()}
    new = positions(after, runs, catalogue, now)
    since = dict(booked.since)
    lines: list[LedgerEntry] = []
    for currency in sorted({key[0] for key in (*old, *new)}):
        change = _Change(after, currency, old, new, before.version + 1, now)
        if change.pays and currency not in since:
            since[currency] = day_of(now)[:7]
            lines += change.lines("new", since[currency])
        else:
            lines += change.lines("reactivation", since.get(currency))
    paid = (run for run in runs if run.term.provider != VOUCHER)
    turns = [t for run in paid for t in (run.start, run.end) if t > now]
    written = {"|".join(map(str, key)): dict(counts) for key, counts in sorted(new.items())}
    return Booked(positions=written, since=since, review_at=min(turns, default=None)), lines


def _position(key: str) -> Position:
    currency, provider, plan_id, version = key.split("|")
    return currency, provider, plan_id, int(version)


@dataclass(frozen=True, slots=True)
class _Change:
    """From what is booked to what is, in one currency."""

    after: Account
    currency: str
    old: Mapping[Position, _Counts]
    new: Mapping[Position, _Counts]
    version: int
    now: int

    @property
    def pays(self) -> bool:
        return self._total(self.new, "mrr_cents") > 0

    def lines(self, beginning: Movement, cohort: str | None) -> Iterator[LedgerEntry]:
        """`beginning`: what to call it when the account starts to pay."""
        movement, users = self._movement(beginning), self._users("paying")
        tries = self._users("trialing")
        for key in sorted({key for key in (*self.old, *self.new) if key[0] == self.currency}):
            was, is_ = self.old.get(key, _NOTHING), self.new.get(key, _NOTHING)
            amount, paying = is_["mrr_cents"] - was["mrr_cents"], is_["paying"] - was["paying"]
            if amount or paying:
                yield self._line("mrr", key, amount, paying, users, movement, cohort)
                users = 0
            if is_["trialing"] != was["trialing"]:
                yield self._line("trial", key, 0, is_["trialing"] - was["trialing"], tries, None, None)
                tries = 0

    def _movement(self, beginning: Movement) -> Movement:
        was, is_ = self._total(self.old, "mrr_cents"), self._total(self.new, "mrr_cents")
        if was == is_:
            return "switch"
        if was == 0:
            return beginning
        return "churn" if is_ == 0 else "expansion" if is_ > was else "contraction"

    def _users(self, count: str) -> int:
        return (self._total(self.new, count) > 0) - (self._total(self.old, count) > 0)

    def _total(self, counts: Mapping[Position, _Counts], name: str) -> int:
        return sum(c[name] for key, c in counts.items() if key[0] == self.currency)

    def _line(
        self,
        kind: EntryKind,
        key: Position,
        amount: int,
        subscribers: int,
        users: int,
        movement: Movement | None,
        cohort: str | None,
    ) -> LedgerEntry:
        currency, provider, plan_id, plan_version = key
        source = _newest(self.after, provider, plan_id, plan_version)
        return LedgerEntry(
            entry_id=f"{kind}:{self.version}:{currency}:{provider}:{plan_id}:{plan_version}",
            at=self.now,
            kind=kind,
            amount_cents=amount,
            currency=currency,
            provider=provider,
            plan_id=plan_id,
            plan_version=plan_version,
            object_id=_id(source),
            movement=movement,
            reason=_why_ended(source) if movement == "churn" else None,
            subscribers=subscribers,
            users=users,
            cohort=cohort if users else None,
        )


def _newest(account: Account, provider: str, plan_id: str, version: int) -> Subscription | Term | None:
    """The record that a position stands for: the newest of that plan, or of that provider when it changed its plan. An
    invoice that nobody paid does not count: it is not why the term before it ended."""
    every: list[Subscription | Term] = [*account.subscriptions, *(t for t in account.terms if t.payment)]
    candidates = [r for r in every if r.provider == provider]
    same = [r for r in candidates if (r.plan_id, r.plan_version) == (plan_id, version)]
    return max(same or candidates, key=lambda r: (r.observed_at, r.record), default=None)


def _id(source: Subscription | Term | None) -> str:
    if source is None:
        return ""
    return source.subscription_id if isinstance(source, Subscription) else source.purchase_id


def _why_ended(source: Subscription | Term | None) -> str:
    """Why it ended, one word of a closed list, from the record as it is now."""
    if isinstance(source, Subscription):
        if source.status in ("unpaid", "incomplete", "incomplete_expired") or source.given_up:
            return "payment_failed"
        return "paused" if source.status == "paused" else source.cancel_reason or "not_given"
    if source is not None and source.status in ("refunded", "disputed", "failed"):
        return source.status
    return "not_renewed"
