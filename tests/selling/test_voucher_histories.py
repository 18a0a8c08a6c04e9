"""Gifts and vouchers through random histories: bought, redeemed by anybody, given back, disputed, revoked, told in any
order, twice, late, or followed at any moment. Whatever happened, one account has what a voucher gives, exactly as long
as the money for it is there, and the books are what is kept."""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import pytest

from billing.data import replace
from billing.errors import BillingError
from billing.rules import vouchers as rules
from billing.rules.entitlements import evaluate
from billing.rules.records import Gift
from billing.selling.checkout import Checkouts
from billing.selling.vouchers import Following, Vouchers
from memory import MemoryPlans, MemoryVouchers, World
from samples import USER

SECRET = "a-secret-of-the-histories"
PEOPLE = (USER, "usr_2", "usr_3")
STEPS = 14


class History:
    """One buyer of gifts, three who redeem, and an admin with a batch of two."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 a history, no secret
        self.world = World()
        accounts, plans = cast(Any, self.world.accounts), cast(Any, MemoryPlans())
        self.store = MemoryVouchers(self.world.accounts)
        shelf = cast(Any, self.store)
        self.checkouts = Checkouts(
            accounts, plans, lambda _: self.world.client, ["mock"], "http://portal", voucher_secret=lambda: SECRET
        )
        self.vouchers = Vouchers(accounts, plans, shelf, lambda: [SECRET], "http://portal")
        self.following = Following(accounts, plans, shelf, lambda: [SECRET])
        self.codes = [rules.code_of(SECRET, f"batch#{n}") for n in (1, 2)]
        for number, code in enumerate(self.codes, 1):
            self.store.put(
                rules.Voucher(
                    voucher_id=rules.voucher_id(code),
                    plan_id="plus-month",
                    plan_version=1,
                    sold_cents=700,
                    currency="USD",
                    batch_id="vb_1",
                    number=number,
                )
            )

    def live(self) -> None:
        for _ in range(STEPS):
            act = self.chance.choice(list(self.acts.values()))
            with suppress(BillingError, IndexError):
                act(self)
            if self.chance.random() < 0.5:
                self.tell()
            if self.chance.random() < 0.4:
                self.follow()
        self.tell(all_of_them=True)
        self.follow()

    def tell(self, *, all_of_them: bool = False) -> None:
        """Some of what the provider has said, in any order and some of it twice; in the end all of it."""
        messages = [*self.world.messages]
        self.chance.shuffle(messages)
        if not all_of_them:
            messages = messages[: self.chance.randint(0, len(messages))]
        waiting = messages + messages[:3]
        for _ in range(4):
            late = []
            for message in waiting:
                try:
                    self.world.deliver(message)
                except BillingError:
                    late.append(message)
            waiting = late
        assert not (all_of_them and waiting)

    def follow(self) -> None:
        for voucher_id in self.chance.sample(sorted(self.store.all()), len(self.store.all())):
            self.following.follow(voucher_id, self.world.now)

    def _buy(self) -> None:
        checkout = self.checkouts.create(USER, "plus-month", None, self.world.now, gift=True)
        self.world.provider.pay(checkout["url"].rsplit("/", 1)[1])

    def _redeem(self) -> None:
        bought = [g["code"] for g in self.vouchers.gifts(USER, self.world.now)["gifts"] if g["code"]]
        code = self.chance.choice([*bought, *bought, *self.codes])
        who = self.chance.choice(PEOPLE)
        if self.chance.random() < 0.3:  # somebody else, or the money's way back, comes between reading and writing
            self.world.accounts.before_commit = self.chance.choice([self.tell, lambda: self._by_another(code)])
        self.vouchers.redeem(who, code, self.world.now)

    def _by_another(self, code: str) -> None:
        with suppress(BillingError):
            self.vouchers.redeem(self.chance.choice(PEOPLE), code, self.world.now)

    def _payment(self) -> dict[str, Any]:
        return self.chance.choice(self.world.objects("purchase"))

    def _refund(self) -> None:
        payment = self._payment()
        with suppress(KeyError):  # more than is left: refused there
            self.world.refund(payment["id"], self.chance.choice([None, None, 200]))

    def _at_the_desk(self, what: str) -> None:
        self.world.provider.act(self._payment()["id"], what)

    def _revoke(self) -> None:
        voucher = self.store.get(rules.voucher_id(self.chance.choice(self.codes)))
        assert voucher is not None
        self.store.put(replace(voucher, closed="revoked", returned=voucher.returned or self.chance.random() < 0.5))

    def _wait(self) -> None:
        self.world.provider.clock.advance(self.chance.randint(1, 40 * 3600))

    acts: Mapping[str, Callable[["History"], None]] = {
        "buy": _buy,
        "redeem": _redeem,
        "redeem again": _redeem,
        "refund": _refund,
        "refund fails": lambda self: self._at_the_desk("fail-refund"),
        "dispute": lambda self: self._at_the_desk("dispute"),
        "win": lambda self: self._at_the_desk("win"),
        "lose": lambda self: self._at_the_desk("lose"),
        "revoke": _revoke,
        "wait": _wait,
    }

    # --- what has to be true -----------------------------------------------------------------------------------------

    def judge(self) -> None:
        gifts = {gift.voucher_id: gift for gift in self.world.account.gifts}
        held: dict[str, list[str]] = {}
        for person in PEOPLE:
            for redemption in self.world.accounts.load(person).redemptions:
                held.setdefault(redemption.redemption_id, []).append(person)
        assert all(len(holders) == 1 for holders in held.values()), "one voucher, two who have it"
        for gift in gifts.values():
            self._judge(self._code(gift), _money_is_there(gift), held)
        for code in self.codes:
            voucher = self.store.get(rules.voucher_id(code))
            assert voucher is not None
            self._judge(code, voucher.closed is None, held)
        self._books(gifts)

    def _judge(self, code: str, good: bool, held: Mapping[str, list[str]]) -> None:
        voucher = self.store.get(rules.voucher_id(code))
        assert voucher is not None, "paid for, and no voucher"
        holders = held.get(rules.redemption_id(code), [])
        assert (voucher.holder is not None) == bool(holders)
        assert (voucher.closed is None) == good
        for person in holders:
            (source,) = [
                s
                for s in self.world.accounts.sources[person]
                if (s.kind, s.id) == ("voucher", rules.redemption_id(code))
            ]
            given = source.until is None or source.until > source.start
            assert given == good
            if given and source.open_at(self.world.now):
                assert "ai.insights" in evaluate([source], self.world.now)

    def _code(self, gift: Gift) -> str:
        assert gift.checkout_id is not None
        return rules.code_of(SECRET, rules.gift_seed(gift.checkout_id))

    def _books(self, gifts: Mapping[str, Gift]) -> None:
        money = self.world.money()
        for gift in gifts.values():
            kept = gift.payment.kept_cents if gift.payment else 0
            assert money.get((gift.purchase_id, "USD"), 0) == kept
        for person in PEOPLE:
            for redemption in self.world.accounts.load(person).redemptions:
                booked = 0 if redemption.returned else redemption.sold_cents
                assert money.get((redemption.redemption_id, "USD"), 0) == booked
        assert not any(line.kind == "mrr" for line in self.world.accounts.ledger)


def _money_is_there(gift: Gift) -> bool:
    return gift.payment is not None and not (gift.payment.fully_refunded or gift.payment.suspended)


@pytest.mark.parametrize("seed", range(150))
def test_whatever_happens_one_has_it_as_long_as_its_money_is_there(seed: int) -> None:
    history = History(seed)
    history.live()
    history.judge()


def test_the_histories_are_no_empty_ones() -> None:
    redeemed = closed = 0
    for seed in range(40):
        history = History(seed)
        history.live()
        found = history.store.all().values()
        redeemed += sum(v.holder is not None for v in found)
        closed += sum(v.holder is not None and v.closed is not None for v in found)
    assert redeemed > 40
    assert closed > 10
