"""What facts about purchases, prepaid terms and checkouts change."""

from dataclasses import replace

from billing.errors import Parked
from billing.rules.access import term_runs
from billing.rules.facts import CheckoutFact, PurchaseFact, Ref
from billing.rules.plans import Catalogue
from billing.rules.polling import next_poll
from billing.rules.records import PURCHASE_STATES, Account, Payment, Purchase, Renewal, Term, first_known
from billing.rules.terms import Run
from billing.rules.times import DAY

# A look this long before the end is early enough for every reminder anybody would set (seconds).
LONGEST_LEAD = 30 * DAY


def purchase(account: Account, fact: PurchaseFact, catalogue: Catalogue) -> Account | Ref:
    """The newest state of a purchase or prepaid term wins; of one second the stronger one does."""
    plan = catalogue.get(fact.plan_id, fact.plan_version)
    if plan is None:
        named = f"{fact.plan_id} version {fact.plan_version}"
        raise Parked(f"purchase {fact.purchase_id} is of plan {named}, unknown here", "unknown_plan")
    kind = Term if plan.recurring else Purchase
    key = f"{'term' if plan.recurring else 'purchase'}#{fact.provider}#{fact.purchase_id}"
    known = account.records.get(key)
    old = known if isinstance(known, Purchase) else None
    new = kind(
        provider=fact.provider,
        purchase_id=fact.purchase_id,
        plan_id=fact.plan_id,
        plan_version=fact.plan_version,
        state=fact.state,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        observed_at=fact.observed_at,
        created_at=fact.created_at or fact.observed_at,
        checkout_id=fact.checkout_id,
        customer_id=account.living_customer(fact.provider, fact.customer_id),
        due_cents=fact.due_cents,
        surplus_cents=fact.surplus_cents,
        expires_at=fact.expires_at,
    )
    if isinstance(new, Term):
        new = replace(new, bonus_seconds=fact.trial_days * DAY)
    if old is not None:
        if fact.poll:
            _check_same_order(old, fact)
        created_at = min(old.created_at, new.created_at)
        # "Pending" says that nothing is decided: it takes nothing back that was, however late it is read.
        undecided = new.state == "pending" and old.state == "failed"
        if undecided or _purchase_rank(new) <= _purchase_rank(old):
            return account.put(replace(old, created_at=created_at, payment=_named(old.payment, fact)))
        new = replace(
            old,
            state=fact.state,
            amount_cents=fact.amount_cents,
            observed_at=fact.observed_at,
            created_at=created_at,
            due_cents=fact.due_cents,
            surplus_cents=fact.surplus_cents,
            expires_at=first_known(fact.expires_at, old.expires_at),
        )
    new = replace(new, payment=_money_in(fact, old))
    look_again = next_poll(new.state, new.created_at, fact.observed_at, undecided=new.undecided)
    new = replace(new, poll_at=look_again if fact.poll else None)
    return renew(_complete_checkout(account.put(new), new), catalogue)


def _check_same_order(old: Purchase, fact: PurchaseFact) -> None:
    """An invoice is what we opened, for as long as it lives."""
    opened = (old.plan_id, old.plan_version, old.amount_cents, old.currency)
    told = (fact.plan_id, fact.plan_version, fact.amount_cents, fact.currency)
    if opened != told:
        raise Parked(
            f"{fact.provider} invoice {fact.purchase_id} was opened for {opened}, but now says {told}", "order_differs"
        )


def _money_in(fact: PurchaseFact, old: Purchase | None) -> Payment | None:
    """What was booked stays as it was booked; before that, the newest word on what has been seen."""
    kept = old.payment if old else None
    if old is not None and kept is not None and (old.paid or not fact.poll or kept.refunds):
        return _named(kept, fact)
    if fact.paid_at is None and fact.state != "paid":
        return None
    return Payment(
        payment_id=fact.purchase_id,
        amount_cents=fact.amount_cents - fact.due_cents,
        currency=fact.currency,
        paid_at=fact.paid_at or fact.observed_at,
        refs=fact.refs,
        fee_cents=fact.fee_cents,
        tax_cents=fact.tax_cents or 0,
    )


def _named(payment: Payment | None, fact: PurchaseFact) -> Payment | None:
    """A payment told again, by its charge or session: it gains their names, and is never a second one."""
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
    """A person lets an underpaid or late payment count. What a term lost by waiting for that is added to it."""
    accepted = replace(purchase, accepted_by=admin)
    if isinstance(accepted, Term) and accepted.payment is not None:
        waited = max(0, now - accepted.payment.paid_at)
        accepted = replace(accepted, bonus_seconds=accepted.bonus_seconds + waited)
    return renew(_complete_checkout(account.put(accepted), accepted), catalogue)


def _purchase_rank(purchase: Purchase) -> tuple[int, int]:
    return purchase.observed_at, PURCHASE_STATES.index(purchase.state)


def _complete_checkout(account: Account, purchase: Purchase) -> Account:
    if not purchase.paid:
        return account
    done = [
        replace(c, status="completed", url=None) for c in account.checkouts if c.checkout_id == purchase.checkout_id
    ]
    return account.put(*done)


def renew(account: Account, catalogue: Catalogue) -> Account:
    """Keeps the end of what is prepaid, group by group, for the reminders; a new end is reminded of anew."""
    last: dict[str, Run] = {}
    for run in term_runs(account, catalogue):
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
                    provider=run.term.provider,
                    purchase_id=run.term.purchase_id,
                    ends_at=run.end,
                    wanted=old.wanted if old else True,
                    remind_at=run.end - LONGEST_LEAD,
                )
            )
    # Nothing prepaid is left (returned, or turned invalid): there is no end to remind of.
    changed += [replace(old, remind_at=None) for group, old in renewals.items() if group not in last]
    return account.put(*changed)


def checkout(account: Account, fact: CheckoutFact, _catalogue: Catalogue) -> Account | Ref:
    """A hosted checkout ended; a subscription it made and nobody told of yet is asked for."""
    ended = [
        replace(c, status=fact.status, url=None)
        for c in account.checkouts
        if c.session_id == fact.session_id and c.status != "completed"
    ]
    account = account.put(*ended)
    if fact.subscription_id and f"subscription#{fact.provider}#{fact.subscription_id}" not in account.records:
        return Ref("subscription", fact.subscription_id)
    return account
