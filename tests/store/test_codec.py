"""Every record comes back from the table as it went in."""

from dataclasses import fields
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.past import COVERING_KEPT
from billing.rules.records import (
    Booked,
    Checkout,
    DeletedCustomer,
    Dispute,
    Double,
    Dunning,
    Ended,
    Gift,
    Grant,
    Mandate,
    PastPayment,
    Payment,
    Purchase,
    Record,
    Redemption,
    Refund,
    RefundRequest,
    Renewal,
    Subscription,
    Term,
)
from billing.store import codec
from billing.store.codec import item, packed, record_from_item, record_to_item, unpacked, values

texts = st.text("abc_-#:é", min_size=1, max_size=8)
features = st.dictionaries(texts, st.one_of(st.booleans(), st.integers(0, 99), st.just({"limit": 5, "per": "month"})))


def of(kind: type) -> st.SearchStrategy[Any]:
    """Any record of a kind, by the types of its fields."""
    hints = get_type_hints(kind)
    known: dict[str, st.SearchStrategy[Any]] = {}
    for f in fields(kind):
        special = (kind, f.name)
        known[f.name] = MAPPINGS[special] if special in MAPPINGS else _of_type(hints[f.name])
    return st.builds(kind, **known)


def _of_type(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(_of_type, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(_of_type(get_args(hint)[0]), max_size=3).map(tuple)
    if hint is type(None):
        return st.none()
    plain = {str: texts, int: st.integers(0, 2**40), bool: st.booleans()}
    return plain[hint] if hint in plain else st.deferred(lambda: of(hint))


def by_id(kind: type) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: st.dictionaries(texts, of(kind), max_size=2))


COUNTS = st.fixed_dictionaries(dict.fromkeys(("mrr_cents", "paying", "trialing"), st.integers(0, 99)))
MAPPINGS: dict[tuple[type, str], st.SearchStrategy[Any]] = {
    (Payment, "refunds"): by_id(Refund),
    (Payment, "disputes"): by_id(Dispute),
    (Subscription, "payments"): by_id(Payment),
    (Subscription, "unpaid"): by_id(Dunning),
    (Grant, "features"): features,
    (Redemption, "features"): features,
    (Booked, "positions"): st.dictionaries(texts, COUNTS, max_size=2),
    (Booked, "since"): st.dictionaries(texts, texts, max_size=2),
    (Ended, "laid"): st.dictionaries(texts, st.tuples(st.integers(), st.integers(), st.integers(), st.booleans())),
    (Ended, "until"): st.dictionaries(texts, st.integers(), max_size=2),
    (Ended, "newest"): st.dictionaries(texts, st.tuples(st.integers(), st.integers(), texts), max_size=2),
}
KINDS: list[type[Any]] = [
    PastPayment,
    Subscription,
    Purchase,
    Term,
    Gift,
    Redemption,
    Grant,
    Renewal,
    Checkout,
    Mandate,
    Booked,
    DeletedCustomer,
    Double,
    RefundRequest,
    Ended,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_record_survives_its_item(kind: type[Any]) -> None:
    @given(of(kind))
    def survives(record: Record) -> None:
        stored = record_to_item("usr_1", record)
        assert record_from_item(stored) == record
        assert stored["user_id"] == {"S": "usr_1"}
        assert stored["record"] == {"S": record.record}

    survives()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_of_a_later_version_are_left_out(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In what lies inside a record too: after a new version was taken back, accounts can still be read."""
    plain = codec._plain
    monkeypatch.setattr(codec, "_plain", lambda value: {**plain(value), "of_a_later_version": "x"})

    @given(of(kind))
    def survives(record: Record) -> None:
        assert record_from_item(record_to_item("usr_1", record)) == record

    survives()


def test_every_kind_of_record_is_tried() -> None:
    assert set(KINDS) == set(get_args(Record))
    assert {Dunning, Payment}.isdisjoint(KINDS), "these lie inside a record"


def test_a_record_of_an_unknown_kind_is_an_error_and_never_a_guess() -> None:
    with pytest.raises(KeyError):
        record_from_item(item({"user_id": "usr_1", "record": "voucher#1"}))


def test_a_record_is_read_under_the_names_that_its_fields_had_before() -> None:
    back = Refund(refund_id="re_1", amount_cents=151, status="succeeded", observed_at=2, exact_amount="1.505 USD")
    paid = Payment(payment_id="inv_2", amount_cents=900, currency="USD", paid_at=1, refunds={"re_1": back})
    purchase = Purchase(
        provider="btcpay",
        purchase_id="inv_2",
        plan_id="tax-pass",
        plan_version=1,
        state="paid",
        amount_cents=900,
        currency="USD",
        observed_at=2,
        created_at=1,
        duplicate_of="pur_1",
        payment=paid,
    )
    stored = record_to_item("usr_1", purchase)
    payment = stored["payment"]["S"].replace('"exact_amount":', '"told":')
    assert payment != stored["payment"]["S"]
    before = {**stored, "payment": {"S": payment}, "doubles": stored["duplicate_of"]}
    del before["duplicate_of"]
    assert record_from_item(before) == purchase


def test_what_is_none_is_left_out() -> None:
    assert item({"a": None, "b": 0, "c": False, "d": ""}) == {"b": {"N": "0"}, "c": {"BOOL": False}, "d": {"S": ""}}


@given(st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans())))
def test_scalars_survive(known: dict[str, Any]) -> None:
    assert values(item(known)) == known


def test_a_subscription_whose_provider_gave_up_collecting_can_still_be_read() -> None:
    """`next_attempt_at` None says so: left out, the account could not be loaded any more."""
    gave_up = Dunning(invoice_id="in_1", attempt_count=4, next_attempt_at=None, observed_at=1)
    subscription = Subscription(
        provider="stripe",
        subscription_id="sub_1",
        plan_id="plus-month",
        plan_version=1,
        status="past_due",
        current_period_start=0,
        current_period_end=1,
        observed_at=1,
        created_at=0,
        unpaid={"in_1": gave_up},
    )
    assert record_from_item(record_to_item("usr_1", subscription)) == subscription


def test_twice_the_payments_that_stay_fit_into_an_item_even_if_each_was_returned_and_disputed() -> None:
    """DynamoDB refuses an item beyond 400 KB, and with it every further change of the account."""
    name, at = "x" * 27, 1_790_000_000
    back = Refund(
        refund_id=name,
        amount_cents=99_999,
        status="succeeded",
        observed_at=at,
        reason="requested_by_customer",
        since=at,
    )
    taken = Dispute(
        dispute_id=name, amount_cents=99_999, status="open", observed_at=at, reason="product_not_received", since=at
    )
    paid = {
        f"in_{n:024}": Payment(
            payment_id=f"in_{n:024}",
            amount_cents=99_999,
            currency="USD",
            paid_at=at,
            refs=(name, name),
            period_start=at,
            period_end=at,
            fee_cents=9_999,
            refunds={name: back},
            disputes={name: taken},
        )
        for n in range(2 * COVERING_KEPT)
    }
    subscription = Subscription(
        provider="stripe",
        subscription_id=name,
        plan_id="plus-month",
        plan_version=1,
        status="active",
        current_period_start=at,
        current_period_end=at,
        observed_at=at,
        created_at=at,
        payments=paid,
    )
    stored = record_to_item("usr_1", subscription)
    assert sum(len(key) + len(str(value)) for key, value in stored.items()) < 400_000


@given(st.lists(features, max_size=60))
def test_a_packed_value_comes_back_as_it_was(value: Any) -> None:
    assert unpacked(packed(value)) == value


def test_what_repeats_costs_little_to_store_and_what_is_short_stays_readable() -> None:
    plan = {f"feature.{n}": True for n in range(200)}
    assert len(packed([plan, plan, plan])) < 1024
    assert packed([{"ai.chat": True}]) == '[{"ai.chat":true}]'
    assert unpacked('[{"ai.chat": true}]') == [{"ai.chat": True}]
