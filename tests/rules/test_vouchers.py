"""Codes, and what a redeemed voucher means for access and books."""

from collections.abc import Mapping
from typing import Any

import pytest

from billing.data import replace
from billing.rules import vouchers
from billing.rules.access import term_runs
from billing.rules.consequences import Consequences, consequences
from billing.rules.entitlements import Entitlement, decide
from billing.rules.ledger import positions
from billing.rules.plans import Credits
from billing.rules.records import Account, Dispute, Gift, Payment, Redemption, Refund, Term
from billing.rules.standing import standings
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from billing.rules.vouchers import Voucher
from samples import CATALOGUE, NOW, PLUS, PRO, TAX_PASS, USER

SECRET = "a-secret-of-the-service"
CODE = vouchers.code_of(SECRET, "batch#1")


def test_a_code_is_the_same_whenever_it_is_drawn_and_another_for_every_seed_and_secret() -> None:
    codes = {vouchers.code_of(secret, f"batch#{n}") for secret in (SECRET, "another") for n in range(500)}
    assert len(codes) == 1000
    assert all(len(code) == 20 and vouchers.read(code) == code for code in codes)
    assert vouchers.code_of(SECRET, "batch#1") == CODE


def test_the_codes_of_today_are_the_codes_of_tomorrow() -> None:
    """They stand printed on cards: how they are drawn never changes."""
    assert vouchers.shown(vouchers.code_of("secret", "vb_1#1")) == "21VG3-QH9RX-MS703-8T514"


