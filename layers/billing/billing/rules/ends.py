"""What ends, or costs money again, of all that a buyer has: when, how much then, and whose turn it is.

One list for every way to be reminded, so that a page, a calendar and a message never say different things. What goes on
by itself has no end in it: prepaid time beside a card that renews in the same group is not told of at all.

| what the buyer has                                   | ends              | act, and when money is due               |
|------------------------------------------------------|-------------------|------------------------------------------|
| card subscription that renews, changes or moves      | –                 | charged, at the end of its period        |
| … in its trial                                       | the trial's end   | charged, then                            |
| … set to end                                         | its end           | resume, while it can be taken back       |
| … that owes a payment                                | its grace's end   | fix_payment, at the next attempt         |
| time that is paid ahead, or from a voucher           | its last term's   | renew, by hand                           |
| … of a plan that is not sold any more                | its last term's   | buy, whatever is sold                    |
| … with a wallet that will be asked                   | its last term's   | wallet_pays, on the day it is asked      |
| … with a wallet that cannot, will not or did not pay | its last term's   | wallet_trouble, by hand                  |
| bought once, or a voucher, for a number of days      | its end           | buy                                      |
| for good; refunded; not begun; a grant of the seller | nothing is told   |                                          |
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from billing.data import dataclass
from billing.rules.access import term_runs
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import VOUCHER, Account, Mandate, Renewal, Subscription
from billing.rules.renewal import GiveUp, Rest, asks_at, foreseen, next_act
from billing.rules.standing import Standing, actions_of, next_of, owes, standings

Kind = Literal["subscription", "trial", "prepaid", "voucher", "purchase"]
Act = Literal["renew", "wallet_pays", "wallet_trouble", "charged", "resume", "fix_payment", "buy", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What lies ahead of one thing. `key` names the thing, and stays the same when it is renewed. `ends_at` None: it
    goes on by itself. `due_at`: when money is charged without the buyer doing anything; None: never, or right now.
    `amount_cents`: what going on costs. `group`: that of the plans it is renewed in."""

    kind: Kind
    key: str
    plan: Plan | None
    plan_id: str
    act: Act
    ends_at: int | None = None
    due_at: int | None = None
    amount_cents: int | None = None
    currency: str = "USD"
    group: str | None = None


def ahead(
    account: Account, catalogue: Catalogue, now: int, stand: Mapping[tuple[str, str], Standing] | None = None
) -> list[Ahead]:
    """The soonest first. `stand`: the standings at that moment, where the caller has them already."""
    stand = standings(account, catalogue, now) if stand is None else stand
    ends: list[Ahead] = []
    for subscription in account.subscriptions:
        next_end = _of_subscription(subscription, catalogue, stand["subscription", subscription.subscription_id], now)
        ends += [next_end] if next_end is not None else []
    paid = {run.term.purchase_id for run in term_runs(account, catalogue)}
    for end in account.renewals:
        # What was refunded, or is disputed, is paid ahead no more.
        if end.ends_at > now and end.purchase_id in paid and not renewed_by_card(account, end.group, catalogue):
            ends.append(_of_renewal(account, end, catalogue, now))
    ends += _of_bought_once(account, catalogue, stand)
    return sorted(ends, key=lambda one: (one.ends_at or one.due_at or now, one.key))


def renewed_by_card(account: Account, group: str, catalogue: Catalogue) -> bool:
    """Whether a card goes on paying in a group of plans: the end of prepaid time there needs no reminder."""
    for subscription in account.subscriptions:
        plan = catalogue.get(subscription.plan_id, subscription.plan_version)
        paid = subscription.status in ("trialing", "active") and subscription.begun and not owes(subscription)
        if paid and subscription.ends_at is None and plan is not None and plan.group == group:
            return True
    return False


