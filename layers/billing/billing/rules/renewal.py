"""Renewal by the buyer's own wallet: what to do next, from what is known. No clock, no network.

What counts is the provider's invoice, never the wallet's word: an error is not "not paid", and success is not "paid".
There is never a second payable invoice for a term. An invoice that a wallet has seen can be paid until its end, and for
a while after it was handed to the network; only then is there another one, or a page to pay by hand.

| what is known                                        | act                                                           |
|------------------------------------------------------|---------------------------------------------------------------|
| nothing prepaid, paused, given up                    | rest                                                          |
| more days left than agreed                           | rest until then                                               |
| the card renews in this group                        | rest for a day: nobody pays twice                             |
| the grace after the end is over                      | give up, with the last trouble as the reason                  |
| the plan is not for sale any more                    | give up                                                       |
| another plan was bought since, or it costs more      | rest for a day, say so                                        |
| a page or an invoice of the group is open by hand    | rest until it is over                                         |
| money on an invoice of the group waits for a person  | rest, say so                                                  |
| none of these                                        | open an invoice                                               |
| an invoice was asked for, the answer was lost        | ask for the same one again                                    |
| it is payable, and the wallet has not seen it        | ask the wallet                                                |
| no relay or wallet took the request, or it was busy  | ask again, three times in all, while there is time            |
| the wallet will not be asked (any more)              | void it, if no wallet has seen it                             |
| it was paid                                          | close: the term is there                                      |
| money came that did not pay it                       | rest, say so: a person decides                                |
| it ended unpaid, and its margin is over              | close: the next try after a pause that grows to a day         |
"""

from collections.abc import Iterable
from typing import Literal

from billing.data import dataclass, replace
from billing.rules.access import term_runs
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import live_subscription
from billing.rules.records import UNDER_WAY, Account, Attempt, Checkout, Mandate, Purchase, Term
from billing.rules.terms import Run
from billing.rules.times import DAY

Trouble = Literal[
    # troubles with the wallet, or the way to it
    "relay_unreachable",  # no relay of the connection could be reached, or none accepted the request
    "wallet_gone",  # the relays have no such wallet: it was removed, or never was there
    "wallet_silent",  # asked, and no answer: offline, or the answer was lost
    "wallet_busy",  # it refuses because it was asked too often
    "wallet_cannot_pay",  # it offers no payments, or no encryption that both know
    "connection_ended",  # the wallet says that the connection expired, was removed or is restricted
    "budget_used_up",
    "balance_too_low",
    "payment_failed",  # the wallet says that it tried to pay and failed
    "not_arrived",  # the wallet says that it has paid, but the provider has received nothing
    # troubles with what was agreed
    "price_raised",
    "above_ceiling",  # the price is as agreed, and at today's rate too many satoshis
    "plan_ended",
    "plan_changed",  # what ends last is of another plan than was agreed to
    "term_returned",  # the last term was paid back
    # troubles on our side
    "shop_unavailable",  # the provider was not reached, or gave an invoice that no wallet should be sent
    "payment_held",  # money waits for a person
]

# Troubles to expect, by what the buyer said of the connection.
Foreseen = Literal["connection_ends", "budget_too_small"]

# How long an invoice for a wallet can be paid: days of patience are made of many short invoices.
INVOICE_MINUTES = 20
# How long after an invoice's end a payment that was sent in the last moment may still arrive.
MARGIN = 1800
# A wallet is not asked with less than this left.
LEAST_LEFT = 180
# The Lightning invoice may be payable at most so much longer than the provider's, which is not watched after its end.
OUTLIVES = 120
MOST_ASKS = 3
_FIRST_PAUSE = 3600
_HASHES = 40
# While somebody else has to act.
_LOOK_AGAIN = 3600
SOON = 300

