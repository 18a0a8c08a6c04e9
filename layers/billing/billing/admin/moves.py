"""Moves of subscribers to the newest version of their plan, as admins work on them: start, widen, stop, undo.

Here the decisions are stored; `billing.catalogue.moves` does the work, hour by hour.
"""

from collections.abc import Sequence

from billing.catalogue.moves import target_of
from billing.data import asdict, replace
from billing.errors import Conflict, NotFound
from billing.providers import PROVIDERS
from billing.rules.history import By
from billing.store.audit import AuditLog
from billing.store.moves import COUNTED, Move, MoveStore
from billing.store.plans import PlanStore


class AdminMoves:
    def __init__(self, moves: MoveStore, plans: PlanStore, offered: Sequence[str], audit: AuditLog) -> None:
        self._moves = moves
        self._plans = plans
        self._offered = offered
        self._audit = audit

    def start(
        self, plan_id: str, to_version: int, *, percent: int, per_hour: int, notice_days: int, by: By, now: int
    ) -> Move:
        """Starts a move to the newest version, or goes on with it at another pace or for more subscribers."""
        newest = target_of(self._plans.catalogue(fresh=True), plan_id, to_version)
        if not newest.recurring or newest.free or newest.status == "archived":
            raise Conflict(f"{newest.name} is not sold as a subscription", code="plan_not_for_sale")
        if not any(PROVIDERS[provider].renews for provider in self._offered):
            raise Conflict(
                "no provider of this stack sells subscriptions that renew: there is nobody to move",
                code="nobody_renews",
            )
        before = self._moves.get(plan_id)
        wanted = Move(
            plan_id=plan_id,
            to_version=to_version,
            status="running",
            percent=percent,
            per_hour=per_hour,
            notice_days=notice_days,
            started_at=now,
            started_by=by.actor,
        )
        if (
            before
            and before.status in ("running", "undoing")
            and (before.to_version != to_version or before.status == "undoing")
        ):
            raise Conflict(f"a move to version {before.to_version} is {before.status}: stop it first", code="move_open")
        if before and before.to_version == to_version:
            counts = {name: getattr(before, name) for name in COUNTED}
            wanted = replace(wanted, **counts)
        self._moves.start(wanted, before)
        self._note(by, now, before, wanted)
        return wanted

    def stop(self, plan_id: str, by: By, now: int) -> Move:
        """No further subscription is touched; asking again changes nothing."""
        move = self._move_of(plan_id)
        if move.status not in ("running", "undoing"):
            return move
        stopped = self._moves.change(move, status="stopped")
        self._note(by, now, move, stopped)
        return stopped

    def undo(self, plan_id: str, by: By, now: int) -> Move:
        """Takes back what was scheduled, and sends those already moved back with their next period."""
        move = self._move_of(plan_id)
        if move.status in ("undoing", "undone"):
            return move
        undoing = self._moves.change(move, status="undoing", cursor=None, swept_at=0)
        self._note(by, now, move, undoing)
        return undoing

    def _note(self, by: By, now: int, before: Move | None, after: Move) -> None:
        self._audit.note(by, now, before=asdict(before) if before else None, after=asdict(after))

    def _move_of(self, plan_id: str) -> Move:
        move = self._moves.get(plan_id)
        if move is None:
            raise NotFound(f"no subscribers of {plan_id} were ever moved")
        return move
