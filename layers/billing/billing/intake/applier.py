"""Applies facts to one account: reads what is missing, applies, and commits in one transaction, once.

The same path serves the queue, the return from a checkout, reconciliation and replay, so that they cannot disagree.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from billing.data import replace
from billing.errors import NotOurs, Parked, ProviderError, Unordered
from billing.providers import PREPAID
from billing.providers.interface import Client
from billing.rules.apply import apply, paid_plans, sold
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import DunningFact, Fact, PaymentFact, PurchaseFact, Ref, SubscriptionFact
from billing.rules.plans import Catalogue
from billing.rules.records import TERMINAL, Account
from billing.store.accounts import AccountStore
from billing.store.dynamodb import Duplicate, ForeignLink
from billing.store.payment_events import PaymentEvent
from billing.store.plans import PlanStore

Outcome = Literal["applied", "unchanged", "duplicate"]
# How often the owner may turn out to be another account before this gives up.
_OWNERS = 3
# A fact may need an object read first, whose facts may need another one; a chain longer than this is a fault.
_READS = 4


class Applier:
    """`client(provider)` gives the calls toward a provider; it is only asked for when an object must be read. `moves`:
    whether records that are over leave the range that every request reads: see `rules/ended.py`."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        client: Callable[[str], Client],
        *,
        moves: bool = False,
    ) -> None:
        self._moves = moves
        self._accounts = accounts
        self._plans = plans
        self._client = client

    def apply(
        self, user_id: str, provider: str, facts: Sequence[Fact], now: int, event: PaymentEvent | None = None
    ) -> Outcome:
        """Applies facts to an account and commits, together with the event that they come from, if any. Raises `Parked`
        when they name something that is not on record yet, and `TryAgain` when others kept writing the same account;
        then nothing was written."""
        outcome: Outcome = "unchanged"

        def decide(before: Account) -> Consequences:
            nonlocal outcome
            if event is not None and before.knows(event.event_id):
                raise Duplicate
            after, catalogue = self._apply_all(before, provider, facts, now)
            outcome = "unchanged" if after is before else "applied"
            return consequences(before, after, catalogue, now, moves=self._moves)

        def settled(decided: Consequences) -> PaymentEvent:
            assert event is not None
            return _of_account(event, decided.after, outcome)

        for _ in range(_OWNERS):
            try:
                self._accounts.change(user_id, decide, settled if event else None)
            except Duplicate:
                return "duplicate"
            except ForeignLink as foreign:
                # The metadata was edited by hand: the link that we wrote ourselves decides.
                link_provider, _, object_id = foreign.link.partition("#")
                user_id = self._accounts.owner(link_provider, [object_id]) or user_id
            else:
                return outcome
        raise Parked(f"{provider} {', '.join(_ids_of(facts))} belong to several users", "several_owners")

    def event_of(self, user_id: str, event: PaymentEvent, outcome: Outcome) -> PaymentEvent:
        """The event as it is stored with the account that it changed."""
        return _of_account(event, self._accounts.load(user_id), outcome)

    def read(self, provider: str, ref: Ref, event_time: int, now: int) -> list[Fact]:
        """An object as it is now, at least as new as the event (Unix seconds) that made us read it.

        Bitcoin providers are always read, and dated by our clock, so that a server's clock that was ahead yesterday
        cannot make today's answer the older one. Raises `NotOurs` for an object that is gone and that nobody here ever
        had: another product's, or of a deleted test clock.
        """
        if ref.kind == "customer":
            ids = self._subscriptions_of(provider, ref.id)
            return [fact for one in ids for fact in self.read(provider, Ref("subscription", one), event_time, now)]
        try:
            read = self._client(provider).read(ref, now)
        except ProviderError as refused:
            if refused.extensions.get("reason") == "resource_missing" and not self._accounts.owner(provider, [ref.id]):
                raise NotOurs(f"not ours: {provider} {ref.kind} {ref.id} is gone, and was nobody's here") from refused
            raise
        if provider in PREPAID:
            return list(read)
        return [replace(fact, observed_at=max(fact.observed_at, event_time)) for fact in read]

    def _subscriptions_of(self, provider: str, customer_id: str) -> list[str]:
        """The live subscriptions of a customer that are on record here: what else they buy there is not ours."""
        user_id = self._accounts.owner(provider, [customer_id])
        subscriptions = self._accounts.load(user_id).subscriptions if user_id else ()
        theirs = [s for s in subscriptions if (s.provider, s.customer_id) == (provider, customer_id)]
        return [s.subscription_id for s in theirs if s.status not in TERMINAL]

    def refresh(self, user_id: str, provider: str, ref: Ref, now: int) -> None:
        """Reads a user's object and applies its state, after we changed it at the provider."""
        self.apply(user_id, provider, self.read(provider, ref, 0, now), now)

    def user_of(self, provider: str, facts: Sequence[Fact], now: int) -> str:
        """Whose they are: by our metadata, else by the link we wrote, else by what the provider says of the object.
        Raises `NotOurs` when nothing names a user, or only something that others may write too, and nothing was sold at
        a price of ours; `Parked` when something was sold: then a person has to find the owner."""
        if provider in PREPAID:
            return self._orderer(provider, facts)
        owner = self._owner(provider, facts)
        if owner is None:
            refs = dict.fromkeys(ref for fact in facts for ref in _about(fact))
            read = [fact for ref in refs for fact in self.read(provider, ref, 0, now)]
            owner = self._owner(provider, read)
            if owner is None:
                names = f"{provider} {', '.join(_ids_of(facts))}"
                if self._is_foreign([*facts, *read]):
                    raise NotOurs(f"not ours: no user and no plan stands behind {names}")
                owner = _named_user([*facts, *read])
            if owner is None:
                raise Parked(f"no user is known for {names}", "unknown_user")
        return owner

    def _orderer(self, provider: str, facts: Sequence[Fact]) -> str:
        """Whose order an invoice in bitcoin is: by our own record of it, never by what the invoice says alone.

        Raises `NotOurs` for one that nobody here opened, and `Unordered` where it names a user of ours all the same.
        """
        owner = self._accounts.owner(provider, _ids_of(facts))
        if owner is not None:
            return owner
        names = f"{provider} {', '.join(_ids_of(facts))}"
        named = next((fact for fact in facts if isinstance(fact, PurchaseFact) and fact.user_id), None)
        if named is not None and named.user_id:
            account = self._accounts.load(named.user_id)
            if any(checkout.checkout_id == named.checkout_id for checkout in account.checkouts):
                return account.user_id
            if account.version:
                raise Unordered(f"{names} names user {account.user_id}, who has no such order: not opened here")
        raise NotOurs(f"not ours: no order of ours stands behind {names}")

    def _owner(self, provider: str, facts: Sequence[Fact]) -> str | None:
        """The user whom the facts name, if they also bear a mark of ours; else the owner of their ids. A user's id
        alone is no such mark, because other products write one too; a checkout's id or a plan's price is."""
        named = _named_user(facts)
        if named and (_is_marked(facts) or _is_sold_here(facts, self._plans.catalogue())):
            return named
        return self._accounts.owner(provider, _ids_of(facts))

    def _is_foreign(self, facts: Sequence[Fact]) -> bool:
        """Whether these facts, with all that the provider says about their objects, concern nothing that we sell.
        Whatever we sell once carries its user, so without one there are only subscriptions to look at."""
        subscriptions = [fact for fact in facts if isinstance(fact, SubscriptionFact)]
        if _is_sold_here(subscriptions, self._plans.catalogue(fresh=True)):
            return False
        return bool(subscriptions) or not any(isinstance(fact, PaymentFact | DunningFact) for fact in facts)

    def account_after(self, account: Account, provider: str, facts: Sequence[Fact], now: int) -> Account:
        """The account as these facts would leave it; nothing is written."""
        return self._apply_all(account, provider, facts, now)[0]

    def _apply_all(self, account: Account, provider: str, facts: Sequence[Fact], now: int) -> tuple[Account, Catalogue]:
        """With the cached catalogue, or with a fresh one if that lacks a plan that the facts name."""
        try:
            return self._fold(account, provider, facts, now), self._plans.catalogue()
        except Parked:
            self._plans.catalogue(fresh=True)
            return self._fold(account, provider, facts, now), self._plans.catalogue()

    def _fold(self, account: Account, provider: str, facts: Sequence[Fact], now: int) -> Account:
        for fact in facts:
            account = self._apply_one(account, provider, fact, now)
        return account

    def _catalogue(self, fact: Fact) -> Catalogue:
        """The cached catalogue, unless the fact names a version that is newer than it."""
        catalogue = self._plans.catalogue()
        if all(catalogue.get(*named) for named in _named(fact)):
            return catalogue
        return self._plans.catalogue(fresh=True)

    def _apply_one(self, account: Account, provider: str, fact: Fact, now: int, reads: int = _READS) -> Account:
        """`reads`: how many more objects may be read for this fact and for the facts that those reads bring."""
        result = apply(account, fact, self._catalogue(fact))
        if isinstance(result, Account):
            return result
        try:
            answers = self.read(provider, result, fact.observed_at, now) if reads else []
        except NotOurs as gone:  # its owner is known, so it cannot be dropped: a person has to look
            raise Parked(str(gone), "not_known_yet") from gone
        for answer in answers:
            # Read after the account was, so it settles a tie of two states of one second.
            newest = replace(answer, reread=True) if isinstance(answer, SubscriptionFact) else answer
            account = self._apply_one(account, provider, newest, now, reads - 1)
        if answers and isinstance(fact, SubscriptionFact) and result in _about(fact):
            return account  # the answer replaces the fact that could not be ordered
        result = apply(account, fact, self._catalogue(fact))
        if isinstance(result, Account):
            return result
        raise Parked(
            f"{provider} {result.kind} {result.id} is not known yet, and reading it did not help", "not_known_yet"
        )


