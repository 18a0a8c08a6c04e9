"""What facts about purchases, prepaid terms and checkouts change."""

from collections.abc import Mapping
from typing import Any

from billing.data import replace
from billing.errors import Parked, PastNeeded, Unordered
from billing.rules.access import term_runs
from billing.rules.ended import of_plan
from billing.rules.facts import CheckoutFact, PurchaseFact, Ref
from billing.rules.plans import Catalogue, Plan
from billing.rules.polling import next_poll
from billing.rules.records import (
    PURCHASE_STATES,
    VOUCHER,
    Account,
    Checkout,
    Gift,
    Mandate,
    Payment,
    Purchase,
    Renewal,
    Term,
    first_known,
)
from billing.rules.terms import Run
from billing.rules.times import DAY
from billing.rules.vouchers import given_by

# A look this long before the end is early enough for every reminder anybody would set (seconds).
LONGEST_LEAD = 30 * DAY


def purchase(account: Account, fact: PurchaseFact, catalogue: Catalogue) -> Account | Ref:
    """The newest state of a purchase or prepaid term wins; of one second the stronger one does."""
    old = _on_record(account, fact)
    if fact.poll:
        fact = _as_ordered(account, fact, old)
    plan = catalogue.get(fact.plan_id, fact.plan_version)
    if plan is None:
        named = f"{fact.plan_id} version {fact.plan_version}"
        raise Parked(f"purchase {fact.purchase_id} is of plan {named}, unknown here", "unknown_plan")
    if old is None:
        new = _first_heard(account, fact, recurring=plan.recurring)
    else:
        created_at = min(old.created_at, fact.created_at or fact.observed_at)
        new = replace(
            old,
            state=fact.state,
            amount_cents=fact.amount_cents,
            observed_at=fact.observed_at,
            created_at=created_at,
            due_cents=fact.due_cents,
            received_cents=fact.received_cents if fact.poll else None,
            received_sat=fact.received_sat if fact.poll else None,
            accepted_by=old.accepted_by if _still_there(old, fact) else None,
            expires_at=first_known(fact.expires_at, old.expires_at),
            transactions=tuple(sorted({*old.transactions, *fact.transactions})),
        )
        if isinstance(new, Term) and new.accepted_by is None:
            new = replace(new, waited_seconds=0)
        if _gone(old, fact):
            new = replace(new, decided_cents=max(old.decided_cents, _came(old)))
        # "Pending" decides nothing, so it does not undo a failure, however late it was read.
        undecided = new.state == "pending" and old.state == "failed"
        if undecided or _purchase_rank(new) <= _purchase_rank(old):
            unchanged = replace(old, created_at=created_at, transactions=new.transactions)
            return account.put(replace(unchanged, payment=_named(old.payment, fact)))
    new = replace(new, payment=_invoice_money(fact, old, new) if fact.poll else _money_in(fact, old))
    if fact.poll:
        new = replace(new, poll_at=next_poll(new, fact.observed_at))
    account = mark_duplicates(_complete_checkout(account.put(new), new), plan)
    return renew(account, catalogue)


def _on_record(account: Account, fact: PurchaseFact) -> Purchase | None:
    for kind in ("term", "purchase", "gift"):
        record = account.records.get(f"{kind}#{fact.provider}#{fact.purchase_id}")
        if isinstance(record, Purchase):
            return record
    return None


def _as_ordered(account: Account, fact: PurchaseFact, old: Purchase | None) -> PurchaseFact:
    """The fact with the plan that we sold. Our order on record decides, whatever the invoice says of itself."""
    order = old or next(
        (c for c in account.checkouts if c.checkout_id == fact.checkout_id and c.provider == fact.provider), None
    )
    if order is None and not account.whole:
        raise PastNeeded
    if order is None or (isinstance(order, Checkout) and order.session_id not in (None, fact.purchase_id)):
        raise Unordered(f"{fact.provider} invoice {fact.purchase_id} was not opened here")
    ordered, invoiced = (order.amount_cents, order.currency), (fact.amount_cents, fact.currency)
    if ordered != invoiced:
        raise Parked(
            f"{fact.provider} invoice {fact.purchase_id} is not the one we opened: its price is {invoiced[0]} minor "
            f"units {invoiced[1]}, not {ordered[0]} minor units {ordered[1]}",
            "order_differs",
        )
    return replace(fact, plan_id=order.plan_id, plan_version=order.plan_version, checkout_id=order.checkout_id)


def _first_heard(account: Account, fact: PurchaseFact, *, recurring: bool) -> Purchase:
    fields: dict[str, Any] = {
        "provider": fact.provider,
        "purchase_id": fact.purchase_id,
        "plan_id": fact.plan_id,
        "plan_version": fact.plan_version,
        "state": fact.state,
        "amount_cents": fact.amount_cents,
        "currency": fact.currency,
        "observed_at": fact.observed_at,
        "created_at": fact.created_at or fact.observed_at,
        "checkout_id": fact.checkout_id,
        "customer_id": fact.customer_id,
        "due_cents": fact.due_cents,
        "received_cents": fact.received_cents if fact.poll else None,
        "received_sat": fact.received_sat if fact.poll else None,
        "returns_surplus": fact.returns_surplus,
        "expires_at": fact.expires_at,
        "transactions": tuple(sorted(fact.transactions)),
    }
    voucher = given_by(fact.checkout_id)
    if voucher is not None:
        return Gift(**fields, voucher_id=voucher)
    if not recurring:
        return Purchase(**fields)
    order = next((c for c in account.checkouts if c.checkout_id == fact.checkout_id), None)
    if order is None:
        return Term(**fields)
    return Term(**fields, bonus_seconds=order.trial_days * DAY, by_wallet=order.by_wallet)


