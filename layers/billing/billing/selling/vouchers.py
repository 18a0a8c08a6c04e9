"""Vouchers for users: preview one, redeem it once, and list the gifts that somebody bought.
Redeeming is one transaction: the redeemer's account, and the voucher on condition that nobody has redeemed it. What
becomes of a gift's payment afterwards is written on the voucher; `follow` carries it to the redeemer's account."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing.api.status import invoice_state, voucher_view
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound, Parked, account_moved
from billing.rules import vouchers as rules
from billing.rules.apply.purchases import renew
from billing.rules.consequences import Consequences, consequences
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import obstacle, overlap
from billing.rules.records import Account, Gift, Redemption
from billing.rules.times import rfc3339
from billing.rules.vouchers import Taken, Unchanged, Voucher
from billing.selling.seals import seal, unseal
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.store.vouchers import VoucherStore

View = dict[str, Any]
Secrets = Callable[[], Sequence[str]]


class Vouchers:
    """`secrets`: what codes are drawn from, the newest first. `opened_by(user_id)`: as for `Checkouts`."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        store: VoucherStore,
        secrets: Secrets,
        portal_url: str,
        opened_by: Callable[[str], str | None] = lambda user_id: user_id,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._store = store
        self._secrets = secrets
        self._portal_url = portal_url
        self._opened_by = opened_by

    def preview(self, user_id: str, typed: str, now: int) -> Mapping[str, Any]:
        """What redeeming would give this account; nothing is written. Refused as redeeming would be."""
        code, catalogue = _read(typed), self._plans.catalogue()
        account = self._accounts.load(user_id)
        voucher = self._ready(code, account, now)
        after = _redeemed(account, code, voucher, catalogue, now) if voucher else account
        return _view(account, after, code, catalogue, now)

    def redeem(self, user_id: str, typed: str, now: int) -> Mapping[str, Any]:
        """Gives what the voucher gives, once. Whoever redeemed it gets the same answer again."""
        code = _read(typed)
        name, before = rules.voucher_id(code), Account(user_id)

        def decide(account: Account) -> Consequences | None:
            nonlocal before
            before = account
            key = self._opened_by(user_id)
            if key is None:
                raise account_moved(", then redeem there")
            voucher = self._ready(code, account, now)
            if voucher is None:
                return None
            catalogue = self._plans.catalogue()
            after = _redeemed(account, code, voucher, catalogue, now)
            taken = Taken(name, seal(self._secrets()[0], name, user_id, rules.redemption_id(code)))
            decided = consequences(account, after, catalogue, now, vouchers=(taken,))
            return replace(decided, own_key=key == user_id)

        try:
            after = self._accounts.change(user_id, decide)
        except Conflict:  # perhaps by this user in another tab, since the account was read
            before = after = self._accounts.load(user_id)
            if f"redemption#{rules.redemption_id(code)}" not in after.records:
                raise
        return _view(before, after, code, self._plans.catalogue(), now)

    def gifts(self, user_id: str, now: int) -> Mapping[str, Any]:
        """The gifts this account bought, newest first; with the code until somebody has redeemed it."""
        account, catalogue = self._accounts.load(user_id), self._plans.catalogue()
        bought = sorted(account.gifts, key=lambda gift: gift.created_at, reverse=True)
        vouchers = self._store.many([gift.voucher_id for gift in bought])
        return {"gifts": [self._gift(gift, vouchers.get(gift.voucher_id), catalogue, now) for gift in bought]}

    def _gift(self, gift: Gift, voucher: Voucher | None, catalogue: Catalogue, now: int) -> View:
        plan = catalogue.get(gift.plan_id, gift.plan_version)
        state = voucher.state(now) if voucher else None
        code = self._code_of(gift) if state == "ready" else None
        return {
            "provider": gift.provider,
            "purchase_id": gift.purchase_id,
            "checkout_id": gift.checkout_id,
            "plan_id": gift.plan_id,
            "plan_name": plan.name if plan else gift.plan_id,
            "interval": plan.interval if plan else "once",
            "status": gift.status,
            "voucher": state,
            "code": rules.shown(code) if code else None,
            "redeem_url": f"{self._portal_url}/redeem#{rules.shown(code)}" if code else None,
            "amount_cents": gift.amount_cents,
            "currency": gift.currency,
            "created_at": rfc3339(gift.created_at),
            "invoice": invoice_state(gift, now),
        }

    def _code_of(self, gift: Gift) -> str | None:
        """The code, derived again from the secret it was made with; None when that secret is gone."""
        if gift.checkout_id is None:
            return None
        codes = (rules.code_of(secret, rules.gift_seed(gift.checkout_id)) for secret in self._secrets())
        return next((code for code in codes if rules.voucher_id(code) == gift.voucher_id), None)

    def _ready(self, code: str, account: Account, now: int) -> Voucher | None:
        """The voucher that this account may redeem; None when it has done so. Raises with the reason where it may
        not."""
        if f"redemption#{rules.redemption_id(code)}" in account.records:
            return None
        voucher = self._store.get(rules.voucher_id(code))
        if voucher is None:
            raise NotFound("there is no voucher with this code", code="voucher_unknown")
        state = voucher.state(now)
        if state == "redeemed":
            raise Conflict("this voucher was redeemed already", code="voucher_used")
        if state == "expired":
            raise Conflict(
                f"this voucher could be redeemed until {rfc3339(voucher.expires_at)}", code="voucher_expired"
            )
        if state != "ready":
            raise Conflict("this voucher is not valid any more", code="voucher_void")
        return voucher


