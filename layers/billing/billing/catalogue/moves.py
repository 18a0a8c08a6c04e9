"""Moving existing subscribers to the newest version of their plan: started by an admin, gradual, with stop and undo.

A move goes through the provider's live subscriptions in rounds and schedules the new version for each subscriber's next
period. A subscriber with less notice than the move promises, in a trial or with an unpaid invoice waits for a later
round.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

from billing.data import dataclass, replace
from billing.errors import Conflict, NotFound, Parked, ProviderError, ProviderUnavailable
from billing.intake.applier import Applier
from billing.providers import PROVIDERS, renewing_client
from billing.providers.interface import Client
from billing.rules.facts import Ref, SubscriptionFact
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import LIVE, Subscription
from billing.rules.rollout import place
from billing.rules.times import DAY
from billing.store.accounts import AccountStore
from billing.store.moves import Entry, Move, MoveOutcome, MoveStore
from billing.store.plans import PlanStore

# Seconds between two rounds.
ROUND_SECONDS = 20 * 3600
_PAGE = 100

Verdict = Literal["move", "arranged", "later", "leave", "other_currency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A live subscription on an older version, and what a move would do with it."""

    user_id: str
    subscription: Subscription
    verdict: Verdict


class Mover:
    """Carries out moves."""

    def __init__(
        self,
        moves: MoveStore,
        accounts: AccountStore,
        plans: PlanStore,
        applier: Applier,
        client: Callable[[str], Client],
        offered: Sequence[str],
    ) -> None:
        self._moves = moves
        self._accounts = accounts
        self._plans = plans
        self._applier = applier
        self._client = client
        self._renewing = partial(renewing_client, client)
        self._providers = [name for name in offered if PROVIDERS[name].renews]

    def run(self, now: int, out_of_time: Callable[[], bool] = lambda: False) -> list[Move]:
        """Work on every open move, forward up to its `per_hour` changes, and return their new states.

        If a provider does not answer, the other moves still run; `ProviderUnavailable` is raised at the end.
        """
        done = []
        unavailable: ProviderUnavailable | None = None
        for move in self._moves.all():
            try:
                if move.status == "running" and now - move.swept_at >= ROUND_SECONDS:
                    done.append(self._advance(move, now, out_of_time))
                elif move.status == "undoing":
                    done.append(self._undo(move, now, out_of_time))
            except Conflict as stopped:
                if stopped.code != "move_changed":
                    raise
            except ProviderUnavailable as error:
                unavailable = error
        if unavailable is not None:
            raise unavailable
        return done

    def survey(self, plan_id: str, to_version: int, *, percent: int, notice_days: int, now: int) -> Counter[Verdict]:
        """Count what a move would do with the provider's live subscriptions. Changes nothing."""
        catalogue = self._plans.catalogue(fresh=True)
        target = target_of(catalogue, plan_id, to_version)
        counts: Counter[Verdict] = Counter()
        for provider in self._providers:
            after: str | None = ""
            while after is not None:
                facts, after = self._renewing(provider).subscriptions(after or None, None, now)
                within = self._older(facts, catalogue, target, percent)
                counts.update(c.verdict for c in self._judge(within, catalogue, target, notice_days, now))
        return counts

    # --- forward -----------------------------------------------------------------------------------------------------

    def _advance(self, move: Move, now: int, out_of_time: Callable[[], bool]) -> Move:
        catalogue = self._plans.catalogue(fresh=True)
        target = target_of(catalogue, move.plan_id, move.to_version)
        left = move.per_hour
        while left > 0 and not out_of_time():
            provider, _, start = (move.cursor or f"{self._providers[0]}#").partition("#")
            facts, after = self._renewing(provider).subscriptions(start or None, None, now)
            waiting = 0 if move.cursor is None else move.waiting
            within = self._older(facts, catalogue, target, move.percent)
            for candidate in self._judge(within, catalogue, target, move.notice_days, now):
                if candidate.verdict == "later":
                    waiting += 1
                elif left <= 0 or out_of_time():
                    return move  # the page is read again next time; moved ones are "arranged" then
                else:
                    move, asks = self._move(move, candidate, catalogue, target, now)
                    left -= asks
            cursor = self._next_cursor(provider, after)
            if cursor is None:
                status = "running" if waiting else "done"
                return self._moves.change(move, status=status, cursor=None, waiting=waiting, swept_at=now)
            move = self._moves.change(move, cursor=cursor, waiting=waiting)
        return move

    def _next_cursor(self, provider: str, after: str | None) -> str | None:
        """The cursor of this provider's next page, or of the next provider's first; None after the last."""
        if after is not None:
            return f"{provider}#{after}"
        rest = self._providers[self._providers.index(provider) + 1 :]
        return f"{rest[0]}#" if rest else None

    def _older(
        self, facts: Sequence[object], catalogue: Catalogue, target: Plan, percent: int
    ) -> Iterator[tuple[str, SubscriptionFact]]:
        """(user id, subscription) of the live subscriptions to older versions, of `percent` of the users."""
        for fact in facts:
            if not isinstance(fact, SubscriptionFact) or fact.status not in LIVE:
                continue
            plan = catalogue.behind(fact.provider, fact.price_id, fact.plan_id, fact.plan_version)
            if plan is None or plan.plan_id != target.plan_id or plan.version >= target.version:
                continue
            user_id = self._accounts.owner(fact.provider, [fact.subscription_id]) or fact.user_id
            if user_id is not None and place(f"{target.plan_id}@{target.version}", "move", user_id) < percent:
                yield user_id, fact

    def _judge(
        self,
        renewing: Iterator[tuple[str, SubscriptionFact]],
        catalogue: Catalogue,
        target: Plan,
        notice_days: int,
        now: int,
    ) -> Iterator[Candidate]:
        for user_id, fact in renewing:
            try:
                after = partial(self._applier.account_after, provider=fact.provider, facts=[fact], now=now)
                account = self._accounts.evaluate(user_id, after)
            except Parked:
                continue  # reconciliation reports it
            record = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
            if isinstance(record, Subscription):
                verdict = judge(record, catalogue, target, notice_days, now)
                yield Candidate(user_id=user_id, subscription=record, verdict=verdict)

    def _move(self, move: Move, candidate: Candidate, catalogue: Catalogue, target: Plan, now: int) -> tuple[Move, int]:
        """The updated move, and the number of provider calls made (0 or 1)."""
        subscription = candidate.subscription
        stored = self._moves.entry(move, f"{subscription.provider}#{subscription.subscription_id}")
        entry = Entry(
            provider=subscription.provider,
            subscription_id=subscription.subscription_id,
            from_version=subscription.plan_version,
            outcome="moving",
            at=now,
        )
        if candidate.verdict == "arranged":
            if (
                stored is not None and stored.outcome == "moving"
            ):  # an earlier run ended before it could note the result
                ref = Ref("subscription", subscription.subscription_id)
                self._applier.refresh(candidate.user_id, subscription.provider, ref, now)
                move = self._moves.note(move, replace(stored, outcome="moved", at=now), stored)
            return move, 0
        if candidate.verdict == "other_currency":
            plan = catalogue.get(subscription.plan_id, subscription.plan_version)
            why = f"it is charged in {plan.currency if plan else 'another currency'}, for good"
            refused = replace(entry, outcome="refused", reason=why)
            return (move if stored else self._moves.note(move, refused, None)), 0
        if candidate.verdict != "move":
            return move, 0
        if stored is None or stored.outcome != "moving":
            move = self._moves.note(move, entry, stored)
        outcome, reason = self._schedule(candidate.user_id, subscription, target, "moved", now)
        return self._moves.note(move, replace(entry, outcome=outcome, reason=reason), entry), 1

    # --- back --------------------------------------------------------------------------------------------------------

    def _undo(self, move: Move, now: int, out_of_time: Callable[[], bool]) -> Move:
        catalogue = self._plans.catalogue(fresh=True)
        while not out_of_time():
            page = self._moves.entries(move, move.cursor, _PAGE)
            for entry in page:
                if out_of_time():
                    return move
                if entry.outcome in ("moving", "moved"):
                    outcome, reason = self._back(entry, move, catalogue, now)
                    left = replace(entry, outcome=outcome, reason=reason, at=now)
                    move = self._moves.note(move, left, entry)
            if len(page) < _PAGE:
                return self._moves.change(move, status="undone", cursor=None)
            move = self._moves.change(move, cursor=page[-1].key)
        return move

    def _back(self, entry: Entry, move: Move, catalogue: Catalogue, now: int) -> tuple[MoveOutcome, str | None]:
        user_id = self._accounts.owner(entry.provider, [entry.subscription_id])
        if user_id is None:
            return "not_undone", "nobody is known to have this subscription"
        self._applier.refresh(user_id, entry.provider, Ref("subscription", entry.subscription_id), now)
        account = self._accounts.load(user_id)
        subscription = account.records.get(f"subscription#{entry.key}")
        origin = catalogue.get(move.plan_id, entry.from_version)
        if not isinstance(subscription, Subscription) or subscription.status not in LIVE or origin is None:
            return "not_undone", "the subscription has ended"
        if subscription.plan_id != move.plan_id:
            return "not_undone", f"the customer has changed to {subscription.plan_id}"
        if subscription.ends_at is not None:
            return "not_undone", "the customer has cancelled"
        scheduled = (subscription.scheduled_plan_id, subscription.scheduled_plan_version)
        if scheduled == (move.plan_id, move.to_version):
            key = f"unmove:{entry.subscription_id}:{account.version}"
            return self._ask(user_id, subscription, "undone", now, lambda c, id_: c.resume_subscription(id_, key=key))
        if scheduled[0] is not None and scheduled != (origin.plan_id, origin.version):
            return "not_undone", f"the customer has arranged a change to {scheduled[0]}"
        if subscription.plan_version != move.to_version:
            return "undone", None  # it was never moved, or is already being moved back
        return self._schedule(user_id, subscription, origin, "undone", now)

    # --- both directions ---------------------------------------------------------------------------------------------

    def _schedule(
        self, user_id: str, subscription: Subscription, plan: Plan, outcome: MoveOutcome, now: int
    ) -> tuple[MoveOutcome, str | None]:
        """Schedule a version for the next period."""
        key = f"move:{subscription.subscription_id}:{plan.version}:{self._accounts.load(user_id).version}"
        item_id = subscription.item_id or subscription.subscription_id

        def arrange(client: Client, subscription_id: str) -> None:
            client.change_subscription(subscription_id, item_id, plan, at_period_end=True, proration_date=now, key=key)

        return self._ask(user_id, subscription, outcome, now, arrange)

    def _ask(
        self,
        user_id: str,
        subscription: Subscription,
        outcome: MoveOutcome,
        now: int,
        call: Callable[[Client, str], None],
    ) -> tuple[MoveOutcome, str | None]:
        """Make a change at the provider and apply the new state; `refused` with the provider's error text.

        Raises `ProviderUnavailable`; the next run repeats the call with the same idempotency key.
        """
        try:
            call(self._client(subscription.provider), subscription.subscription_id)
        except ProviderUnavailable:
            raise
        except ProviderError as refused:
            return "refused", refused.detail
        self._applier.refresh(user_id, subscription.provider, Ref("subscription", subscription.subscription_id), now)
        return outcome, None


def judge(subscription: Subscription, catalogue: Catalogue, target: Plan, notice_days: int, now: int) -> Verdict:
    """What a move does with a subscription to an older version of its plan."""
    current = catalogue.get(subscription.plan_id, subscription.plan_version)
    if (subscription.scheduled_plan_id, subscription.scheduled_plan_version) == (target.plan_id, target.version):
        return "arranged"
    if subscription.ends_at is not None or subscription.scheduled_plan_id is not None:
        return "leave"  # the customer has cancelled or scheduled a change
    if current is None or current.currency != target.currency:
        return "other_currency"
    if subscription.status != "active" or subscription.current_period_end - now < notice_days * DAY:
        return "later"
    return "move"


def target_of(catalogue: Catalogue, plan_id: str, version: int) -> Plan:
    """The newest version. Raises `NotFound`, or `Conflict` if it is not `version`."""
    newest = catalogue.get(plan_id)
    if newest is None:
        raise NotFound(f"there is no plan {plan_id}")
    if newest.version != version:
        raise Conflict(
            f"version {newest.version} of {plan_id} is the newest, not {version}: look at it first",
            code="version_conflict",
            version=newest.version,
        )
    return newest
