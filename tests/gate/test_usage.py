"""Using a metered feature through the store: one write per usual call, exact at every edge."""

from collections import Counter as Tally
from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws, AwsError
from billing.errors import Conflict, FeatureLocked, NotFound, TooManyRequests
from billing.gate.gate import Gate
from billing.gate.usage import Usage
from billing.rules.consequences import consequences
from billing.rules.plans import Allowance, Catalogue, Credits, Plan
from billing.rules.records import Grant, Payment, Purchase, Record, Subscription
from billing.store.accounts import AccountStore
from billing.store.counters import KEY_SECONDS, CounterStore
from samples import CATALOGUE, NOW, TAX_PASS, USER

CREDITS = Plan(
    plan_id="chat-50",
    version=1,
    name="50 questions",
    price_cents=500,
    currency="USD",
    interval="once",
    group="chat-50",
    features={"ai.chat": Credits(3)},
)
WITH_CREDITS = Catalogue((*CATALOGUE.plans, CREDITS))
FREE_LIMIT = 5  # of ai.chat, in the samples


class Meter:
    """Calls of one user, with every AWS call counted."""

    def __init__(self, tables: dict[str, str]) -> None:
        self.calls: Tally[str] = Tally()
        self.aws = Aws("dynamodb", on_call=lambda service, operation: self.calls.update([operation]))
        self.accounts = AccountStore(self.aws, "AccountsTable")
        gate = Gate(self.accounts, "https://portal.example/pricing")
        self.usage = Usage(gate, CounterStore(self.aws, "AccountsTable"), sleep=lambda seconds: None)
        self.catalogue = CATALOGUE

    def __call__(
        self, action: str = "consume", amount: int = 1, *, now: int = NOW, known: Any = (), **more: Any
    ) -> Any:
        call = {"feature": "ai.chat", "action": action, "amount": amount, "expires_in": 60, **more}
        return self.usage.use(USER, call, self.catalogue, now, known)

    def give_credits(self) -> None:
        self.buy(CREDITS)

    def buy(self, plan: Plan) -> None:
        paid = Payment(payment_id=plan.plan_id, amount_cents=plan.price_cents, currency="USD", paid_at=NOW)
        bought = Purchase(
            provider="mock",
            purchase_id=plan.plan_id,
            plan_id=plan.plan_id,
            plan_version=1,
            state="paid",
            amount_cents=plan.price_cents,
            currency="USD",
            observed_at=NOW,
            created_at=NOW,
            payment=paid,
        )
        self.become(bought, at=NOW)

    def become(self, record: Record, at: int, catalogue: Catalogue = WITH_CREDITS) -> None:
        """Puts a record of the user's on the account, as whatever told of it would have."""
        self.catalogue = catalogue
        self.accounts.change(USER, lambda account: consequences(account, account.put(record), catalogue, at))


@pytest.fixture
def meter(tables: dict[str, str]) -> Meter:
    return Meter(tables)


def test_the_usual_call_is_one_conditional_write(meter: Meter) -> None:
    meter()
    meter.calls.clear()
    assert meter() == {
        "feature": "ai.chat",
        "allowed": True,
        "used": 2,
        "remaining": 3,
        "credits": 0,
        "resets_at": "2026-10-01T00:00:00Z",
    }
    assert meter.calls == {"update_item": 1}


def test_the_allowance_ends_exactly_and_the_refusal_offers_more(meter: Meter) -> None:
    assert [meter()["remaining"] for _ in range(FREE_LIMIT)] == [4, 3, 2, 1, 0]
    meter.calls.clear()
    with pytest.raises(FeatureLocked) as refused:
        meter()
    assert refused.value.extensions["scenario"] == "limit_reached"
    offers = refused.value.extensions["offers"]
    assert [o["plan_id"] for o in offers] == ["plus-month", "pro-month", "pro-year"]  # type: ignore[attr-defined]
    assert meter.calls == {"update_item": 1, "get_item": 1}


def test_more_than_is_left_takes_nothing(meter: Meter) -> None:
    meter(amount=3)
    with pytest.raises(FeatureLocked):
        meter(amount=3)
    assert meter(amount=2)["remaining"] == 0


def test_a_new_month_begins_anew(meter: Meter) -> None:
    meter(amount=FREE_LIMIT)
    assert meter(now=NOW + 30 * 86_400)["used"] == 1


def test_credits_bought_a_moment_ago_count_although_the_authorizer_does_not_know_them(meter: Meter) -> None:
    meter(amount=FREE_LIMIT)
    meter.give_credits()
    assert meter()["credits"] == 2
    assert meter()["remaining"] == 1


def test_spending_credits_is_exact_too(meter: Meter) -> None:
    meter.give_credits()
    assert meter(amount=FREE_LIMIT + 1, known=None)["credits"] == 2
    meter.calls.clear()
    meter(amount=2, known=None)
    assert (meter.calls["update_item"], meter.calls["put_item"]) == (1, 1)
    with pytest.raises(FeatureLocked):
        meter(known=None)