def _money_in(fact: PurchaseFact, old: Purchase | None) -> Payment | None:
    """A payment that was booked stays as it was booked."""
    if old is not None and old.payment is not None:
        return _named(old.payment, fact)
    if fact.paid_at is None and fact.state != "paid":
        return None
    return Payment(
        payment_id=fact.purchase_id,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        paid_at=fact.paid_at or fact.observed_at,
        refs=fact.refs,
        fee_cents=fact.fee_cents,
        tax_cents=fact.tax_cents or 0,
    )


def _still_there(old: Purchase, fact: PurchaseFact) -> bool:
    """Whether the money that a person accepted is still there: unconfirmed, it can be replaced on the chain. A unit
    less is rounding; what was given back does not count."""
    payment = old.payment
    if payment is None or not fact.poll or payment.fully_refunded:
        return True
    return fact.received_cents >= payment.amount_cents - 1


def _came(old: Purchase) -> int:
    """What of the counted price was really received on the invoice."""
    return min(old.received_cents or 0, old.payment.amount_cents) if old.payment and old.paid else 0


def _gone(old: Purchase, fact: PurchaseFact) -> bool:
    """Whether money that counted vanished: the server had called the invoice paid, and it was replaced on the chain."""
    return fact.poll and fact.state != "paid" and fact.received_cents < _came(old) - 1


def _invoice_money(fact: PurchaseFact, old: Purchase | None, new: Purchase) -> Payment | None:
    """The money received on a bitcoin invoice. Once booked it stays so, unless it vanished; until then the newest
    reading counts."""
    booked = old.payment if old else None
    stays = old is not None and old.paid and old.accepted_by == new.accepted_by and not _gone(old, fact)
    if booked is not None and stays:
        return with_beyond(booked, fact.received_cents)
    if fact.received_cents <= 0 and fact.state != "paid" and not (booked and booked.refunds):
        return None
    seen = Payment(
        payment_id=fact.purchase_id,
        amount_cents=_counts_for_price(fact),
        currency=fact.currency,
        paid_at=fact.paid_at or fact.observed_at,
        refunds=booked.refunds if booked else {},
        disputes=booked.disputes if booked else {},
        beyond_cents=booked.beyond_cents if booked else 0,
    )
    return with_beyond(seen, fact.received_cents)


def _counts_for_price(fact: PurchaseFact) -> int:
    """What counts as paid, at most the price. A unit less is rounding where the server says paid. It also says so of an
    invoice that a person marked as paid elsewhere, to which nothing came. What its tolerance forgave is not money."""
    received, price = fact.received_cents, fact.amount_cents
    if fact.state == "paid" and (received == 0 or received >= price - 1):
        return price
    return min(price, received)


def with_beyond(payment: Payment, received_cents: int) -> Payment:
    """With what was received beyond the price. Money after a full refund does not undo the refund: a person decides."""
    beyond = max(0, received_cents - payment.amount_cents)
    if payment.fully_refunded and beyond > payment.beyond_cents:
        return payment
    return replace(payment, beyond_cents=beyond)


def _named(payment: Payment | None, fact: PurchaseFact) -> Payment | None:
    """A payment that another event (of its charge or session) names too: it gains that name, and is booked once."""
    if payment is None or fact.state != "paid" or fact.poll:
        return payment
    return replace(
        payment,
        paid_at=min(payment.paid_at, fact.paid_at or fact.observed_at),
        refs=tuple(sorted({*payment.refs, *fact.refs})),
        fee_cents=first_known(payment.fee_cents, fact.fee_cents),
        tax_cents=payment.tax_cents or fact.tax_cents or 0,
    )


def accept(account: Account, purchase: Purchase, admin: str, catalogue: Catalogue, now: int) -> Account:
    """A person accepts the money that is there, up to the price, and keeps what came beyond it. If some had vanished,
    that is settled by it too. A term is lengthened by the time for which its money waited."""
    payment, received = purchase.payment, purchase.received_cents or 0
    accepted = replace(purchase, decided_cents=received)
    counts = purchase.paid and payment is not None and not payment.fully_refunded
    if payment is not None and received and not (counts and payment.amount_cents >= received):
        price = min(purchase.amount_cents, received)
        counted = replace(payment, amount_cents=price, beyond_cents=max(0, received - price))
        if not counts:
            accepted = replace(accepted, accepted_by=admin)
            if isinstance(accepted, Term):
                accepted = replace(accepted, waited_seconds=max(0, now - payment.paid_at))
        accepted = replace(accepted, payment=counted)
    accepted = replace(accepted, poll_at=next_poll(accepted, now))
    account = _complete_checkout(account.put(accepted), accepted)
    plan = catalogue.get(purchase.plan_id, purchase.plan_version)
    return renew(mark_duplicates(account, plan) if plan else account, catalogue)


