"""A user's personal data: exported page by page, or erased, while the books are kept."""

from collections.abc import Mapping
from typing import Any

from billing import deadline
from billing.errors import Conflict
from billing.rules.history import By
from billing.rules.records import LIVE
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.due import DueStore
from billing.store.erasure import ErasureStore


class PersonalData:
    def __init__(self, accounts: AccountStore, erasure: ErasureStore, audit: AuditLog) -> None:
        self._accounts = accounts
        self._erasure = erasure
        self._audit = audit

    def export(self, user_id: str, admin: str, now: int, cursor: str = "") -> Mapping[str, Any]:
        """One page; the first is noted in the audit log."""
        self._accounts.existing(user_id)
        records, following = self._erasure.page(user_id, cursor)
        if not cursor:
            self._audit.note(By(actor=admin, action="export", subject=user_id), now)
        return {"user_id": user_id, "exported_at": rfc3339(now), "records": records, "next": following}

    def erase(self, user_id: str, admin: str, now: int) -> Mapping[str, Any]:
        """Erases the user; the books stay, under a pseudonym. Refused while something still charges them."""
        account = self._accounts.load(user_id)
        live = [s.subscription_id for s in account.subscriptions if s.status in LIVE]
        if live:
            raise Conflict(
                f"a subscription is live and would go on charging: cancel {', '.join(live)} first",
                code="subscription_live",
            )
        if any(request.status == "reserved" for request in account.refund_requests):
            raise Conflict("a refund is on its way: wait until it is settled", code="refund_in_progress")
        erased = self._erasure.erase(user_id, admin, now)
        return {
            "user_id": erased.pseudonym,
            "erased_records": erased.records,
            "kept_ledger_entries": erased.ledger_lines,
            "done": erased.done,
        }


def finish_erasures(due: DueStore, erasure: ErasureStore, now: int, limit: int) -> tuple[int, int]:
    """Goes on with erasures that were cut off, at most `limit` of each partition: how many are done, how many not."""
    done = left = 0
    for unfinished in due.due("erase", now, limit):
        if deadline.over():
            break
        try:
            erased = erasure.go_on(unfinished.user_id, now)
        except Conflict:  # others keep writing: the next round tries again
            left += 1
            continue
        finished = erased is None or erased.done
        done, left = done + finished, left + (not finished)
    return done, left