@pytest.mark.parametrize(
    "typed",
    [
        vouchers.shown(CODE),
        vouchers.shown(CODE).lower(),
        f"  {CODE[:10]} {CODE[10:]}\n",
        CODE.replace("0", "O").replace("1", "I"),
        CODE.replace("0", "o").replace("1", "l"),
        vouchers.shown(CODE).replace("-", "–"),
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert vouchers.read(typed) == CODE


def test_a_code_is_shown_in_groups_of_five() -> None:
    assert vouchers.shown("7Q4XK" * 4) == "7Q4XK-7Q4XK-7Q4XK-7Q4XK"


def test_no_typing_error_of_one_character_makes_another_code() -> None:
    for place, right in enumerate(CODE):
        for wrong in set(vouchers.ALPHABET) - {right}:
            assert vouchers.read(CODE[:place] + wrong + CODE[place + 1 :]) is None


def test_no_two_characters_that_changed_places_make_another_code() -> None:
    for first in range(len(CODE)):
        for second in range(first + 1, len(CODE)):
            swapped = list(CODE)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            assert vouchers.read("".join(swapped)) == (CODE if CODE[first] == CODE[second] else None)


@pytest.mark.parametrize("typed", ["", "U" * 20, CODE[:-1], CODE + "0", "🙂" * 20, "½" * 20, "ſ" * 20])
def test_what_is_no_code_is_told_before_anybody_is_asked(typed: str) -> None:
    assert vouchers.read(typed) is None


def test_what_is_kept_of_a_code_leads_neither_to_it_nor_from_one_to_the_other() -> None:
    kept = {vouchers.voucher_id(CODE), vouchers.redemption_id(CODE)}
    assert len(kept) == 2
    assert not any(CODE in name.upper() for name in kept)


def test_a_gifts_checkout_names_its_voucher_and_no_other_checkout_does() -> None:
    checkout_id = vouchers.gift_checkout(SECRET, "0123456789abcdef0123")
    code = vouchers.code_of(SECRET, vouchers.gift_seed(checkout_id))
    assert vouchers.given_by(checkout_id) == vouchers.voucher_id(code)
    assert vouchers.given_by("chk_0123") is None
    assert vouchers.given_by(None) is None


# --- in an account ---------------------------------------------------------------------------------------------------


def redemption(**changes: Any) -> Redemption:
    known: dict[str, Any] = {"plan_id": "plus-month", "plan_version": 1, "worth_cents": 900, "currency": "USD"}
    return Redemption(**{"redemption_id": "r1", "redeemed_at": NOW, **known, **changes})


def term(paid_at: int = NOW, plan: Any = PLUS) -> Term:
    payment = Payment(payment_id="inv_1", amount_cents=plan.price_cents, currency="USD", paid_at=paid_at)
    return Term(
        provider="btcpay",
        purchase_id="inv_1",
        plan_id=plan.plan_id,
        plan_version=1,
        state="paid",
        amount_cents=plan.price_cents,
        currency="USD",
        observed_at=paid_at,
        created_at=paid_at,
        payment=payment,
    )


def become(before: Account, *records: Any, now: int = NOW) -> Consequences:
    return consequences(before, before.put(*records), CATALOGUE, now)


def opened(after: Consequences, feature: str, now: int) -> bool:
    return isinstance(decide(after.sources, feature, now), Entitlement)


def lines(found: Consequences) -> list[tuple[str, int, str | None]]:
    return [(line.kind, line.amount_cents, line.reason) for line in found.lines]


def test_a_voucher_is_a_source_that_says_so_and_ends() -> None:
    found = become(Account(USER), redemption())
    (source,) = found.sources
    end = add_interval(NOW, "month")
    assert (source.kind, source.id, source.reason, source.until) == ("voucher", "r1", "redeemed", end)
    assert opened(found, "ai.insights", end - 1)
    assert not opened(found, "ai.insights", end)


def test_three_months_are_three_periods_one_after_the_other() -> None:
    found = become(Account(USER), redemption(intervals=3))
    periods = [s.period for s in sorted(found.sources, key=lambda s: s.start)]
    assert [p and p[0] for p in periods[1:]] == [p and p[1] for p in periods[:-1]]
    assert len(periods) == 3
    assert periods[0] == (NOW, add_interval(NOW, "month"))


def test_a_voucher_follows_a_term_and_a_term_follows_a_voucher() -> None:
    first = become(Account(USER), term(), redemption(redeemed_at=NOW + DAY))
    runs = sorted(first.sources, key=lambda s: s.start)
    assert [s.kind for s in runs] == ["term", "voucher"]
    assert runs[0].until == runs[1].start
    second = become(Account(USER), redemption(), term(NOW + DAY))
    runs = sorted(second.sources, key=lambda s: s.start)
    assert [s.kind for s in runs] == ["voucher", "term"]
    assert runs[0].until == runs[1].start


def test_a_better_plan_that_is_paid_takes_over_what_is_left_of_a_voucher() -> None:
    half = NOW + (add_interval(NOW, "month") - NOW) // 2
    found = become(Account(USER), redemption(), term(half, PRO))
    by_kind = {s.kind: s for s in found.sources}
    assert (by_kind["voucher"].reason, by_kind["voucher"].until) == ("replaced", half)
    longer = (by_kind["term"].until or 0) - add_interval(half, "month")
    assert longer > 6 * DAY, "half a month of Plus is worth a week of Pro"


def test_what_is_given_for_nothing_is_in_no_book() -> None:
    found = become(Account(USER), redemption())
    assert lines(found) == []
    assert positions(found.after, term_runs(found.after, CATALOGUE), CATALOGUE, NOW) == {}
    assert found.after.booked.review_at is None


def test_what_was_sold_is_booked_when_it_is_redeemed_and_taken_back_when_it_was_returned() -> None:
    before = become(Account(USER), redemption(sold_cents=700))
    assert lines(before) == [("payment", 700, "voucher")]
    again = become(before.after, redemption(sold_cents=700))
    assert lines(again) == []
    revoked = become(before.after, redemption(sold_cents=700, closed="revoked", closed_at=NOW + 9), now=NOW + 9)
    assert lines(revoked) == [], "what was paid stays booked until it is given back"
    back = redemption(sold_cents=700, closed="revoked", closed_at=NOW + 9, returned=True)
    assert lines(become(before.after, back, now=NOW + 9)) == [("refund", -700, "voucher")]


def test_credits_add_up_for_good_and_stand_in_the_books_under_their_feature() -> None:
    gives: Mapping[str, object] = {"ai.chat": {"credits": 50}}
    given = redemption(plan_id=None, plan_version=None, features=gives, sold_cents=500)
    found = become(Account(USER), given, redemption(redemption_id="r2", plan_id=None, features=gives))
    entitled = decide(found.sources, "ai.chat", NOW + 400 * DAY)
    assert isinstance(entitled, Entitlement)
    assert entitled.credits == 100
    assert all(s.features["ai.chat"] == Credits(50) for s in found.sources)
    (line,) = found.lines
    assert (line.provider, line.plan_id, line.plan_version) == ("voucher", "credits:ai.chat", 0)


@pytest.mark.parametrize(
    ("closed", "reason"),
    [("revoked", "revoked"), ("refunded", "refunded"), ("disputed", "disputed"), ("unconfirmed", "unconfirmed")],
)
def test_a_voucher_that_is_closed_gives_nothing_and_says_why(closed: str, reason: str) -> None:
    found = become(Account(USER), redemption(closed=closed, closed_at=NOW + DAY))
    assert not opened(found, "ai.insights", NOW + 1)
    assert found.sources[0].reason == closed
    standing = standings(found.after, CATALOGUE, NOW + 2 * DAY)["voucher", "r1"]
    assert (standing.open, standing.reason, standing.ended_at) == (False, reason, NOW + DAY)


def test_what_follows_a_closed_voucher_moves_up_to_where_that_was_closed() -> None:
    account = become(Account(USER), redemption(), term(NOW + DAY)).after
    found = become(account, redemption(closed="revoked", closed_at=NOW + 2 * DAY))
    (paid,) = [s for s in found.sources if s.kind == "term"]
    assert paid.start == NOW + 2 * DAY


def test_a_one_time_plan_lasts_as_a_purchase_does() -> None:
    for_good = redemption(plan_id=TAX_PASS.plan_id)
    assert become(Account(USER), for_good).sources[0].until is None
    a_day = redemption(plan_id="day-pass")
    assert become(Account(USER), a_day).sources[0].until == NOW + DAY


def test_a_voucher_is_judged_by_what_was_done_to_it_and_by_its_date() -> None:
    fresh = vouchers.Voucher(voucher_id="v", expires_at=NOW)
    assert fresh.state(NOW - 1) == "ready"
    assert fresh.state(NOW) == "expired"
    assert replace(fresh, holder="sealed").state(NOW) == "redeemed"
    assert replace(fresh, holder="sealed", closed="revoked").state(NOW) == "revoked"


def gift(state: str = "paid", **payment: Any) -> Gift:
    paid = Payment(payment_id="inv_9", amount_cents=900, currency="USD", paid_at=NOW, **payment)
    return Gift(
        provider="btcpay",
        purchase_id="inv_9",
        plan_id="plus-month",
        plan_version=1,
        state=state,  # type: ignore[arg-type]
        amount_cents=900,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
        payment=paid if state == "paid" else None,
        voucher_id="v1",
    )


BACK = {"re_1": Refund(refund_id="re_1", amount_cents=900, status="succeeded", observed_at=NOW)}
CONTESTED = {"dp_1": Dispute(dispute_id="dp_1", amount_cents=900, status="open", observed_at=NOW)}
WON = {"dp_1": Dispute(dispute_id="dp_1", amount_cents=900, status="won", observed_at=NOW)}


@pytest.mark.parametrize(
    ("before", "after", "issued"),
    [
        (None, gift("pending"), []),
        (None, gift("processing"), []),
        (gift("pending"), gift("failed"), []),
        (None, gift(), [None]),
        (gift("pending"), gift(), [None]),
        (gift(), gift(), []),
        (gift(), gift("failed"), ["unconfirmed"]),
        (gift("failed"), gift(), [None]),
        (gift(), gift(refunds=BACK), ["refunded"]),
        (gift(), gift(disputes=CONTESTED), ["disputed"]),
        (gift(disputes=CONTESTED), gift(disputes=WON), [None]),
    ],
)
def test_a_gifts_voucher_is_open_as_long_as_what_was_paid_for_it(
    before: Gift | None, after: Gift, issued: list[str | None]
) -> None:
    was = Account(USER).put(*([before] if before else []))
    found = vouchers.gifts_changed(was, was.put(after))
    assert [(one.voucher_id, one.plan_id, one.closed) for one in found] == [("v1", "plus-month", c) for c in issued]


def test_where_one_reason_follows_another_it_ended_with_the_first() -> None:
    charged_back = vouchers.followed(redemption(), Voucher(voucher_id="v1", closed="disputed"), NOW + 1)
    given_back = vouchers.followed(charged_back, Voucher(voucher_id="v1", closed="refunded", returned=True), NOW + DAY)
    assert (given_back.closed, given_back.closed_at) == ("refunded", NOW + 1)
    assert vouchers.followed(given_back, Voucher(voucher_id="v1"), NOW + 2 * DAY).closed_at is None