def _of_account(event: PaymentEvent, account: Account, outcome: Outcome) -> PaymentEvent:
    """The event as it is stored. For an erased or unknown user only that it came."""
    if account.erased:
        return replace(event, outcome=outcome, user_id=account.user_id, payload={})
    if outcome == "unchanged" and account.version == 0:
        return replace(event, outcome=outcome, user_id=None, payload={})
    return replace(event, outcome=outcome, user_id=account.user_id)


def _named(fact: Fact) -> list[tuple[str, int]]:
    """The plan versions that a fact names."""
    pairs = [
        (getattr(fact, f"{kind}plan_id", None), getattr(fact, f"{kind}plan_version", None))
        for kind in ("", "scheduled_")
    ]
    return [(plan_id, version) for plan_id, version in pairs if plan_id and version]


def _named_user(facts: Sequence[Fact]) -> str | None:
    return next((fact.user_id for fact in facts if fact.user_id), None)


def _is_marked(facts: Sequence[Fact]) -> bool:
    """Whether they name a checkout of ours. One-time sales of ours always do; other products' subscriptions may look
    like ours."""
    recurring = [fact for fact in facts if isinstance(fact, SubscriptionFact | PaymentFact | DunningFact)]
    return not recurring or any(getattr(fact, "checkout_id", None) for fact in facts)


def _is_sold_here(facts: Sequence[Fact], plans: Catalogue) -> bool:
    """Whether one of their prices is a plan's."""
    priced = [fact for fact in facts if isinstance(fact, SubscriptionFact | PaymentFact)]
    if any(plans.behind(f.provider, f.price_id or "", f.plan_id, f.plan_version) for f in priced):
        return True
    return any(sold(f, plans) if isinstance(f, SubscriptionFact) else paid_plans(f, plans) for f in priced)


def _about(fact: Fact) -> list[Ref]:
    """The object at the provider that a fact describes."""
    if subscription_id := getattr(fact, "subscription_id", None):
        return [Ref("subscription", subscription_id)]
    if payment_ref := getattr(fact, "payment_ref", None):
        return [Ref("payment", payment_ref)]
    return []


def _ids_of(facts: Sequence[Fact]) -> list[str]:
    """The provider's ids that may lead to the owner of facts, of each fact the most specific first."""
    names = ("subscription_id", "purchase_id", "payment_ref", "payment_id", "customer_id")
    ids = (getattr(fact, name, None) for fact in facts for name in names)
    return list(dict.fromkeys(value for value in ids if value))
