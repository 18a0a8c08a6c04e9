"""Reconciliation: compares the provider's objects with our records, finds what no webhook reported, and repairs it.

It starts from the provider's live subscriptions and from its list of events, never from our rows: what we do not have
cannot be found among what we have. A run goes page by page, stores its place after each, and can stop at any time; the
next one goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal, Protocol

from billing.data import dataclass, field, fields, replace
from billing.errors import NotOurs, Parked, ProviderError, ProviderUnavailable, TryAgain
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor, cause_of, notification_of, passes
from billing.log import Log
from billing.providers import renewing_client
from billing.providers.interface import Client, Notification, Unreadable
from billing.rules.apply import apply
from billing.rules.facts import DunningFact, Fact, PaymentFact, SubscriptionFact
from billing.rules.past import known_payment
from billing.rules.records import Account, Subscription
from billing.rules.times import DAY
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.progress import Progress, ProgressStore

Kind = Literal[
    "missing",
    "differs",
    "unknown_user",
    "unknown_plan",
    "double_subscription",
    "event_missing",
    "event_failed",
    "unreadable",
    "begun_anew",
]
# A round that has not ended after so many seconds begins anew: what holds it up must not keep live subscriptions from
# being looked at.
STUCK_AFTER = DAY
# Fields that are ours alone: when it was last read, and where its payments are stored.
_OURS = frozenset({"observed_at", "payments", "past_until"})


class Settle(Protocol):
    """Does what is left to do at the provider, and says what a user has twice; with `dry_run` it does nothing; see
    `selling.aftercare`."""

    def __call__(self, user_id: str, now: int, *, dry_run: bool) -> Sequence[Subscription]: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference from the provider. `repaired` False: a dry run, or a person has to look."""

    kind: Kind
    object_id: str
    user_id: str | None
    detail: str
    repaired: bool


@dataclass(slots=True)
class Report:
    """What a run saw; `finished` False: it stopped before the end and will go on."""

    checked: int = 0
    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    finished: bool = True