# After these the wallet can be asked again: it has not seen the invoice, or accepts another request for it.
_AGAIN = frozenset({"relay_unreachable", "wallet_busy"})


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until then; None: until somebody changes something."""

    until: int | None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Open this invoice; or find it, if it was asked for before."""

    number: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Check the invoice, and ask the wallet to pay it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Read the invoice at the provider."""


@dataclass(frozen=True, slots=True)
class Void:
    """No wallet has seen the invoice, and none will: end it at the provider."""


@dataclass(frozen=True, slots=True)
class Close:
    """The attempt is over. `trouble` None: it was paid, or is not wanted any more."""

    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    trouble: Trouble | None


Act = Rest | Open | Ask | Look | Void | Close | GiveUp


def next_act(account: Account, mandate: Mandate, catalogue: Catalogue, now: int) -> Act:
    if mandate.attempt is not None:
        return _of_attempt(mandate, mandate.attempt, _invoice(account, mandate.attempt), now)
    run = last_run(account, catalogue, mandate.group)
    if run is None or mandate.paused or mandate.given_up:
        return Rest(None)
    begins, until = run.end - mandate.lead_days * DAY, last_moment(run)
    if now < max(begins, mandate.retry_at or 0):
        return Rest(max(begins, mandate.retry_at or 0))
    if now >= until:
        return GiveUp(_as_trouble(mandate.trouble))
    subscription = live_subscription(account, catalogue, mandate.group)
    if subscription is not None and subscription.ends_at is None:
        return Rest(now + DAY)
    return _of_offer(account, mandate, run, catalogue, now)


def _of_offer(account: Account, mandate: Mandate, run: Run, catalogue: Catalogue, now: int) -> Act:
    plan = for_sale(catalogue, mandate)
    if plan is None:
        return GiveUp("plan_ended")
    if run.plan.plan_id != plan.plan_id:
        return Rest(min(now + DAY, last_moment(run)), "plan_changed")
    if raised(mandate, plan):
        return Rest(min(now + DAY, last_moment(run)), "price_raised")
    if held(account, catalogue, mandate.group):
        return Rest(now + _LOOK_AGAIN, "payment_held")
    by_hand = _open_by_hand(account, catalogue, mandate.group, now)
    return Open(mandate.opened + 1) if by_hand is None else Rest(by_hand)


def _of_attempt(mandate: Mandate, attempt: Attempt, invoice: Purchase | None, now: int) -> Act:
    if attempt.invoice_id is None:
        return Close(None) if mandate.paused else Open(attempt.number)
    if invoice is None:
        return Look()
    if invoice.paid:
        return Close(None)
    if _money_came(invoice):
        return Rest(now + _LOOK_AGAIN, "payment_held")
    ended = invoice.state == "failed"
    if attempt.asked_at is None:
        return _before_asking(mandate, attempt, now, ended=ended)
    if now >= attempt.payable_until + MARGIN:
        return Close(_as_trouble(attempt.outcome) or "wallet_silent") if ended else Look()
    if attempt.outcome in _AGAIN and _may_ask(mandate, attempt, now) and not ended:
        return Ask()
    return Rest(attempt.payable_until + MARGIN)


def _before_asking(mandate: Mandate, attempt: Attempt, now: int, *, ended: bool) -> Act:
    """What to do while no wallet has seen the invoice (silent is here one that did not listen): when it ends, the
    attempt is over at once."""
    if ended:
        return Close(_as_trouble(attempt.outcome) or (None if mandate.paused else "shop_unavailable"))
    if _may_ask(mandate, attempt, now) and attempt.outcome in (None, "wallet_silent", *_AGAIN):
        return Ask()
    return Void()


def _may_ask(mandate: Mandate, attempt: Attempt, now: int) -> bool:
    return not mandate.paused and attempt.asks < MOST_ASKS and now < attempt.payable_until - LEAST_LEFT


def _invoice(account: Account, attempt: Attempt) -> Purchase | None:
    return next((t for t in account.terms if t.purchase_id == attempt.invoice_id), None)


def _money_came(invoice: Purchase) -> bool:
    """What came and went back again is no reason to wait; what stands, or is on its way either way, is."""
    returning = invoice.payment and any(r.status == "pending" for r in invoice.payment.refunds.values())
    return invoice.state == "processing" or invoice.kept_cents > 0 or bool(returning)


def asks_at(mandate: Mandate, now: int) -> int | None:
    """When the wallet is asked next; None: never, or it is being asked at this moment."""
    if mandate.ends_at is None or mandate.paused or mandate.given_up or mandate.attempt is not None:
        return None
    return max(mandate.ends_at - mandate.lead_days * DAY, mandate.retry_at or 0, now)


def foreseen(account: Account, mandate: Mandate, now: int) -> Foreseen | None:
    """What will keep the wallet from paying the next term, if the buyer is right about it. It is asked all the same:
    they may have raised the budget since, or connected for longer."""
    at, said = asks_at(mandate, now), mandate.said
    if said.ends_at is not None and said.ends_at <= (now if at is None else at):
        return "connection_ends"
    last = last_sat(account)
    return "budget_too_small" if None not in (said.budget_sat, last) and said.budget_sat < last else None  # type: ignore[operator]


def last_sat(account: Account) -> int | None:
    """The price of the newest term in satoshis: what the next one will cost, roughly."""
    paid = [t for t in account.terms if t.paid and t.payment is not None and t.received_sat]
    return max(paid, key=lambda t: t.created_at).received_sat if paid else None


# --- what is known ---------------------------------------------------------------------------------------------------


def last_run(account: Account, catalogue: Catalogue, group: str) -> Run | None:
    """The term of the group that ends last."""
    runs = [run for run in term_runs(account, catalogue) if run.term.paid and run.plan.group == group]
    return max(runs, key=lambda run: run.end, default=None)


def last_moment(run: Run) -> int:
    """Until when a term that is paid still follows the last one without a gap."""
    return run.end + run.plan.grace_days * DAY


def for_sale(catalogue: Catalogue, mandate: Mandate) -> Plan | None:
    plan = catalogue.get(mandate.plan_id)
    return None if plan is None or plan.status == "archived" or plan.free or not plan.recurring else plan


def raised(mandate: Mandate, plan: Plan) -> bool:
    """Whether the plan costs more than was agreed, or is sold in another currency."""
    return plan.price_cents > mandate.price_cents or plan.currency != mandate.currency


def held(account: Account, catalogue: Catalogue, group: str) -> bool:
    """Whether money for the group waits for the network, or for a person's decision."""
    return any(t.state == "processing" or t.undecided for t in _terms_in(account, catalogue, group))