def test_an_idempotency_key_counts_once_and_answers_the_same(meter: Meter) -> None:
    first = meter(idempotency_key="key-00000001")
    again = meter(idempotency_key="key-00000001")
    assert again == {**first, "repeated": True}
    assert meter()["used"] == 2


def test_an_idempotency_key_used_for_something_else_is_refused(meter: Meter) -> None:
    meter(idempotency_key="key-00000001")
    with pytest.raises(Conflict) as refused:
        meter(amount=2, idempotency_key="key-00000001")
    assert refused.value.code == "idempotency_key_reused"


def test_an_idempotency_key_is_forgotten_after_a_day(meter: Meter) -> None:
    meter(idempotency_key="key-00000001")
    assert "repeated" not in meter(idempotency_key="key-00000001", now=NOW + KEY_SECONDS)


def credits_until(grant_id: str, amount: int, until: int | None, **more: Any) -> Grant:
    features: dict[str, Any] = {"ai.chat": {"credits": amount}}
    known = {"granted_by": "usr_admin", "reason": "test", "granted_at": NOW, "expires_at": until}
    return Grant(grant_id=grant_id, features=features, **{**known, **more})


def test_credits_that_ended_take_nothing_of_those_bought_for_good(meter: Meter) -> None:
    day = 86_400
    meter.become(credits_until("month", 3, NOW + 30 * day), at=NOW)
    meter(amount=FREE_LIMIT + 3, known=None)
    meter.become(credits_until("good", 3, None), at=NOW)
    later = NOW + 31 * day
    assert meter(amount=FREE_LIMIT, known=None, now=later)["credits"] == 3
    assert meter(amount=3, known=None, now=later)["credits"] == 0


def test_credits_given_back_take_what_is_left_of_themselves_alone(meter: Meter) -> None:
    meter.become(credits_until("first", 3, NOW + 86_400), at=NOW)
    meter.become(credits_until("second", 3, None), at=NOW)
    assert meter(amount=FREE_LIMIT + 2, known=None)["credits"] == 4
    meter.become(credits_until("first", 3, NOW + 86_400, revoked_at=NOW), at=NOW)
    assert meter(amount=1, known=None)["credits"] == 2


def test_a_refused_call_does_not_use_up_its_key(meter: Meter) -> None:
    meter(amount=FREE_LIMIT)
    with pytest.raises(FeatureLocked):
        meter(idempotency_key="key-00000001")
    meter.give_credits()
    assert meter(idempotency_key="key-00000001")["credits"] == 2


def test_a_reservation_is_settled_for_what_was_used(meter: Meter) -> None:
    reserved = meter("reserve", 4)
    assert reserved["remaining"] == 1
    with pytest.raises(FeatureLocked):
        meter(amount=2)
    settled = meter("settle", 1, reservation_id=reserved["reservation_id"])
    assert (settled["used"], settled["remaining"]) == (1, 4)


def test_a_reservation_of_allowance_and_credits_is_settled_and_the_credits_come_back_first(meter: Meter) -> None:
    meter.give_credits()
    name = meter("reserve", FREE_LIMIT + 2, known=None)["reservation_id"]
    with pytest.raises(Conflict) as refused:
        meter("settle", FREE_LIMIT + 3, reservation_id=name, known=None)
    assert refused.value.code == "reservation_exceeded"
    settled = meter("settle", FREE_LIMIT + 1, reservation_id=name, known=None)
    assert (settled["used"], settled["credits"], settled["remaining"]) == (FREE_LIMIT, 2, 2)
    name = meter("reserve", 2, known=None)["reservation_id"]
    settled = meter("settle", 2, reservation_id=name, known=None)
    assert (settled["used"], settled["credits"], settled["remaining"]) == (FREE_LIMIT, 0, 0)


def test_whoever_has_used_up_a_plan_is_offered_only_what_allows_more(meter: Meter) -> None:
    grant = Grant(
        grant_id="g",
        features={"ai.chat": {"limit": 200, "per": "month"}},
        granted_by="usr_admin",
        reason="test",
        granted_at=NOW,
    )
    meter.become(grant, at=NOW)
    meter(amount=200, known=None)
    with pytest.raises(FeatureLocked) as refused:
        meter(known=None)
    offers = refused.value.extensions["offers"]
    assert [o["plan_id"] for o in offers] == ["chat-50", "pro-month", "pro-year"]  # type: ignore[attr-defined]


def test_a_reservation_is_released_once(meter: Meter) -> None:
    name = meter("reserve", 4)["reservation_id"]
    assert meter("release", reservation_id=name)["remaining"] == FREE_LIMIT
    with pytest.raises(NotFound):
        meter("release", reservation_id=name)


def test_a_repeated_settlement_with_its_key_changes_nothing(meter: Meter) -> None:
    name = meter("reserve", 4)["reservation_id"]
    first = meter("settle", 2, reservation_id=name, idempotency_key="key-00000001")
    assert meter("settle", 2, reservation_id=name, idempotency_key="key-00000001") == {**first, "repeated": True}


