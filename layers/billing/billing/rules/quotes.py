"""What a plan costs one buyer: what is due now and next, until when it gives access, what it runs beside.

One answer, for the page that shows it and for the checkout that asks for it: a quote's id names its terms, so that a
checkout which carries the id asks for what was shown, or is refused.
"""

import hashlib
import json
from typing import Literal

from billing.data import dataclass
from billing.rules.access import paid_for, term_runs, windows
from billing.rules.entitlements import Entitlement, evaluate, sources
from billing.rules.money import monthly
from billing.rules.plans import Catalogue, FeatureValue, Plan, feature
from billing.rules.records import LIVE, Account, Payment, Subscription, Term
from billing.rules.terms import Run, add_interval
from billing.rules.times import DAY

ChangeKind = Literal["upgrade", "downgrade", "switch"]
Move = Literal["buy", "current", "upgrade", "downgrade", "switch", "owned", "free"]
ObstacleCode = Literal["already_subscribed", "already_purchased", "payment_on_its_way"]
ChangeBlock = Literal["payment_open", "payment_disputed", "cancellation_scheduled", "change_scheduled"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a plan is not sold: what the buyer has already, or is paying for now."""

    code: ObstacleCode
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What is paid already and would run beside the purchase, until `ends_at`; `renews`: it is charged again then.
    `owned`: bought once; without an end it is for good."""

    kind: Literal["card", "prepaid", "owned"]
    plan: Plan
    ends_at: int | None
    renews: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The terms of one provider. `access_until`: how far access reaches if nothing more is paid; None is for good.
    `trial_days` delay the first charge of a card, and lengthen a prepaid term. `starts_at` is later than now where the
    term begins at the end of another; `ends`: the terms that it ends early, whose rest lengthens it."""

    plan: Plan
    provider: str
    renews: bool
    due_now_cents: int
    trial_days: int
    first_charge_at: int
    starts_at: int
    access_until: int | None
    waits: bool
    overlap: Overlap | None
    ends: tuple[str, ...] = ()

    @property
    def quote_id(self) -> str:
        """The same for the same terms, whenever they are asked for."""
        overlap = self.overlap
        beside = overlap and [overlap.kind, overlap.plan.plan_id, overlap.ends_at, overlap.renews]
        terms = [self.plan.plan_id, self.plan.version, self.provider, self.plan.price_cents, self.plan.currency]
        terms += [self.due_now_cents, self.trial_days, self.starts_at if self.waits else None, beside]
        terms += self.ends
        return "quo_" + hashlib.sha256(json.dumps(terms).encode()).hexdigest()[:24]


def quote(account: Account, catalogue: Catalogue, plan: Plan, provider: str, now: int, *, prepaid: bool) -> Quote:
    """`prepaid`: the provider cannot charge again by itself."""
    days = trial_days(account, plan, provider, now, prepaid=prepaid)
    due = plan.price_cents if prepaid or not days else 0
    starts_at, until, waits = now, None, False
    ends: tuple[str, ...] = ()
    if plan.recurring and prepaid:
        run, ends = _next_run(account, catalogue, plan, provider, days, now)
        starts_at, until, waits = run.start, run.end, run.start > now
    elif plan.recurring:
        until = now + days * DAY if days else add_interval(now, plan.interval)
    elif plan.duration_days is not None:
        until = now + plan.duration_days * DAY
    return Quote(
        plan=plan,
        provider=provider,
        renews=plan.recurring and not prepaid,
        due_now_cents=due,
        trial_days=days,
        first_charge_at=now if due else now + days * DAY,
        starts_at=starts_at,
        access_until=until,
        waits=waits,
        overlap=overlap(account, catalogue, plan, now, prepaid=prepaid),
        ends=ends,
    )


def move_to(account: Account, catalogue: Catalogue, plan: Plan, in_force: Plan | None) -> Move:
    """What choosing a plan means to this buyer. `in_force`: the recurring plan that counts now."""
    subscription = live_subscription(account, catalogue, plan.group)
    if subscription is not None:
        current = catalogue.get(subscription.plan_id, subscription.plan_version)
        if subscription.plan_id == plan.plan_id:
            return "current"
        if plan.recurring and not plan.free and current is not None:
            return kind_of(current, plan)
    elif in_force is not None and in_force.plan_id == plan.plan_id:
        return "current"
    if plan.free:
        return "free"
    refusal = obstacle(account, catalogue, plan, prepaid=True)
    return "owned" if refusal and refusal.code == "already_purchased" else "buy"


def change_block(subscription: Subscription) -> ChangeBlock | None:
    """Why a live subscription cannot change its plan now. Providers credit what is left of a period to its change, at
    the plan's whole price, also where a payment for that time was taken back."""
    if subscription.status not in ("trialing", "active"):
        return "payment_open"
    if subscription.ends_at is not None:
        return "cancellation_scheduled"
    taken_back = [b for p in subscription.payments.values() if p.suspended for b in paid_for(subscription, p)]
    since = subscription.current_period_start
    return "payment_disputed" if any(bought.end > since for bought in taken_back) else None


def live_subscription(account: Account, catalogue: Catalogue, group: str) -> Subscription | None:
    """The newest subscription that occupies a group of plans."""
    live = []
    for subscription in account.subscriptions:
        plan = catalogue.get(subscription.plan_id, subscription.plan_version)
        if subscription.status in LIVE and plan is not None and plan.group == group:
            live.append(subscription)
    return max(live, key=lambda s: (s.created_at, s.subscription_id), default=None)


def obstacle(account: Account, catalogue: Catalogue, plan: Plan, *, prepaid: bool) -> Obstacle | None:
    """A second subscription in a group would bill twice; what is bought for good is not sold again. Credits add up."""
    if plan.recurring:
        current = None if prepaid else _plan_of(live_subscription(account, catalogue, plan.group), catalogue)
        return Obstacle("already_subscribed", current) if current else None
    for purchase in account.purchases:
        # A bank debit is decided days after its page was closed. An invoice that nobody has paid yet just expires.
        debited = purchase.state == "pending" and purchase.expires_at is None
        if purchase.plan_id == plan.plan_id and debited:
            return Obstacle("payment_on_its_way", plan)
    if plan.duration_days is None:
        if not plan.gives_credits and any(r.plan_id == plan.plan_id and r.closed is None for r in account.redemptions):
            return Obstacle("already_purchased", plan)
        for purchase in account.purchases:
            had = purchase.status in ("paid", "partially_refunded") and not plan.gives_credits
            if purchase.plan_id == plan.plan_id and had:
                return Obstacle("already_purchased", plan)
            waits = purchase.undecided and purchase.unbought_cents >= purchase.amount_cents
            if purchase.plan_id == plan.plan_id and (purchase.state == "processing" or waits):
                return Obstacle("payment_on_its_way", plan)
    return None


def overlap(account: Account, catalogue: Catalogue, plan: Plan, now: int, *, prepaid: bool) -> Overlap | None:
    """What is sold in different ways may run side by side, but nobody should pay for both without knowing it."""
    if owned := _owned(account, catalogue, plan, now):
        return owned
    if prepaid or not plan.recurring:
        subscription = live_subscription(account, catalogue, plan.group)
        current = _plan_of(subscription, catalogue)
        if subscription is None or current is None:
            return None
        ends_at = subscription.current_period_end
        return Overlap(kind="card", plan=current, ends_at=ends_at, renews=subscription.ends_at is None)
    runs = [run for run in term_runs(account, catalogue) if run.plan.group == plan.group and run.end > now]
    last = max(runs, key=lambda run: run.end, default=None)
    return Overlap(kind="prepaid", plan=last.plan, ends_at=last.end, renews=False) if last else None


def _owned(account: Account, catalogue: Catalogue, plan: Plan, now: int) -> Overlap | None:
    """What was bought once and still runs: any plan of the group if a recurring plan is wanted, else this very plan.
    Credits are not counted: they are used up, and run beside nothing."""
    owned = []
    for window in windows(account, catalogue):
        have = window.plan
        if window.kind not in ("purchase", "voucher") or have is None or have.recurring:
            continue
        if not window.open_at(now) or have.group != plan.group:
            continue
        used_up = have.gives_credits
        if not used_up and (plan.recurring or have.plan_id == plan.plan_id):
            owned.append(Overlap(kind="owned", plan=have, ends_at=window.until, renews=False))
    return max(owned, key=lambda o: (o.ends_at is None, o.ends_at or 0), default=None)


def included_in(account: Account, catalogue: Catalogue, plan: Plan, now: int) -> Plan | None:
    """A plan that the buyer has and that already gives all that this one would; None if it would add something.

    Of a recurring plan only a bigger one counts: the same by the year adds nothing, and is worth buying.
    """
    if plan.gives_credits:
        return None
    open_now = evaluate(sources(account, catalogue), now)
    if not plan.features or not all(_covers(open_now.get(key), value) for key, value in plan.features.items()):
        return None
    holders = {key: {s.plan_id for s in open_now[key].sources} for key in plan.features}
    live = [w.plan for w in windows(account, catalogue) if w.plan and w.open_at(now) and w.plan.plan_id != plan.plan_id]
    bigger = [p for p in live if not plan.recurring or p.rank > plan.rank]
    whole = [p for p in bigger if all(p.plan_id in names for names in holders.values())]
    return max(whole, key=lambda p: (p.recurring, p.rank), default=None)


def trial_days(account: Account, plan: Plan, provider: str, now: int, *, prepaid: bool) -> int:
    """What an order starts with: the plan's trial, once per user; in bitcoin also, once, what is left of a trial by
    card."""
    terms = _terms_beside(account, _same_order(account, plan, provider))
    trials = [s.trial_end for s in account.subscriptions if s.status == "trialing" and s.trial_end]
    if prepaid and trials and not any(term.bonus_seconds for term in terms):
        return max(0, -(-(max(trials) - now) // DAY))
    # Whoever ever had a subscription, or such a term, has had the chance.
    return 0 if terms or any(True for _ in account.subscriptions) else plan.trial_days


def kind_of(current: Plan, target: Plan) -> ChangeKind:
    """By rank; plans of one rank are a switch of interval, or else compare by price."""
    if target.rank != current.rank:
        return "upgrade" if target.rank > current.rank else "downgrade"
    if target.interval != current.interval:
        return "switch"
    now, then = (monthly(p.price_cents, p.interval) for p in (current, target))
    return "upgrade" if then >= now else "downgrade"


def _terms_beside(account: Account, own_invoice: str | None) -> list[Term]:
    """The terms that were or may still be paid; `own_invoice`, that of this very order, does not count if pending."""
    terms = (t for t in account.terms if t.purchase_id != own_invoice or t.state != "pending")
    return [t for t in terms if t.paid or t.state != "failed"]


def _same_order(account: Account, plan: Plan, provider: str) -> str | None:
    """The session of the checkout that is open for the same plan by the same provider: asking again returns it."""
    last = account.checkout_in(plan.group)
    wanted = (plan.plan_id, plan.version, provider)
    if last is None or last.status != "open" or (last.plan_id, last.plan_version, last.provider) != wanted:
        return None
    return last.session_id


def _next_run(
    account: Account, catalogue: Catalogue, plan: Plan, provider: str, days: int, now: int
) -> tuple[Run, tuple[str, ...]]:
    """Where a term would run that is paid now, and the records of those that it ends."""
    payment = Payment(payment_id="", amount_cents=plan.price_cents, currency=plan.currency, paid_at=now)
    term = Term(
        provider=provider,
        purchase_id="~",  # It is paid last, so it is laid behind all others.
        plan_id=plan.plan_id,
        plan_version=plan.version,
        state="paid",
        amount_cents=plan.price_cents,
        currency=plan.currency,
        observed_at=now,
        created_at=now,
        payment=payment,
        bonus_seconds=days * DAY,
    )
    runs = term_runs(account, catalogue, (term, plan))
    ended = sorted(run.term.record for run in runs if run.replaced and run.end == now)
    return next(run for run in runs if run.term is term), tuple(ended)


def _plan_of(subscription: Subscription | None, catalogue: Catalogue) -> Plan | None:
    return catalogue.get(subscription.plan_id, subscription.plan_version) if subscription else None


def _covers(have: Entitlement | None, wanted: FeatureValue) -> bool:
    if have is None:
        return not wanted
    return any(feature(value).covers(wanted) for value in (have.value, *have.beside))
