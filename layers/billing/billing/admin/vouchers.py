"""Vouchers as admins make them: a batch of codes for a plan or for credits, handed out, counted, and taken back. A code
can be shown again while its voucher is unused, because it is made from a secret and not stored; each time is noted in
the audit log. Who redeemed one is not shown here."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing.api.admin_requests import MakeVouchers, RevokeVouchers
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound
from billing.rules import vouchers as rules
from billing.rules.history import By
from billing.rules.money import KNOWN, amount_fault
from billing.rules.plans import Credits, feature_fault
from billing.rules.times import rfc3339
from billing.rules.vouchers import Batch, Voucher, VoucherState
from billing.selling.vouchers import Following
from billing.store.audit import AuditLog
from billing.store.plans import PlanStore
from billing.store.vouchers import VoucherStore

View = dict[str, Any]
_STATES: tuple[VoucherState, ...] = ("ready", "redeemed", "expired", "revoked")


class AdminVouchers:
    """`secrets`: what codes are drawn from, the newest first."""

    def __init__(
        self,
        store: VoucherStore,
        plans: PlanStore,
        audit: AuditLog,
        following: Following,
        secrets: Callable[[], Sequence[str]],
        portal_url: str,
    ) -> None:
        self._store = store
        self._plans = plans
        self._audit = audit
        self._following = following
        self._secrets = secrets
        self._portal_url = portal_url

    def list(self) -> Mapping[str, Any]:
        """Every batch, the newest first."""
        batches = sorted(self._store.batches(), key=lambda b: (b.made_at, b.batch_id), reverse=True)
        return {"batches": [self._batch(batch) for batch in batches]}

    def show(self, batch_id: str, now: int) -> Mapping[str, Any]:
        """A batch with what became of each of its vouchers, by its number."""
        batch = self._batch_of(batch_id)
        vouchers = self._store.of_batch(batch_id)
        counts = Counter(voucher.state(now) for voucher in vouchers)
        return {
            **self._batch(batch),
            "counts": {state: counts[state] for state in _STATES},
            "vouchers": [{"number": v.number, "state": v.state(now)} for v in vouchers],
        }

    def make(self, body: MakeVouchers, admin: str, now: int) -> Mapping[str, Any]:
        """Makes a batch; the same call again answers with the batch that it made the first time. Raises `Conflict` for
        another one under the same key."""
        batch = self._new_batch(body, admin, now)
        existing = self._store.batch(batch.batch_id)
        if existing is None:
            secret = self._secrets()[0]
            made = [_voucher(batch, number, secret) for number in range(1, batch.count + 1)]
            by = By(actor=admin, action="make_vouchers", subject=batch.batch_id, reason=batch.note)
            after = {"count": batch.count, "plan_id": batch.plan_id, "features": dict(batch.features)}
            self._store.make(batch, made, self._audit.entry(by, now, after=after))
        elif batch != replace(existing, made_at=now, made_by=admin, note=batch.note, plan_version=batch.plan_version):
            raise Conflict("this key was used for another batch", code="idempotency_key_reused")
        return self.show(batch.batch_id, now)

    def codes(self, batch_id: str, admin: str, now: int) -> Mapping[str, Any]:
        """The codes that can still be redeemed. They are worth money, so each call is noted in the audit log first."""
        batch = self._batch_of(batch_id)
        ready = [v for v in self._store.of_batch(batch_id) if v.state(now) == "ready"]
        self._audit.note(
            By(actor=admin, action="show_voucher_codes", subject=batch_id), now, after={"count": len(ready)}
        )
        secrets, shown = self._secrets(), []
        for voucher in ready:
            code = _code(voucher, secrets)
            if code is None:
                words = "these codes were drawn from a secret that is gone: they can be redeemed, but not shown again"
                raise Conflict(words, code="voucher_secret_gone")
            written = rules.shown(code)
            shown.append({"number": voucher.number, "code": written, "url": f"{self._portal_url}/redeem#{written}"})
        return {**self._batch(batch), "codes": shown}

    def revoke(self, batch_id: str, body: RevokeVouchers, admin: str, now: int) -> Mapping[str, Any]:
        """Revokes unused vouchers, of the given numbers or all; with `used` also redeemed ones."""
        self._batch_of(batch_id)
        vouchers = self._store.of_batch(batch_id)
        missing = sorted(set(body.numbers or ()) - {v.number for v in vouchers})
        if missing:
            raise NotFound(f"this batch has no voucher {missing[0]}")
        wanted = [v for v in vouchers if body.numbers is None or v.number in body.numbers]
        chosen = [v for v in wanted if self._takes_back(v, body)]
        by = By(actor=admin, action="revoke_vouchers", subject=batch_id, reason=body.reason)
        after = {"numbers": [v.number for v in chosen], "used": body.used, "returned": body.returned}
        self._audit.note(by, now, after=after)
        closed = self._store.close_unused([v for v in chosen if v.holder is None and v.closed is None])
        rest = [v for v in chosen if v.voucher_id not in closed]
        return {"revoked": len(closed) + sum(self._revoke(v, body, now) for v in rest), **self.show(batch_id, now)}

    def _takes_back(self, voucher: Voucher, body: RevokeVouchers) -> bool:
        if voucher.holder is not None and not body.used:
            return False
        return voucher.closed is None or (body.returned and not voucher.returned)

    def _revoke(self, voucher: Voucher, body: RevokeVouchers, now: int) -> bool:
        """Revokes one. If somebody redeems it at that moment, it is judged again as redeemed."""
        current: Voucher | None = voucher
        while current is not None and self._takes_back(current, body):
            if self._store.close(current, returned=body.returned):
                self._following.follow(current.voucher_id, now)
                return True
            current = self._store.get(current.voucher_id)
        return False

    def _batch_of(self, batch_id: str) -> Batch:
        batch = self._store.batch(batch_id)
        if batch is None:
            raise NotFound(f"there is no batch {batch_id}")
        return batch

    def _new_batch(self, body: MakeVouchers, admin: str, now: int) -> Batch:
        faults: list[dict[str, str]] = []
        plan = None
        if (body.plan_id is None) == (body.credits is None):
            faults.append({"path": "plan_id", "message": "either a plan or credits"})
        elif body.plan_id is not None:
            plan = self._plans.catalogue(fresh=True).get(body.plan_id)
            if plan is None or plan.free or plan.status == "archived":
                faults.append({"path": "plan_id", "message": "no plan that is for sale"})
            elif body.intervals > 1 and not plan.recurring:
                faults.append({"path": "intervals", "message": "a one-time plan is given once"})
        elif body.credits is not None:
            fault = feature_fault(body.credits.feature, Credits(body.credits.amount))
            if fault:
                faults.append({"path": "credits/feature", "message": fault})
        currency = plan.currency if plan else body.currency
        if body.sold_cents and (currency not in KNOWN or amount_fault(body.sold_cents, currency)):
            faults.append({"path": "sold_cents", "message": "no amount of a currency that is known here"})
        if body.currency and plan and body.currency != plan.currency:
            faults.append({"path": "currency", "message": f"the plan's price is in {plan.currency}"})
        if body.expires_at is not None and body.expires_at <= now:
            faults.append({"path": "expires_at", "message": "must be in the future"})
        if faults:
            raise InvalidRequest("these vouchers cannot be made", errors=faults)
        return Batch(
            batch_id="vb_" + hashlib.sha256(body.idempotency_key.encode()).hexdigest()[:16],
            count=body.count,
            made_at=now,
            made_by=admin,
            note=body.note,
            plan_id=plan.plan_id if plan else None,
            plan_version=plan.version if plan else None,
            intervals=body.intervals if plan else 1,
            features={body.credits.feature: {"credits": body.credits.amount}} if body.credits else {},
            sold_cents=body.sold_cents,
            currency=currency if body.sold_cents or plan else "",
            expires_at=body.expires_at,
        )

    def _batch(self, batch: Batch) -> View:
        plan = self._plans.catalogue().get(batch.plan_id, batch.plan_version) if batch.plan_id else None
        return {
            "batch_id": batch.batch_id,
            "plan_id": batch.plan_id,
            "plan_name": plan.name if plan else None,
            "plan_version": batch.plan_version,
            "interval": plan.interval if plan else "once",
            "intervals": batch.intervals,
            "features": dict(batch.features),
            "count": batch.count,
            "sold_cents": batch.sold_cents,
            "currency": batch.currency or None,
            "expires_at": rfc3339(batch.expires_at),
            "note": batch.note,
            "made_at": rfc3339(batch.made_at),
            "made_by": batch.made_by,
        }


def rows(codes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The codes of a batch, as a table."""
    gives = codes["plan_name"] or ", ".join(codes["features"])
    return [
        {**code, "gives": gives, "redeem_before": codes["expires_at"], "batch": codes["batch_id"]}
        for code in codes["codes"]
    ]


def _voucher(batch: Batch, number: int, secret: str) -> Voucher:
    code = rules.code_of(secret, rules.batch_seed(batch.batch_id, number))
    return Voucher(
        voucher_id=rules.voucher_id(code),
        plan_id=batch.plan_id,
        plan_version=batch.plan_version,
        intervals=batch.intervals,
        features=batch.features,
        sold_cents=batch.sold_cents,
        currency=batch.currency,
        expires_at=batch.expires_at,
        batch_id=batch.batch_id,
        number=number,
    )


def _code(voucher: Voucher, secrets: Sequence[str]) -> str | None:
    seed = rules.batch_seed(voucher.batch_id or "", voucher.number)
    codes = (rules.code_of(secret, seed) for secret in secrets)
    return next((code for code in codes if rules.voucher_id(code) == voucher.voucher_id), None)
