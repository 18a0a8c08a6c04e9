"""The ledger: immutable lines of money in, money out, and changes of monthly recurring revenue (MRR).

Lines are the difference between two states of an account, so that a line is written exactly when, and in the same
transaction in which, the state that it explains changes. Repeats and reordering of events therefore never book twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from billing.access import term_runs
from billing.money import monthly
from billing.plans import Catalogue
from billing.records import Account, Payment, Purchase, Subscription

Kind = Literal["payment", "refund", "refund_failed", "dispute", "dispute_won", "fee", "mrr"]
Movement = Literal["new", "expansion", "contraction", "churn", "reactivation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """`amount_cents` is signed: positive into the business, negative out of it; for `mrr` the change per month.

    `entry_id` is unique within the account and made from what the line is about (payment:stripe:in_1).
    `object_id` names the payment or subscription; `reason` a churn's or refund's reason from a closed list.
    """

    entry_id: str
    at: int
    kind: Kind
    amount_cents: int
    currency: str
    provider: str
    plan_id: str
    object_id: str
    movement: Movement | None = None
    reason: str | None = None

    @property
    def record(self) -> str:
        # "~" sorts behind every letter: history lies outside the key range that is read to decide access.
        return f"~ledger#{self.at:012d}#{self.entry_id}"


def difference(before: Account, after: Account, catalogue: Catalogue, now: int) -> list[LedgerEntry]:
    """The lines that explain the way from one state to the next; `now` dates what carries no provider time."""
    old, new = _payments(before), _payments(after)
    lines: list[LedgerEntry] = []
    for key, (source, payment) in new.items():
        lines.extend(_money_lines(source, payment, old[key][1] if key in old else None, after.version))
    for key in old.keys() - new.keys():
        # The provider took a payment back (a bitcoin invoice turned invalid after it was settled). Old payments of a
        # subscription only leave its record because it keeps the newest; that is no reversal.
        source, payment = old[key]
        if isinstance(source, Subscription):
            continue
        lines.append(_line("refund", source, payment, "reversal", now, -payment.amount_cents, after.version))
    lines.extend(_mrr_lines(before, after, catalogue, now))
    return lines


_Sourced = tuple[Subscription | Purchase, Payment]


def _payments(account: Account) -> dict[tuple[str, str], _Sourced]:
    found: dict[tuple[str, str], _Sourced] = {}
    for record in account.records.values():
        if isinstance(record, Subscription):
            found.update({(record.provider, p.payment_id): (record, p) for p in record.payments.values()})
        elif isinstance(record, Purchase) and record.payment is not None and record.paid:
            found[record.provider, record.payment.payment_id] = (record, record.payment)
    return found


def _line(
    kind: Kind,
    source: Subscription | Purchase,
    payment: Payment,
    subject: str,
    at: int,
    amount: int,
    version: int,
    reason: str | None = None,
) -> LedgerEntry:
    return LedgerEntry(
        # One commit makes one version, so the id is unique even when a payment comes, goes and comes back.
        entry_id=f"{kind}:{source.provider}:{subject}:{version}",
        at=at,
        kind=kind,
        amount_cents=amount,
        currency=payment.currency,
        provider=source.provider,
        plan_id=source.plan_id,
        object_id=payment.payment_id,
        reason=reason,
    )


def _money_lines(
    source: Subscription | Purchase, payment: Payment, old: Payment | None, version: int
) -> Iterator[LedgerEntry]:
    def line(kind: Kind, subject: str, at: int, amount: int, reason: str | None = None) -> LedgerEntry:
        return _line(kind, source, payment, subject, at, amount, version, reason)

    if old is None and payment.amount_cents:
        yield line("payment", payment.payment_id, payment.paid_at, payment.amount_cents)
    if payment.fee_cents and (old is None or old.fee_cents is None):
        yield line("fee", payment.payment_id, payment.paid_at, -payment.fee_cents)
    for refund in payment.refunds.values():
        was = old.refunds.get(refund.refund_id) if old else None
        booked = was is not None and was.status != "failed"
        if refund.status != "failed" and not booked:
            yield line("refund", refund.refund_id, refund.observed_at, -refund.amount_cents, refund.reason)
        elif refund.status == "failed" and booked:
            yield line("refund_failed", refund.refund_id, refund.observed_at, refund.amount_cents)
    for dispute in payment.disputes.values():
        previous = old.disputes.get(dispute.dispute_id) if old else None
        withdrawn = previous is not None and previous.status in ("open", "lost")
        if dispute.status in ("open", "lost") and not withdrawn:
            yield line("dispute", dispute.dispute_id, dispute.observed_at, -dispute.amount_cents, dispute.reason)
        elif dispute.status not in ("open", "lost") and withdrawn:
            yield line("dispute_won", dispute.dispute_id, dispute.observed_at, dispute.amount_cents)


def mrr(account: Account, catalogue: Catalogue, now: int) -> Mapping[str, tuple[int, Subscription | Purchase]]:
    """Monthly recurring revenue per currency, with the record that brings the most of it.

    Counted are subscriptions that pay or are being dunned (active, past_due), not trials; and prepaid terms that run
    at `now`. The price is the plan version's, not what one invoice happened to say.
    """
    totals: dict[str, tuple[int, Subscription | Purchase]] = {}
    paying: list[tuple[Subscription | Purchase, int]] = [
        (s, s.quantity) for s in account.subscriptions if s.status in ("active", "past_due")
    ]
    paying += [(run.term, 1) for run in term_runs(account, catalogue) if run.start <= now < run.end]
    for record, quantity in paying:
        plan = catalogue.get(record.plan_id, record.plan_version)
        if plan is None:
            continue
        amount = monthly(plan.price_cents * quantity, plan.interval)
        if amount:
            total, top = totals.get(plan.currency, (0, record))
            totals[plan.currency] = (total + amount, top)
    return totals


def _mrr_lines(before: Account, after: Account, catalogue: Catalogue, now: int) -> Iterator[LedgerEntry]:
    was, is_ = mrr(before, catalogue, now), mrr(after, catalogue, now)
    for currency in sorted({*was, *is_}):
        old, new = was.get(currency, (0, None))[0], is_.get(currency, (0, None))[0]
        if old == new:
            continue
        record = (is_.get(currency) or was[currency])[1]
        if old == 0:
            movement: Movement = "reactivation" if _recurred_before(before) else "new"
        elif new == 0:
            movement = "churn"
        else:
            movement = "expansion" if new > old else "contraction"
        subject = record.subscription_id if isinstance(record, Subscription) else record.purchase_id
        yield LedgerEntry(
            entry_id=f"mrr:{after.version}:{currency}",
            at=now,
            kind="mrr",
            amount_cents=new - old,
            currency=currency,
            provider=record.provider,
            plan_id=record.plan_id,
            object_id=subject,
            movement=movement,
            reason=_churn_reason(after, record) if movement == "churn" else None,
        )


def _recurred_before(account: Account) -> bool:
    return any(s.payments for s in account.subscriptions) or any(t.paid for t in account.terms)


def _churn_reason(after: Account, record: Subscription | Purchase) -> str | None:
    """Why it ended, in the closed words of the record as it is now."""
    latest = after.records.get(record.record)
    return latest.cancel_reason if isinstance(latest, Subscription) else "term_ended"
