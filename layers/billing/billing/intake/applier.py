"""Facts to their effect on one account: find what is missing, apply, commit in one transaction, once.

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
from billing.rules.records import Account
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEvent
from billing.store.plans import PlanStore
from billing.store.transactions import Duplicate, ForeignLink

Outcome = Literal["applied", "unchanged", "duplicate"]
# How often the account to apply to may turn out to be another one.
_OWNERS = 3
# A fact may need an object read first, whose facts may need another one; a chain longer than this is a fault.
_READS = 4


class Applier:
    """`client(provider)` gives the calls toward a provider; it is only asked for when an object must be read."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        client: Callable[[str], Client],
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._client = client

    def apply(
        self, user_id: str, provider: str, facts: Sequence[Fact], now: int, event: PaymentEvent | None = None
    ) -> Outcome:
        """Applies facts to an account and commits, with the event that told them, if one did.

        Raises `Parked` when something they speak of is not known yet, and `TryAgain` when others
        wrote the same account all the time; then nothing was written.
        """
        outcome: Outcome = "unchanged"

        def decide(before: Account) -> Consequences:
            nonlocal outcome
            if event is not None and before.knows(event.event_id):
                raise Duplicate
            after, catalogue = self._apply_all(before, provider, facts, now)
            outcome = "unchanged" if after is before else "applied"
            return consequences(before, after, catalogue, now)

        def settled(decided: Consequences) -> PaymentEvent:
            assert event is not None
            return _of_account(event, decided.after, outcome)

        for _ in range(_OWNERS):
            try:
                self._accounts.change(user_id, decide, settled if event else None)
            except Duplicate:
                return "duplicate"
            except ForeignLink as foreign:
                # Metadata was edited by hand: what we wrote ourselves says whose it is.
                link_provider, _, object_id = foreign.link.partition("#")
                user_id = self._accounts.owner(link_provider, [object_id]) or user_id
            else:
                return outcome
        raise Parked(f"{provider} {', '.join(_ids_of(facts))} belong to several users", "several_owners")

    def event_of(self, user_id: str, event: PaymentEvent, outcome: Outcome) -> PaymentEvent:
        """The event as it is kept with the user whose account it changed."""
        return _of_account(event, self._accounts.load(user_id), outcome)

    def read(self, provider: str, ref: Ref, event_time: int, now: int) -> list[Fact]:
        """An object as it is now. It is at least as new as the event (Unix seconds) that made us ask.

        Of bitcoin everything that counts is read, so that its order is the order of our questions: a server's clock
        that was ahead yesterday must not make today's answer the older one. Raises `NotOurs` for one that is gone and
        that nobody here ever had: another product's, of a deleted test clock.
        """
        try:
            read = self._client(provider).read(ref, now)
        except ProviderError as refused:
            if refused.extensions.get("reason") == "resource_missing" and not self._accounts.owner(provider, [ref.id]):
                raise NotOurs(f"not ours: {provider} {ref.kind} {ref.id} is gone, and was nobody's here") from refused
            raise
        if provider in PREPAID:
            return list(read)
        return [replace(fact, observed_at=max(fact.observed_at, event_time)) for fact in read]

    def refresh(self, user_id: str, provider: str, ref: Ref, now: int) -> None:
        """Reads an object of a user and applies what it says: after we changed it at the provider."""
        self.apply(user_id, provider, self.read(provider, ref, 0, now), now)

    def user_of(self, provider: str, facts: Sequence[Fact], now: int) -> str:
        """Our metadata, else the link we wrote, else what the provider says of the object the fact is about.

        Raises `NotOurs` when nothing names a user, or only something that others may write too, and nothing was sold
        at a price of ours; and `Parked` when something was sold: then somebody has to say whose it is.
        """
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
        """Whom the facts name, if they bear a mark of ours as well; else whose their ids are.

        A user's id alone is no such mark, because other products write one too, but a checkout's or a plan's price is.
        """
        named = _named_user(facts)
        if named and (_is_marked(facts) or _is_sold_here(facts, self._plans.catalogue())):
            return named
        return self._accounts.owner(provider, _ids_of(facts))

    def _is_foreign(self, facts: Sequence[Fact]) -> bool:
        """Whether these facts, with all that the provider says about them, speak of nothing that we sell.

        Everything that we sell once carries its user, so without one there are only subscriptions to look at.
        """
        subscriptions = [fact for fact in facts if isinstance(fact, SubscriptionFact)]
        if _is_sold_here(subscriptions, self._plans.catalogue(fresh=True)):
            return False
        return bool(subscriptions) or not any(isinstance(fact, PaymentFact | DunningFact) for fact in facts)

    def account_after(self, account: Account, provider: str, facts: Sequence[Fact], now: int) -> Account:
        """The account as these facts would leave it; nothing is written."""
        return self._apply_all(account, provider, facts, now)[0]

    def _apply_all(self, account: Account, provider: str, facts: Sequence[Fact], now: int) -> tuple[Account, Catalogue]:
        """With the catalogue at hand, or, should it lack what the facts speak of, with a fresh one."""
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
        """The copy at hand, unless the fact names a version that is newer than it."""
        catalogue = self._plans.catalogue()
        if all(catalogue.get(*named) for named in _named(fact)):
            return catalogue
        return self._plans.catalogue(fresh=True)

    def _apply_one(self, account: Account, provider: str, fact: Fact, now: int, reads: int = _READS) -> Account:
        """`reads`: how many more objects may be read for this fact and for what those reads tell."""
        result = apply(account, fact, self._catalogue(fact))
        if isinstance(result, Account):
            return result
        try:
            told = self.read(provider, result, fact.observed_at, now) if reads else []
        except NotOurs as gone:  # the fact has its owner: a person has to look
            raise Parked(str(gone), "not_known_yet") from gone
        for answer in told:
            # Read after the account was: it settles a tie, which an answer read before that could not.
            newest = replace(answer, reread=True) if isinstance(answer, SubscriptionFact) else answer
            account = self._apply_one(account, provider, newest, now, reads - 1)
        if told and isinstance(fact, SubscriptionFact) and result in _about(fact):
            return account  # the answer stands in for the fact that could not be ordered
        result = apply(account, fact, self._catalogue(fact))
        if isinstance(result, Account):
            return result
        raise Parked(
            f"{provider} {result.kind} {result.id} is not known yet, and reading it did not help", "not_known_yet"
        )