def _open_by_hand(account: Account, catalogue: Catalogue, group: str, now: int) -> int | None:
    """Until when the buyer may pay something of the group by hand; None: nothing is open."""
    ends = [
        term.expires_at + MARGIN
        for term in _terms_in(account, catalogue, group)
        if term.state in UNDER_WAY and term.expires_at is not None
    ]
    page = account.checkout_in(group)
    if page is not None and page.status in ("opening", "open"):
        ends.append(page.expires_at + MARGIN)
    return max((end for end in ends if end > now), default=None)


def _terms_in(account: Account, catalogue: Catalogue, group: str) -> Iterable[Term]:
    for term in account.terms:
        plan = catalogue.get(term.plan_id, term.plan_version)
        if plan is not None and plan.group == group:
            yield term


def paid_by_hand_from(account: Account, group: str, now: int) -> int | None:
    """From when on the group can be paid by hand; None: now. While a wallet may still pay an invoice, nobody gets
    another one. Money that has come waits for a person, and blocks nothing."""
    mandate = account.mandate_in(group)
    if mandate is None or mandate.attempt is None:
        return None
    invoice = _invoice(account, mandate.attempt)
    if invoice is not None and (invoice.paid or _money_came(invoice)):
        return None
    return max(mandate.attempt.payable_until + MARGIN, now + SOON)


# --- what becomes of the mandate -------------------------------------------------------------------------------------


def noted(mandate: Mandate, number: int, checkout: Checkout) -> Mandate:
    """The mandate once an invoice is about to be asked for."""
    attempt = Attempt(number=number, checkout_id=checkout.checkout_id, payable_until=checkout.expires_at)
    return replace(mandate, opened=number, attempt=attempt)


def asking(mandate: Mandate, attempt: Attempt, payment_hash: str, amount_sat: int, now: int) -> Mandate:
    """The mandate once the wallet is about to be asked: only whoever wrote this asks it."""
    hashes = (*(h for h in mandate.hashes if h != payment_hash), payment_hash)[-_HASHES:]
    attempted = replace(
        attempt,
        payment_hash=payment_hash,
        amount_sat=amount_sat,
        asked_at=attempt.asked_at or now,
        asks=attempt.asks + 1,
        outcome="wallet_silent",
    )
    return replace(mandate, attempt=attempted, hashes=hashes)


def closed(mandate: Mandate, trouble: Trouble | None, run: Run | None, now: int, renews_at: int | None) -> Mandate:
    """The mandate after an attempt. After a trouble the next one waits, longer each time; for a used-up budget until
    that is new, if the wallet said when."""
    over = replace(mandate, attempt=None)
    if trouble is None:
        return replace(over, trouble=None, trouble_at=None, retry_at=None, tries=0)
    tries = mandate.tries + 1
    at = now + min(DAY, _FIRST_PAUSE * 4 ** (tries - 1))
    if run is not None:
        end = last_moment(run)
        if renews_at is not None and now < renews_at < end:
            at = max(now + _FIRST_PAUSE, renews_at + SOON)
        # A pause must not reach beyond the last moment: one try is made before it.
        chance = end - INVOICE_MINUTES * 60 - MARGIN
        at = chance if at > chance > now + SOON else at
    return replace(over, trouble=trouble, trouble_at=now, retry_at=at, tries=tries)


def _as_trouble(word: str | None) -> Trouble | None:
    return word  # type: ignore[return-value]