def mark_duplicates(account: Account, plan: Plan) -> Account:
    """Marks what was paid again, in bitcoin, for a plan that is bought once for good: it bought nothing. Credits add
    up."""
    if plan.recurring or plan.duration_days is not None or plan.gives_credits:
        return account
    if of_plan(account.ended, plan.plan_id):
        raise PastNeeded
    same = [p for p in account.purchases if p.plan_id == plan.plan_id]
    counting = [
        (p.payment.paid_at, p.record, p)
        for p in same
        if p.paid and p.payment and not (p.payment.fully_refunded or p.payment.suspended)
    ]
    first = min(counting, default=None, key=lambda entry: entry[:2])
    later = {p.record for _, _, p in counting if first and p.received_cents is not None} - {first[1] if first else ""}
    return account.put(
        *(replace(p, duplicate_of=first[2].purchase_id if first and p.record in later else None) for p in same)
    )


def _purchase_rank(purchase: Purchase) -> tuple[int, int, int]:
    return purchase.observed_at, PURCHASE_STATES.index(purchase.state), purchase.received_cents or 0


def _complete_checkout(account: Account, purchase: Purchase) -> Account:
    if not purchase.paid:
        return account
    done = [
        replace(c, status="completed", url=None) for c in account.checkouts if c.checkout_id == purchase.checkout_id
    ]
    return account.put(*done)


def renew(account: Account, catalogue: Catalogue) -> Account:
    """Stores when what is prepaid ends, group by group, for reminders and for wallets that renew. With a new end the
    reminders begin anew."""
    last: dict[str, Run] = {}
    runs = term_runs(account, catalogue)
    paid = {run.term.purchase_id: run.term for run in runs if run.term.paid}
    for run in runs:
        if run.term.paid and (run.plan.group not in last or run.end > last[run.plan.group].end):
            last[run.plan.group] = run
    renewals = {r.group: r for r in account.renewals}
    changed = []
    for group, run in last.items():
        old = renewals.get(group)
        if old is None or old.ends_at != run.end or old.purchase_id != run.term.purchase_id:
            changed.append(
                Renewal(
                    group=group,
                    plan_id=run.plan.plan_id,
                    plan_version=run.plan.version,
                    # Where the next one can be paid: after a voucher, where its holder paid before.
                    provider=old.provider if old and run.term.provider == VOUCHER else run.term.provider,
                    purchase_id=run.term.purchase_id,
                    ends_at=run.end,
                    wanted=old.wanted if old else True,
                    remind_at=run.end - LONGEST_LEAD,
                )
            )
    # Nothing prepaid is left (returned, or turned invalid): there is no end to remind of.
    changed += [replace(old, remind_at=None) for group, old in renewals.items() if group not in last]
    gone = {group for group, old in renewals.items() if old.purchase_id not in paid}
    followed = [_followed(m, last.get(m.group), paid, returned=m.group in gone) for m in account.mandates]
    return account.put(*changed, *followed)


def _followed(mandate: Mandate, last: Run | None, paid: Mapping[str, Term], *, returned: bool) -> Mandate:
    """The mandate as it follows from the end of what is prepaid: each new end is renewed once. An attempt that was paid
    is over; one that is open stays, because its invoice can still be paid. Where the last term was `returned`, the
    wallet is asked again only when the buyer says so."""
    attempt, ends_at = mandate.attempt, last.end if last else None
    done = paid.get(attempt.invoice_id or "") if attempt else None
    if done is not None:
        attempt = None
        mandate = replace(mandate, renewed_at=done.payment.paid_at if done.payment else done.observed_at)
    if ends_at == mandate.ends_at and attempt == mandate.attempt:
        return mandate
    back = returned and mandate.ends_at is not None and (ends_at is None or ends_at < mandate.ends_at)
    moved = replace(mandate, attempt=attempt, ends_at=ends_at, tries=0, retry_at=None, given_up=False)
    moved = replace(moved, trouble="term_returned" if back else None, paused=mandate.paused or back)
    if attempt is not None:
        return moved
    waits = ends_at is not None and not moved.paused
    return replace(moved, act_at=ends_at - mandate.lead_days * DAY if ends_at is not None and waits else None)


def checkout(account: Account, fact: CheckoutFact, _catalogue: Catalogue) -> Account | Ref:
    """A hosted checkout ended. A subscription that it made, and of which no event came yet, is read from the
    provider."""
    ended = [
        replace(c, status=fact.status, url=None)
        for c in account.checkouts
        if c.session_id == fact.session_id and c.status != "completed"
    ]
    account = account.put(*ended)
    if fact.subscription_id and f"subscription#{fact.provider}#{fact.subscription_id}" not in account.records:
        return Ref("subscription", fact.subscription_id)
    return account