def test_more_than_was_reserved_cannot_be_settled(meter: Meter) -> None:
    name = meter("reserve", 2)["reservation_id"]
    with pytest.raises(Conflict):
        meter("settle", 3, reservation_id=name)


def test_an_expired_reservation_makes_room_and_cannot_be_settled(meter: Meter) -> None:
    name = meter("reserve", FREE_LIMIT)["reservation_id"]
    assert meter(now=NOW + 60)["remaining"] == FREE_LIMIT - 1
    with pytest.raises(NotFound):
        meter("settle", 1, reservation_id=name, now=NOW + 60)


@pytest.mark.parametrize("operation", ["UpdateItem", "PutItem"])
def test_a_call_that_meets_a_transaction_on_its_counter_is_tried_again(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """DynamoDB refuses a plain write of an item that a transaction (a call with a key) is just writing."""
    call, in_the_way = meter.aws.call, [operation]

    def meets(service: str, name: str, **request: Any) -> Any:
        if in_the_way and name == {"UpdateItem": "update_item", "PutItem": "put_item"}[in_the_way[0]]:
            raise AwsError(in_the_way.pop(), "TransactionConflictException")
        return call(service, name, **request)

    monkeypatch.setattr(meter.aws, "call", meets)
    assert meter()["used"] == 1
    assert in_the_way == []


def test_too_many_reservations_at_once_are_refused(meter: Meter) -> None:
    meter.catalogue = Catalogue((*[p for p in CATALOGUE.plans if p.plan_id != "free"], _large_free()))
    for _ in range(50):
        meter("reserve")
    with pytest.raises(TooManyRequests):
        meter("reserve")


def test_a_feature_that_is_not_in_the_plan_is_locked(meter: Meter) -> None:
    with pytest.raises(FeatureLocked) as refused:
        meter(feature="tax.enhanced")
    assert refused.value.extensions["scenario"] == "not_in_plan"


def test_a_switch_is_open_and_counts_nothing(meter: Meter) -> None:
    meter.catalogue = Catalogue((_large_free(**TAX_PASS.features),))
    meter.calls.clear()
    answer = meter(feature="tax.enhanced")
    assert (answer["allowed"], answer["remaining"]) == (True, None)
    assert not meter.calls


def test_each_call_of_a_batch_is_judged_alone(meter: Meter) -> None:
    calls = [
        {"feature": "ai.chat", "action": "consume", "amount": 4, "expires_in": 60},
        {"feature": "tax.enhanced", "action": "consume", "amount": 1, "expires_in": 60},
        {"feature": "ai.chat", "action": "consume", "amount": 2, "expires_in": 60},
        {"feature": "ai.chat", "action": "consume", "amount": 1, "expires_in": 60},
    ]
    results = meter.usage.use_all(USER, calls, CATALOGUE, NOW, ())
    assert [(r["allowed"], r.get("code")) for r in results] == [
        (True, None),
        (False, "feature_locked"),
        (False, "feature_locked"),
        (True, None),
    ]


def _large_free(**features: Any) -> Plan:
    from dataclasses import replace

    from billing.rules.plans import Allowance
    from samples import FREE

    return replace(FREE, features={"ai.chat": Allowance(1000), **features})


def test_an_allowance_of_the_paid_period_begins_anew_with_the_next_payment_and_not_before(meter: Meter) -> None:
    plan = replace(
        CREDITS,
        plan_id="chat-year",
        interval="year",
        group="chat",
        features={"ai.chat": Allowance(300, "billing_period")},
    )
    year = 365 * 86_400
    catalogue = Catalogue((*CATALOGUE.plans, plan))

    def paid(number: int) -> Subscription:
        start = NOW + number * year
        payments = {
            f"in_{n}": Payment(
                payment_id=f"in_{n}",
                amount_cents=500,
                currency="USD",
                paid_at=NOW + n * year,
                period_start=NOW + n * year,
                period_end=NOW + (n + 1) * year,
            )
            for n in range(number + 1)
        }
        return Subscription(
            provider="stripe",
            subscription_id="sub_1",
            plan_id="chat-year",
            plan_version=1,
            status="active",
            current_period_start=start,
            current_period_end=start + year,
            observed_at=start,
            created_at=NOW,
            payments=payments,
        )

    meter.become(paid(0), NOW, catalogue)
    whole = 300 + FREE_LIMIT  # The free plan's run beside it, by calendar month.
    assert meter(amount=whole, known=None)["remaining"] == 0
    with pytest.raises(FeatureLocked):
        meter(now=NOW + 60, known=None)
    for later in (NOW + 40 * 86_400, NOW + year - 1):
        month_on = meter(now=later, amount=FREE_LIMIT, known=None)
        assert (month_on["used"], month_on["remaining"]) == (whole, 0)
        with pytest.raises(FeatureLocked):
            meter(now=later, known=None)
    meter.become(paid(1), NOW + year, catalogue)
    renewed = meter(now=NOW + year + 60, known=None)
    assert (renewed["used"], renewed["remaining"]) == (FREE_LIMIT + 1, 299)