class Reconciler:
    """`processor` gives missing events their effect, by the path every delivery takes.

    Every list is judged entry by entry: one that cannot be read or applied is reported, and the others are looked at.
    """

    def __init__(
        self,
        provider: str,
        client: Callable[[str], Client],
        accounts: AccountStore,
        plans: PlanStore,
        events: PaymentEventStore,
        applier: Applier,
        processor: Processor,
        progress: ProgressStore,
        aftercare: Settle,
        logger: Log | None = None,
    ) -> None:
        self._provider = provider
        self._calls = partial(renewing_client, client, provider)
        self._accounts = accounts
        self._plans = plans
        self._events = events
        self._applier = applier
        self._processor = processor
        self._progress = progress
        self._aftercare = aftercare
        self._logger = logger

    def run(
        self,
        now: int,
        *,
        since: int,
        dry_run: bool,
        out_of_time: Callable[[], bool] = lambda: False,
        on_finding: Callable[[Finding], None] = lambda finding: None,
    ) -> Report:
        """Everything there is: live subscriptions, then events since a time. Goes on where the last run stopped. A dry
        run looks at everything from the beginning, and does not change where the next run begins."""
        report = Report()
        first = Progress("subscriptions", None, since, now)
        stored = None if dry_run else self._progress.load(self._provider)
        at = first if stored is None or now - stored.began >= STUCK_AFTER else stored
        anew = False
        while at.phase != "done":
            if out_of_time():
                report.finished = False
                break
            try:
                findings, following = self._page(at, now, dry_run, report)
            except ProviderError as refused:
                if anew or at.cursor is None or refused.extensions.get("reason") != "resource_missing":
                    raise
                # The object after which the next page begins is gone meanwhile. Begin at the first page again, once.
                anew = True
                self._tell(Finding("begun_anew", at.cursor, None, str(refused), repaired=True), report, on_finding)
                at = replace(at, cursor=None)
                continue
            for finding in findings:
                self._tell(finding, report, on_finding)
            at = following
            if not dry_run:
                self._progress.save(self._provider, None if at.phase == "done" else at, now)
        return report

    def customer(self, customer_id: str, now: int, *, dry_run: bool) -> Report:
        """One customer alone, with every subscription they ever had."""
        report, after = Report(), None
        while True:
            facts, after = self._calls().subscriptions(after, customer_id, now)
            for finding in self._compare(facts, now, dry_run, report):
                self._tell(finding, report, lambda finding: None)
            if after is None:
                return report

    def replay(self, event_id: str, now: int) -> str:
        """Applies one event again, from our record of it, or from the provider's where we have none or no
        payload. That is always safe: whatever an event says is judged against the account as it is now."""
        recorded = self._events.get(f"{self._provider}#{event_id}")
        if recorded is not None and recorded.payload:
            return self._processor.replay(notification_of(recorded), now)
        notification = self._calls().event(event_id)
        if recorded is not None:
            return self._processor.replay(notification, now)
        return self._processor.process(notification, Delivery(received_at=now), now)

    def _page(self, at: Progress, now: int, dry_run: bool, report: Report) -> tuple[list[Finding], Progress]:
        if at.phase == "subscriptions":
            facts, after = self._calls().subscriptions(at.cursor, None, now)
            following = replace(at, cursor=after) if after else replace(at, phase="events", cursor=None)
            return list(self._compare(facts, now, dry_run, report)), following
        events, after = self._calls().events(at.since, at.cursor)
        following = replace(at, cursor=after) if after else replace(at, phase="done", cursor=None)
        return list(self._deliver(events, now, dry_run, report)), following

    def _compare(
        self, facts: Sequence[Fact | Unreadable], now: int, dry_run: bool, report: Report
    ) -> Iterator[Finding]:
        users: dict[str, None] = {}
        for fact in facts:
            report.checked += isinstance(fact, SubscriptionFact)
            if isinstance(fact, Unreadable):
                yield Finding("unreadable", fact.object_id, None, fact.why, repaired=False)
                continue
            object_id = str(getattr(fact, "payment_id", None) or getattr(fact, "subscription_id", ""))
            try:
                user_id = self._applier.user_of(self._provider, [fact], now)
                users[user_id] = None
                difference = self._accounts.evaluate(user_id, partial(self._difference, fact=fact))
                if difference is None:
                    continue
                kind, detail = difference
                if not dry_run:
                    self._applier.apply(user_id, self._provider, [fact], now)
                yield Finding(kind, object_id, user_id, detail, not dry_run)
            except NotOurs:
                continue
            except Parked as parked:
                unknown: Kind = "unknown_plan" if parked.code == "unknown_plan" else "unknown_user"
                yield Finding(unknown, object_id, fact.user_id, str(parked), repaired=False)
            except Exception as refused:  # one poisoned entry must not end the round
                if passes(refused):
                    raise
                yield Finding("unreadable", object_id, fact.user_id, cause_of(refused)[0], repaired=False)
        for user_id in users:
            yield from self._doubles(user_id, now, dry_run)

    def _doubles(self, user_id: str, now: int, dry_run: bool) -> Iterator[Finding]:
        """What the user has twice, never began, or left while it is still collected, even where only part of the work
        is left. A refusal concerns this user alone: the others are looked at."""
        subscriptions = list(self._accounts.load(user_id).subscriptions)
        if len(subscriptions) < 2 and not any(s.start_failed or s.left_owing for s in subscriptions):
            return
        kind: Kind = "double_subscription"
        try:
            for extra in self._aftercare(user_id, now, dry_run=dry_run):
                detail = f"a second subscription, of plan {extra.plan_id}"
                yield Finding(kind, extra.subscription_id, user_id, detail, repaired=not dry_run)
        except ProviderUnavailable:
            raise
        except (Parked, ProviderError) as refused:
            yield Finding(kind, user_id, user_id, str(refused), repaired=False)

    def _difference(self, account: Account, fact: Fact) -> tuple[Kind, str] | None:
        """How our record differs from the provider's, in words; None when they agree."""
        after = apply(account, fact, self._plans.catalogue())
        if isinstance(fact, PaymentFact):
            record = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
            paid = isinstance(record, Subscription) and known_payment(account, record, fact.payment_id, fact.paid_at)
            absent = f"we have no payment of {fact.amount_cents} {fact.currency}"
            return None if paid else ("missing", absent)
        if isinstance(fact, DunningFact):
            record = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
            bill = record.unpaid.get(fact.invoice_id) if isinstance(record, Subscription) else None
            same = bill is not None and (bill.state, bill.attempt_count) == (fact.state, fact.attempt_count)
            return None if same else ("differs", f"its invoice {fact.invoice_id} is {fact.state}")
        if not isinstance(after, Account) or not isinstance(fact, SubscriptionFact):
            return "differs", "it has to be read again"
        key = f"subscription#{fact.provider}#{fact.subscription_id}"
        old, new = account.records.get(key), after.records[key]
        if not isinstance(old, Subscription):
            return "missing", f"we have no subscription of plan {getattr(new, 'plan_id', '')}"
        changed = [
            f"{f.name}: {getattr(old, f.name)} → {getattr(new, f.name)}"
            for f in fields(old)
            if f.name not in _OURS and getattr(old, f.name) != getattr(new, f.name)
        ]
        return ("differs", ", ".join(changed)) if changed else None

    def _deliver(
        self, events: Sequence[Notification | Unreadable], now: int, dry_run: bool, report: Report
    ) -> Iterator[Finding]:
        """Processes events that never reached us, the oldest first."""
        for notification in reversed(events):
            report.events += 1
            if isinstance(notification, Unreadable):
                yield Finding("unreadable", notification.object_id, None, notification.why, repaired=False)
                continue
            recorded = self._events.get(notification.key)
            if recorded is not None and recorded.status != "failed":
                continue
            detail = f"{notification.type}: {'failed before: ' + recorded.reason if recorded else 'never delivered'}"
            if dry_run:
                yield Finding("event_missing", notification.event_id, None, detail, repaired=False)
                continue
            delivery = Delivery(received_at=now)
            try:
                outcome = self._processor.process(notification, delivery, now)
                yield Finding("event_missing", notification.event_id, None, f"{detail}; {outcome}", repaired=True)
            except Exception as refused:  # one poisoned event must not end the round
                if passes(refused) and not isinstance(refused, TryAgain):
                    raise  # not the event's fault: the next run goes on from here
                self._processor.record_failure(notification, delivery, now, refused)
                detail = f"{detail}; {cause_of(refused)[0]}"
                yield Finding("event_failed", notification.event_id, None, detail, repaired=False)

    def _tell(self, finding: Finding, report: Report, on_finding: Callable[[Finding], None]) -> None:
        report.findings.append(finding)
        if self._logger is not None:
            where = {"kind": finding.kind, "object": finding.object_id, "user_id": finding.user_id}
            self._logger.warning("found", extra={**where, "detail": finding.detail, "repaired": finding.repaired})
        on_finding(finding)
