"""When a bitcoin invoice is looked at again."""

import pytest

from billing.rules.polling import LONGEST, next_poll
from billing.rules.records import Purchase
from billing.rules.times import DAY
from samples import NOW
from tests.rules.test_access import payment, purchase, refunds

HOUR = 3600
UNDECIDED = purchase("failed", received_cents=100, payment=payment(100))
GIVING_BACK = purchase(payment=payment(4900, refunds=refunds((100, "pending"))))
GIVEN_BACK = purchase(payment=payment(4900, refunds=refunds((100, "succeeded"))))


@pytest.mark.parametrize(
    ("record", "age", "pause"),
    [
        (purchase("pending"), 0, 60),
        (purchase("pending"), 480, 60),
        (purchase("pending"), 488, 61),
        (purchase("pending"), 2 * DAY, 6 * HOUR),
        (purchase("processing"), 2 * DAY + 8, 6 * HOUR),
        (purchase("processing"), 60 * DAY, 6 * HOUR),
        (purchase(), 8, 60),
        (purchase(), 16 * DAY, 2 * DAY),
        (purchase("failed"), 60 * DAY, 7 * DAY),
        (purchase(), LONGEST, 7 * DAY),
        (purchase(), LONGEST + 1, None),
        (purchase("processing"), LONGEST + 1, None),
        (UNDECIDED, 60 * DAY, 6 * HOUR),
        (UNDECIDED, LONGEST, 6 * HOUR),
        (UNDECIDED, LONGEST + 1, 7 * DAY),
        (GIVING_BACK, 60 * DAY, 6 * HOUR),
        (GIVING_BACK, LONGEST + 1, 7 * DAY),
        (GIVEN_BACK, 60 * DAY, 7 * DAY),
        (GIVEN_BACK, LONGEST + 1, None),
    ],
)
def test_the_pause_grows_with_the_age_and_never_ends_while_something_is_open(
    record: Purchase, age: int, pause: int | None
) -> None:
    now = NOW + age
    assert next_poll(record, now) == (None if pause is None else now + pause)
