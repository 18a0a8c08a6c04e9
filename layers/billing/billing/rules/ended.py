"""What is over: terms and purchases that decide nothing any more, behind the range that every request reads.

So an event costs in the fifth year what it costs in the first month. A record leaves the range when its time is over
and nobody waits for anything of it; ten newer ones of its kind, plan and reason stay, which explain a refusal. For
those that left stands one record, `Ended`, and whatever it cannot answer raises `PastNeeded`: then all is read.

Where a term runs follows from the ones paid before it. So those that stay and were laid among the ones that left are
kept with their runs, and what comes is laid behind them; what was paid before the last of those that left was over
belongs among them, and has all of them laid anew. A purchase that is told of again leaves its link in the way.

Of an account that was read whole, all is judged anew, and what has to be at hand again comes back.
"""

from collections.abc import Mapping, Sequence

from billing.data import dataclass, replace
from billing.errors import PastNeeded
from billing.rules import entitlements
from billing.rules.access import Window, placed, windows
from billing.rules.entitlements import Source
from billing.rules.plans import Catalogue
from billing.rules.records import UNDER_WAY, Account, Ended, Gift, Purchase, Record, Redemption, Term
from billing.rules.terms import chain, closed_at, in_order, paid_at

# At most so many leave, or come back, with one change: each is up to two writes of a transaction.
MOVED_AT_ONCE = 20
# With so few records, none is moved.
AT_HAND = 12


@dataclass(frozen=True, slots=True)
class Settled:
    """An account with each record where it belongs: those that `left` the range, and those that came `back` to it."""

    account: Account
    left: tuple[Purchase, ...] = ()
    back: tuple[Purchase, ...] = ()