def _of_account(event: PaymentEvent, account: Account, outcome: Outcome) -> PaymentEvent:
    """The event as it is kept. Of one who was erased, or of whom nothing is known, it is only kept that it came."""
    if account.erased:
        return replace(event, outcome=outcome, user_id=account.user_id, payload={})
    if outcome == "unchanged" and account.version == 0:
        return replace(event, outcome=outcome, user_id=None, payload={})
    return replace(event, outcome=outcome, user_id=account.user_id)


def _named(fact: Fact) -> list[tuple[str, int]]:
    """The plan versions a fact speaks of by name."""
    pairs = [
        (getattr(fact, f"{kind}plan_id", None), getattr(fact, f"{kind}plan_version", None))
        for kind in ("", "scheduled_")
    ]
    return [(plan_id, version) for plan_id, version in pairs if plan_id and version]


def _named_user(facts: Sequence[Fact]) -> str | None:
    return next((fact.user_id for fact in facts if fact.user_id), None)


def _is_marked(facts: Sequence[Fact]) -> bool:
    """Whether they carry a checkout of ours. One-time sales always do; it is subscriptions that others name alike."""
    recurring = [fact for fact in facts if isinstance(fact, SubscriptionFact | PaymentFact | DunningFact)]
    return not recurring or any(getattr(fact, "checkout_id", None) for fact in facts)


def _is_sold_here(facts: Sequence[Fact], plans: Catalogue) -> bool:
    """Whether they speak of a price of a plan, among several perhaps."""
    priced = [fact for fact in facts if isinstance(fact, SubscriptionFact | PaymentFact)]
    if any(plans.behind(f.provider, f.price_id or "", f.plan_id, f.plan_version) for f in priced):
        return True
    return any(sold(f, plans) if isinstance(f, SubscriptionFact) else paid_plans(f, plans) for f in priced)


def _about(fact: Fact) -> list[Ref]:
    """The object at the provider a fact speaks of."""
    if subscription_id := getattr(fact, "subscription_id", None):
        return [Ref("subscription", subscription_id)]
    if payment_ref := getattr(fact, "payment_ref", None):
        return [Ref("payment", payment_ref)]
    return []


def _ids_of(facts: Sequence[Fact]) -> list[str]:
    """The provider's ids by which the owner of facts may be known, of each fact the most telling first."""
    names = ("subscription_id", "purchase_id", "payment_ref", "payment_id", "customer_id")
    found = (getattr(fact, name, None) for fact in facts for name in names)
    return list(dict.fromkeys(value for value in found if value))
