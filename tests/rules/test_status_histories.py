"""Random histories of one account: at every instant, each date and amount of the status agrees with the gate.

What a page says comes from the status alone (its texts take no other date or amount), so what holds here holds there.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.api.answers.status import SubscriptionStatus
from billing.api.status import quotes, subscription_status
from billing.rules.access import windows
from billing.rules.records import Account, Dispute, Purchase, Record, Refund, Subscription, Term
from billing.rules.times import DAY
from samples import CATALOGUE, NOW, USER
from tests.rules.test_access import owed, payment, purchase, subscription, term

PERIOD = 30 * DAY
moments = st.integers(0, 80).map(lambda days: NOW + days * DAY + 7)


def moment(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp())


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    began = draw(moments)
    status = draw(
        st.sampled_from(["trialing", "active", "past_due", "unpaid", "paused", "canceled", "incomplete_expired"])
    )
    ends = began + PERIOD
    more: dict[str, Any] = {"created_at": began, "current_period_start": began, "current_period_end": ends}
    more["plan_id"] = draw(st.sampled_from(["plus-month", "pro-month"]))
    if status == "trialing":
        more["trial_end"] = ends
    if status in ("past_due", "unpaid"):
        retry = draw(st.none() | st.just(began + 3 * DAY))
        more["unpaid"] = owed(start=began, end=ends, next_attempt_at=retry)
    if status == "canceled":
        more["ended_at"] = began + draw(st.integers(0, 30)) * DAY
        more["cancel_reason"] = draw(st.sampled_from([None, "unused", "payment_failed", "payment_disputed"]))
    elif draw(st.booleans()):
        more |= {"cancel_at_period_end": True} if draw(st.booleans()) else {"cancel_at": ends + 90 * DAY}
    if status in ("active", "canceled", "past_due"):
        paid = payment(900, period_start=began, period_end=ends)
        if draw(st.booleans()):
            dispute = Dispute(
                dispute_id="dp",
                amount_cents=900,
                status=draw(st.sampled_from(["open", "won", "lost"])),
                observed_at=began + DAY,
            )
            paid = replace(paid, disputes={"dp": dispute})
        if status != "past_due" or draw(st.booleans()):
            more["payments"] = {"pay_1": paid}
    return subscription(status, observed_at=draw(st.integers(0, 20)) * DAY + began, **more)


@st.composite
def bought(draw: st.DrawFn, number: int) -> Purchase:
    at = draw(moments)
    state = draw(st.sampled_from(["pending", "processing", "failed", "underpaid", "paid_late", "paid"]))
    make = draw(st.sampled_from([term, purchase]))
    price = 900 if make is term else 4900
    came = {"pending": 0, "failed": draw(st.sampled_from([0, price])), "underpaid": price // 2}.get(state, price)
    money = replace(payment(came), paid_at=at, payment_id=f"inv_{number}") if came else None
    if money and draw(st.booleans()):
        back = Refund(
            refund_id="re",
            amount_cents=came,
            status=draw(st.sampled_from(["pending", "succeeded", "failed"])),
            observed_at=at + DAY,
        )
        money = replace(money, refunds={"re": back})
    more = {"purchase_id": f"inv_{number}", "created_at": at, "observed_at": at, "expires_at": at + 900}
    return make(state, payment=money, received_cents=came, **more)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    records: list[Record] = [draw(bought(number)) for number in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        records.append(draw(subscriptions()))
    return Account(USER).put(*records)


@given(account=accounts(), now=moments)
def test_every_date_agrees_with_the_gate(account: Account, now: int) -> None:
    status = subscription_status(account, CATALOGUE, now)
    SubscriptionStatus.model_validate(status)
    agrees_with_the_gate(account, status, now)


def agrees_with_the_gate(account: Account, status: dict[str, Any], now: int) -> None:
    given_by = windows(account, CATALOGUE)
    for view in [*status["subscriptions"], *status["terms"], *status["purchases"]]:
        mine = [w for w in given_by if w.record_id == view.get("subscription_id", view.get("purchase_id"))]
        assert view["open"] == any(w.open_at(now) for w in mine)
        until, ended = moment(view["access_until"]), moment(view["ended_at"])
        if until is not None and view["open"]:
            assert not any(w.open_at(until) for w in mine), "what is said to end goes on"
            assert all(any(w.open_at(at) for w in mine) for at in range(now, until, max(1, (until - now) // 7)))
        if ended is not None:
            assert ended <= now
            assert not view["open"]
            assert not any(w.open_at(now) for w in mine)
        following = view.get("next")
        if following and following["at"]:
            assert (moment(following["at"]) < now) == (following["kind"] == "awaited"), "said to come, and is past"  # type: ignore[operator]
        if following and following["kind"] == "ends":
            assert following["at"] in (view["access_until"], view["ended_at"]), "two dates for one end"
        if view.get("payment_problem"):
            assert view["payment_problem"]["access_until"] == view["access_until"]
        if view.get("cancel_at") and following["kind"] == "retries":
            raise AssertionError("who has cancelled is told of another attempt")
        invoice = view.get("invoice")
        if invoice:
            assert not (invoice["again"] and invoice["payable"])
            assert not (invoice["payable"] and moment(view["payable_until"]) <= now)


@given(account=accounts(), now=moments)
def test_the_plan_in_force_and_what_ended_agree_with_the_gate(account: Account, now: int) -> None:
    status = subscription_status(account, CATALOGUE, now)
    live = [w for w in windows(account, CATALOGUE) if w.plan and w.plan.recurring and w.open_at(now)]
    assert bool(live) == (status["plan_id"] != "free")
    if status["ended"] is not None:
        assert not live
        assert moment(status["ended"]["ended_at"]) <= now  # type: ignore[operator]
    until = moment(status["access_until"])
    if until is not None:
        mine = [w for w in windows(account, CATALOGUE) if w.plan and w.plan.plan_id == status["plan_id"]]
        assert now < until
        assert not any(w.open_at(until) for w in mine)


@given(account=accounts(), now=moments)
def test_a_quote_asks_for_what_a_checkout_would(account: Account, now: int) -> None:
    for quote in quotes(account, CATALOGUE, ["mock", "btcpay"], now):
        for rail in quote["rails"]:
            assert rail["due_now_cents"] in (0, rail["price_cents"])
            assert (rail["due_now_cents"] == 0) == (rail["trial_days"] > 0 and rail["rail"] == "card")
            assert moment(rail["first_charge_at"]) == now + (
                rail["trial_days"] * DAY if rail["due_now_cents"] == 0 else 0
            )
            assert rail["access_until"] is None or moment(rail["access_until"]) > moment(rail["starts_at"])  # type: ignore[operator]
        if any(isinstance(r, Term) and r.paid for r in account.records.values()) and quote["move"] == "buy":
            assert all(rail["trial_days"] == 0 for rail in quote["rails"] if rail["rail"] == "card")