def _of_subscription(subscription: Subscription, catalogue: Catalogue, standing: Standing, now: int) -> Ahead | None:
    plan = catalogue.get(subscription.plan_id, subscription.plan_version)
    following = next_of(subscription, plan, catalogue, standing, now)
    currency = subscription.currency or (plan.currency if plan else "USD")
    ends_at: int | None = None
    act: Act = "charged"
    if following.kind == "ends":
        ends_at, act = standing.access_until, "resume" if "resume" in actions_of(subscription) else "none"
    elif following.kind in ("retries", "due"):
        ends_at, act = standing.access_until, "fix_payment"
    elif following.kind == "first_charge":
        ends_at = following.at
    elif following.kind not in ("renews", "changes", "moves"):
        return None
    if act != "charged" and (ends_at is None or ends_at <= now or not standing.open):
        return None
    shown = following.plan or plan
    return Ahead(
        kind="trial" if subscription.status == "trialing" else "subscription",
        key=subscription.record,
        plan=shown,
        plan_id=shown.plan_id if shown else subscription.plan_id,
        act=act,
        ends_at=ends_at,
        due_at=None if following.kind == "ends" else following.at,
        amount_cents=following.amount_cents,
        currency=following.plan.currency if following.plan else currency,
    )


def _of_renewal(account: Account, end: Renewal, catalogue: Catalogue, now: int) -> Ahead:
    sold = catalogue.get(end.plan_id)
    if sold is not None and (sold.status == "archived" or sold.free or not sold.recurring):
        sold = None
    mandate = account.mandate_in(end.group)
    act: Act = "renew" if sold is not None else "buy"
    due_at = None
    if mandate is not None and not mandate.removed and not mandate.paused:
        act, due_at = _by_wallet(account, mandate, catalogue, now)
    return Ahead(
        kind="voucher" if end.provider == VOUCHER else "prepaid",
        key=end.record,
        plan=sold or catalogue.get(end.plan_id, end.plan_version),
        plan_id=end.plan_id,
        act=act,
        ends_at=end.ends_at,
        due_at=due_at,
        amount_cents=sold.price_cents if sold else None,
        currency=sold.currency if sold else "USD",
        group=end.group if sold else None,
    )


def _by_wallet(account: Account, mandate: Mandate, catalogue: Catalogue, now: int) -> tuple[Act, int | None]:
    """Whether the wallet will be asked, by what is known today: a price that was raised prevents it on that day too."""
    if mandate.attempt is not None and mandate.trouble is None:
        return "wallet_pays", None
    at = asks_at(mandate, now)
    if not mandate.renews or at is None or foreseen(account, mandate, now) is not None:
        return "wallet_trouble", None
    then = next_act(account, mandate, catalogue, at)
    stopped = isinstance(then, GiveUp) or (isinstance(then, Rest) and then.trouble is not None)
    return ("wallet_trouble", None) if stopped else ("wallet_pays", at)


def _of_bought_once(
    account: Account, catalogue: Catalogue, stand: Mapping[tuple[str, str], Standing]
) -> Iterator[Ahead]:
    things: list[tuple[Kind, str, str, str | None, int | None]] = [
        ("purchase", p.purchase_id, p.record, p.plan_id, p.plan_version) for p in account.purchases
    ]
    things += [("voucher", r.redemption_id, r.record, r.plan_id, r.plan_version) for r in account.redemptions]
    for kind, named, key, plan_id, version in things:
        standing = stand[kind, named]
        plan = catalogue.get(plan_id, version) if plan_id is not None else None
        if plan is None or plan.recurring or not standing.open or standing.access_until is None:
            continue
        sold = catalogue.get(plan.plan_id)
        act: Act = "buy" if sold is not None and sold.status == "active" else "none"
        yield Ahead(
            kind=kind,
            key=key,
            plan=plan,
            plan_id=plan.plan_id,
            act=act,
            ends_at=standing.access_until,
            amount_cents=sold.price_cents if sold and act == "buy" else None,
            currency=sold.currency if sold else plan.currency,
        )