class Following:
    """Applies a voucher's later refund, dispute or revocation to the account that redeemed it."""

    def __init__(self, accounts: AccountStore, plans: PlanStore, store: VoucherStore, secrets: Secrets) -> None:
        self._accounts = accounts
        self._plans = plans
        self._store = store
        self._secrets = secrets

    def follow(self, voucher_id: str, now: int) -> bool:
        """Whether an account changed by it; nothing where nobody redeemed the voucher. May be repeated, in any
        order."""
        voucher = self._store.get(voucher_id)
        if voucher is None or voucher.holder is None:
            return False
        holder = unseal(self._secrets(), voucher_id, voucher.holder)
        if holder is None:
            raise Parked(f"who redeemed voucher {voucher_id} is sealed by a secret that is gone", "seal_unknown")
        user_id, redemption_id = holder
        changed = False

        def decide(account: Account) -> Consequences | None:
            nonlocal changed
            changed = False
            voucher, redemption = self._store.get(voucher_id), account.records.get(f"redemption#{redemption_id}")
            if voucher is None or not isinstance(redemption, Redemption):
                return None  # who redeemed it was erased: there is nothing left to end
            after = account.put(rules.followed(redemption, voucher, now))
            if after is account:
                return None
            changed, catalogue = True, self._plans.catalogue()
            as_read = Unchanged(voucher_id, voucher.closed, voucher.returned)
            return consequences(account, renew(after, catalogue), catalogue, now, vouchers=(as_read,))

        self._accounts.change(user_id, decide)
        return changed


def _read(typed: str) -> str:
    code = rules.read(typed)
    if code is None:
        words = "this is no voucher code: look for a typing error"
        raise InvalidRequest(words, code="voucher_malformed", errors=[{"path": "code", "message": words}])
    return code


def _redeemed(account: Account, code: str, voucher: Voucher, catalogue: Catalogue, now: int) -> Account:
    plan = _plan(voucher, catalogue)
    once = plan is not None and not plan.recurring and not plan.gives_credits
    if plan is not None and once and obstacle(account, catalogue, plan, prepaid=True) is not None:
        words = f"you own {plan.name} already, or are paying for it: keep the voucher, or give it away"
        raise Conflict(words, code="already_purchased", plan_id=plan.plan_id)
    redemption = Redemption(
        redemption_id=rules.redemption_id(code),
        redeemed_at=now,
        plan_id=voucher.plan_id,
        plan_version=voucher.plan_version,
        intervals=voucher.intervals,
        worth_cents=plan.price_cents if plan else 0,
        currency=plan.currency if plan else voucher.currency,
        features=voucher.features,
        sold_cents=voucher.sold_cents,
        batch_id=voucher.batch_id,
    )
    return renew(account.put(redemption), catalogue)


def _plan(voucher: Voucher, catalogue: Catalogue) -> Plan | None:
    if voucher.plan_id is None:
        return None
    plan = catalogue.get(voucher.plan_id, voucher.plan_version)
    if plan is None:
        raise Parked(f"a voucher is of plan {voucher.plan_id}, unknown here", "unknown_plan")
    return plan


def _view(before: Account, after: Account, code: str, catalogue: Catalogue, now: int) -> View:
    """What it gives, and what it runs beside: `before` is the account without it."""
    redemption = after.records[f"redemption#{rules.redemption_id(code)}"]
    assert isinstance(redemption, Redemption)
    plan = catalogue.get(redemption.plan_id, redemption.plan_version) if redemption.plan_id else None
    beside = overlap(before, catalogue, plan, now, prepaid=True) if plan and before is not after else None
    return {
        **voucher_view(redemption, after, catalogue, now),
        "already": redemption.record in before.records,
        "entitlements_version": after.version,
        "overlap": beside
        and {
            "plan_name": beside.plan.name,
            "ends_at": rfc3339(beside.ends_at),
            "renews": beside.renews,
        },
    }