def settled(account: Account, catalogue: Catalogue, now: int, *, moves: bool, room: int = 2 * MOVED_AT_ONCE) -> Settled:
    """The account with what is over moved out of the range that is read, or back. `moves`: whether records may leave;
    who may not delete can only bring back. `room`: how many writes the transaction has left."""
    mine = [r for r in account.records.values() if isinstance(r, Purchase) and not isinstance(r, Gift)]
    if not account.behind and not (moves and len(mine) > AT_HAND):
        return Settled(account)
    old = account.ended or Ended()
    laid = _Laid(account, catalogue, now)
    if not old.laid.keys() <= laid.runs.keys():
        return Settled(account)
    every = _by_record(windows(account, catalogue))
    stays = _staying(account, mine, every, now)
    over = [p for p in mine if p.record not in stays and _is_over(p, every[_key(p)], laid, now)]
    may = {p.record for p in over}
    back = sorted((p for p in mine if p.record in account.behind - may), key=lambda p: (_is_closed(p), p.record))
    at_once = max(0, min(MOVED_AT_ONCE, room // 2))
    # A record that somebody waits for is only found within the range, so it comes back first.
    back, lacking = back[: at_once or 1], len(back) > (at_once or 1)
    fresh = [p for p in over if p.record not in account.behind] if moves and not back else []
    fresh = sorted(fresh, key=lambda p: (p.created_at, p.record))[:at_once]
    behind = (account.behind | {p.record for p in fresh}) - {p.record for p in back}
    if not fresh and not account.behind:
        return Settled(account)
    gone = [p for p in mine if p.record in behind]
    ended = _stands_for(old, gone, laid, {p.record: every[_key(p)] for p in gone}, lacking=lacking)
    if account.whole:
        records: Mapping[str, Record] = {**account.records, ended.record: ended}
        return Settled(replace(account, records=records, behind=frozenset(behind)), tuple(fresh), tuple(back))
    remaining = {key: record for key, record in account.records.items() if key not in behind}
    return Settled(replace(account, records={**remaining, ended.record: ended}), tuple(fresh))


def check_ended(before: Account, after: Account, sources: Sequence[Source], now: int) -> None:
    """Raises `PastNeeded` where a change makes something count that was not read: by what `Ended` says of it."""
    ended = before.ended
    if ended is None:
        return
    for key, old in before.records.items():
        new = after.records.get(key)
        if new is old:
            continue
        if isinstance(old, Term) and isinstance(new, Term):
            # The stored runs, and the newest paid term, stand for the terms that left.
            if key in ended.laid or (old.payment is not None and new.payment is None):
                raise PastNeeded
            was_closed_at, is_closed_at = closed_at(old), closed_at(new)
        elif isinstance(old, Redemption) and isinstance(new, Redemption):
            if any(term.record in ended.laid for term in old.terms):
                raise PastNeeded
            was_closed_at, is_closed_at = old.closed_at, new.closed_at
        else:
            continue
        # One that was closed before its time began has no run, and may have used some time now.
        if was_closed_at is not None and is_closed_at != was_closed_at:
            raise PastNeeded
    newer = dict.fromkeys(ended.newest, 0)
    for source in sources:
        kind = _kind_of(source.plan_id, source)
        if kind in newer and source.until is not None and source.until <= now:
            newer[kind] += (source.until, source.start, source.id) > ended.newest[kind]
    if any(count < entitlements.ENDED_KEPT for count in newer.values()):
        raise PastNeeded


def of_plan(ended: Ended | None, plan_id: str) -> bool:
    """Whether a purchase of the plan is among those that were not read."""
    return ended is not None and any(kind.split("|", 2)[1] == plan_id for kind in ended.newest)


class _Laid:
    """The terms that are over up to the first that is not, group by group, and their runs as they were laid before it.

    `before`: by group, when that one was paid: what ended later was open to it. `last`: the newest of each group,
    behind which the next one is laid.
    """

    def __init__(self, account: Account, catalogue: Catalogue, now: int) -> None:
        terms = placed(account, catalogue)
        all_runs = {run.term.record: run for run in chain(terms, account.ended)}
        self.placed = all_runs.keys()
        self.before: dict[str, int] = {}
        over = []
        for term, plan in in_order(pair for pair in terms if pair[0].record in all_runs):
            if plan.group not in self.before and all_runs[term.record].end <= now and _is_closed(term):
                over.append((term, plan))
            else:
                self.before.setdefault(plan.group, paid_at(term))
        # Where one that was laid is not over, nothing can be laid without those that left.
        ended = account.ended
        names = {term.record for term, _ in over}
        runs = chain(over, ended) if ended is None or ended.laid.keys() <= names else []
        self.runs = {run.term.record: run for run in runs}
        self.last = {run.plan.group: run.term.record for run in runs}

    def over(self, term: Term) -> bool:
        """Whether no other term is laid by this one, now or later, but those that were laid by it."""
        run = self.runs.get(term.record)
        if run is None or self.last[run.plan.group] == term.record:
            return False
        return run.end <= self.before.get(run.plan.group, run.end)


def _is_closed(purchase: Purchase) -> bool:
    """Whether nothing is awaited any more: no payment, no refund, no decision."""
    payment = purchase.payment
    if payment is not None and (payment.suspended or any(r.status == "pending" for r in payment.refunds.values())):
        return False
    return purchase.poll_at is None and purchase.state not in UNDER_WAY and not purchase.wants_a_person


def _is_over(purchase: Purchase, own_windows: Sequence[Window], laid: _Laid, now: int) -> bool:
    if not _is_closed(purchase) or len(own_windows) != 1 or own_windows[0].plan is None:
        return False
    window, plan = own_windows[0], own_windows[0].plan
    if window.until is None or window.until > now:
        return False
    if isinstance(purchase, Term):
        return laid.over(purchase) if purchase.record in laid.placed else True
    # A plan bought for good is bought once, so its purchase always has to be at hand.
    return plan.duration_days is not None or purchase.payment is None


def _staying(
    account: Account, mine: Sequence[Purchase], every: Mapping[tuple[str, str], Sequence[Window]], now: int
) -> set[str]:
    """Those that a renewal, a checkout or a wallet's attempt names, and the newest of each kind, which stand for the
    older ones."""
    names = {r.purchase_id for r in account.renewals} | {c.session_id for c in account.checkouts}
    names |= {m.attempt.invoice_id for m in account.mandates if m.attempt is not None}
    stays = {p.record for p in mine if p.purchase_id in names}
    newest: dict[object, tuple[int, str]] = {}

    def keep(kind: object, age: int, purchase: Purchase) -> None:
        newest[kind] = max(newest.get(kind, (age, "")), (age, purchase.record))

    kinds: dict[str, list[tuple[tuple[int, int, str], str]]] = {}
    for purchase in mine:
        if purchase.customer_id:  # It leads to the provider's portal.
            keep(("customer", purchase.provider, purchase.customer_id), purchase.created_at, purchase)
        if isinstance(purchase, Term) and purchase.payment is not None:
            # It says why the last term ended, and about how many satoshis the next may cost.
            keep(("paid", purchase.provider, purchase.plan_id, purchase.plan_version), purchase.observed_at, purchase)
            if purchase.paid and purchase.received_sat:
                keep("satoshis", purchase.created_at, purchase)
        for window in every[_key(purchase)]:
            if _explains(window) and window.until is not None and window.until <= now:
                kind = _kind_of(_plan_of(window), window)
                kinds.setdefault(kind, []).append((_age(window), purchase.record))
    for several in kinds.values():
        stays |= {record for _, record in sorted(several)[-entitlements.ENDED_KEPT :]}
    return stays | {record for _, record in newest.values()}


def _stands_for(
    old: Ended, gone: Sequence[Purchase], laid: _Laid, windows_of: Mapping[str, Sequence[Window]], *, lacking: bool
) -> Ended:
    until, newest, names = dict(old.until), dict(old.newest), {p.record for p in gone}
    for purchase in gone:
        run = laid.runs.get(purchase.record)
        if run is not None:
            until[run.plan.group] = max(run.end, until.get(run.plan.group, 0))
        for window in windows_of[purchase.record]:
            if _explains(window):
                kind = _kind_of(_plan_of(window), window)
                newest[kind] = max(_age(window), newest.get(kind, (0, 0, "")))
    stay = {key: run for key, run in laid.runs.items() if key not in names and run.plan.group in until}
    return Ended(
        laid={key: (run.start, run.end, run.value_cents, run.replaced) for key, run in stay.items()},
        until=until,
        newest=newest,
        since=min([*(p.created_at for p in gone), *([old.since] if old.rails else [])], default=0),
        rails=tuple(sorted({*old.rails, *(p.provider for p in gone)})),
        lacking=lacking,
    )


def _by_record(all_windows: Sequence[Window]) -> Mapping[tuple[str, str], Sequence[Window]]:
    by: dict[tuple[str, str], list[Window]] = {}
    for window in all_windows:
        by.setdefault((window.kind, window.record_id), []).append(window)
    return by


def _key(purchase: Purchase) -> tuple[str, str]:
    return "term" if isinstance(purchase, Term) else "purchase", purchase.purchase_id


def _explains(window: Window) -> bool:
    """Whether a snapshot may hold the window when it is over."""
    return window.reason != "failed"


def _plan_of(window: Window) -> str | None:
    return window.plan.plan_id if window.plan else None


def _kind_of(plan_id: str | None, seen: Window | Source) -> str:
    """What a snapshot holds the newest ten of: see `entitlements.remembered`."""
    opened = seen.until is None or seen.until > seen.start
    return f"{seen.kind}|{plan_id}|{seen.reason}|{opened:d}"


def _age(window: Window) -> tuple[int, int, str]:
    return window.until or 0, window.start, window.record_id
