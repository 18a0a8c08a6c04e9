"""One voucher and a crowd, on the engine's real transactions: one has it, and everybody else is told so."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.errors import BillingError
from billing.rules import vouchers as rules
from billing.rules.history import By
from billing.rules.vouchers import Batch, Voucher
from billing.selling.vouchers import Following, Vouchers
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.plans import PlanStore
from billing.store.vouchers import VoucherStore
from demo.shop import Owner, Shop

pytestmark = pytest.mark.engine
CROWD, THREADS = 1000, 32


class Counterpart:
    """A batch of its own, and what redeems it."""

    def __init__(self, shop: Shop, count: int = 1) -> None:
        aws, table = Owner(shop.engine), shop.engine.resource("AccountsTable")
        self.now = shop.mock.clock.now()
        self.accounts = AccountStore(aws, table, shop.engine.resource("PaymentEventsTable"))
        plans = PlanStore(aws, shop.engine.resource("PlansTable"))
        plan = plans.catalogue(fresh=True).get("plus-month")
        assert plan is not None
        self.store = VoucherStore(aws, table)
        # The stack's own, because its stream follows these vouchers too.
        kept = shop.engine.client("secretsmanager").get_secret_value(SecretId=shop.engine.resource("VoucherSecret"))
        secret = kept["SecretString"]
        self.vouchers = Vouchers(self.accounts, plans, self.store, lambda: [secret], "https://shop")
        self.following = Following(self.accounts, plans, self.store, lambda: [secret])
        batch_id = f"vb_{uuid.uuid4().hex[:16]}"
        given = {"plan_id": plan.plan_id, "plan_version": plan.version, "currency": "USD", "sold_cents": 700}
        self.codes = [rules.code_of(secret, rules.batch_seed(batch_id, n + 1)) for n in range(count)]
        made = [
            Voucher(voucher_id=rules.voucher_id(code), batch_id=batch_id, number=n + 1, **given)  # type: ignore[arg-type]
            for n, code in enumerate(self.codes)
        ]
        batch = Batch(batch_id=batch_id, count=count, made_at=self.now, made_by="usr_admin", note="a crowd")
        noted = AuditLog(aws, table).entry(By(actor="usr_admin", action="make_vouchers", subject=batch_id), self.now)
        assert self.store.make(batch, made, noted)

    def redeemed_by(self, people: list[str]) -> list[str]:
        return [p for p in people if any(r.closed is None for r in self.accounts.load(p).redemptions)]


def at_once(calls: list[Callable[[], object]]) -> Counter[str]:
    """What became of each: done, or the code of its error."""
    begin = threading.Event()

    def run(call: Callable[[], object]) -> str:
        begin.wait()
        try:
            call()
        except BillingError as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(run, call) for call in calls]
        begin.set()
        return Counter(each.result() for each in running)


def test_of_a_thousand_who_redeem_one_voucher_at_once_one_has_it(shop_engine: Shop) -> None:
    crowd = Counterpart(shop_engine)
    (code,) = crowd.codes
    people = [f"usr_{uuid.uuid4().hex}" for _ in range(CROWD)]
    outcomes = at_once([lambda p=p: crowd.vouchers.redeem(p, code, crowd.now) for p in people])
    assert outcomes["done"] == 1
    assert set(outcomes) <= {"done", "voucher_used", "try_again"}
    assert outcomes["voucher_used"] > CROWD * 9 // 10
    (winner,) = crowd.redeemed_by(people)
    assert [line["amount_cents"] for line in crowd.accounts.past(winner, "~ledger#", 9)] == [700]
    assert crowd.vouchers.redeem(winner, code, crowd.now)["already"] is True


def test_one_who_asks_many_times_at_once_has_it_once(shop_engine: Shop) -> None:
    crowd = Counterpart(shop_engine)
    (code,) = crowd.codes
    user = f"usr_{uuid.uuid4().hex}"
    outcomes = at_once([lambda: crowd.vouchers.redeem(user, code, crowd.now)] * 40)
    assert set(outcomes) <= {"done", "try_again"}
    assert outcomes["done"] > 0
    account = crowd.accounts.load(user)
    assert len(account.redemptions) == 1
    assert [line["amount_cents"] for line in crowd.accounts.past(user, "~ledger#", 9)] == [700]


@pytest.mark.parametrize("turn", range(3))
def test_who_redeems_while_it_is_revoked_has_it_or_has_not_and_nothing_between(shop_engine: Shop, turn: int) -> None:
    crowd = Counterpart(shop_engine, count=12)
    people = [f"usr_{uuid.uuid4().hex}" for _ in crowd.codes]

    def revoke() -> None:
        for code in crowd.codes:
            voucher = crowd.store.get(rules.voucher_id(code))
            assert voucher is not None
            if not crowd.store.close(voucher, returned=False):
                again = crowd.store.get(rules.voucher_id(code))
                assert again is not None
                crowd.store.close(again, returned=False)
            crowd.following.follow(voucher.voucher_id, crowd.now)

    calls: list[Callable[[], object]] = [
        *(lambda p=p, c=c: crowd.vouchers.redeem(p, c, crowd.now) for p, c in zip(people, crowd.codes, strict=True)),
        revoke,
        revoke,
    ]
    at_once(calls[turn * 4 :] + calls[: turn * 4])
    assert crowd.redeemed_by(people) == [], "all are revoked, whoever was faster"
    states = {v.state(crowd.now) for v in crowd.store.many([rules.voucher_id(c) for c in crowd.codes]).values()}
    assert states == {"revoked"}
