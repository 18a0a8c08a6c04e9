"""Which message is due, when it is tried again, and what is never told twice."""

from dataclasses import replace
from typing import Any

import pytest

from billing.rules.ends import Ahead
from billing.rules.records import Account, Mandate, Renewal
from billing.rules.reminders import (
    CLAIMED,
    LOOK,
    Outcome,
    Reminder,
    ReminderSettings,
    Sending,
    due,
    forgotten,
    look_again,
    reminders,
    settled,
    subject_of,
    trying,
)
from billing.rules.times import DAY
from samples import NOW, PLUS, USER

END = NOW + 30 * DAY


def ahead(**more: Any) -> Ahead:
    known: dict[str, Any] = {"key": "renewal#main", "kind": "prepaid", "act": "renew", "ends_at": END}
    known |= {"plan": PLUS, "plan_id": "plus-month", "group": "main"}
    return Ahead(**{**known, **more})


def settings(*days: int, since: int = NOW, sendings: dict[str, Sending] | None = None) -> ReminderSettings:
    return ReminderSettings(days=days or (7, 1), language="de", since=since, sendings=sendings or {})


def reminder(at: int = NOW, until: int = END, name: str = "r1") -> Reminder:
    return Reminder(id=name, subject="ends", ends_at=END, at=at, until=until)


def sendings(outcome: Outcome = "sent", **more: Any) -> dict[str, Sending]:
    return {"r1": Sending(at=NOW, until=END + DAY, language="de", outcome=outcome, **more)}


def mandate(trouble: str | None, **more: Any) -> Account:
    known: dict[str, Any] = {"group": "main", "connection_id": "wal_1", "plan_id": "plus-month", "price_cents": 900}
    known |= {"currency": "USD", "most_sat": 1, "lead_days": 3, "agreed_at": NOW, "trouble_at": NOW + DAY}
    return Account(USER).put(Mandate(trouble=trouble, **{**known, **more}))


def spans(*ends: Ahead, of: ReminderSettings, account: Account | None = None) -> list[tuple[str, int, int]]:
    found = reminders(of, ends, account or Account(USER))
    return [(r.id.rpartition("#")[2], r.at, r.until) for r in found]


def test_each_day_of_the_wish_is_told_until_the_next_one_overtakes_it() -> None:
    week, day = END - 7 * DAY, END - DAY
    assert spans(ahead(), of=settings(7, 1)) == [("7", week, day), ("1", day, END)]
    assert spans(ahead(), of=settings(1, 7)) == [("7", week, day), ("1", day, END)]
    assert spans(ahead(ends_at=None), of=settings(7, 1)) == []


def test_a_day_before_the_wish_is_not_told_and_its_own_second_is() -> None:
    week = END - 7 * DAY
    assert spans(ahead(), of=settings(7, since=week)) == [("7", week, END)]
    assert spans(ahead(), of=settings(7, since=week + 1)) == []


def test_several_ends_come_in_the_order_of_their_days() -> None:
    sooner = ahead(key="renewal#other", ends_at=END - 3 * DAY)
    assert [at for _, at, _ in spans(ahead(), sooner, of=settings(7, 1))] == sorted(
        end - days * DAY for end in (END, END - 3 * DAY) for days in (7, 1)
    )


def test_who_said_to_let_it_end_is_not_reminded() -> None:
    known: dict[str, Any] = {"group": "main", "plan_id": "plus-month", "plan_version": 1, "provider": "btcpay"}
    renewal = Renewal(purchase_id="pur_1", ends_at=END, **known)
    for wanted, count in ((True, 2), (False, 0)):
        account = Account(USER).put(replace(renewal, wanted=wanted))
        assert len(spans(ahead(key=renewal.record), of=settings(), account=account)) == count
    other = Account(USER).put(replace(renewal, group="other", wanted=False))
    assert len(spans(ahead(key=renewal.record), of=settings(), account=other)) == 2


@pytest.mark.parametrize(
    ("end", "subject"),
    [
        (ahead(), "ends"),
        (ahead(kind="voucher"), "ends"),
        (ahead(kind="subscription", act="resume"), "subscription"),
        (ahead(kind="trial", act="resume"), "subscription"),
        (ahead(kind="subscription", act="fix_payment"), "payment"),
        (ahead(kind="subscription", act="charged"), None),
        (ahead(kind="trial", act="charged"), "trial"),
        (ahead(act="wallet_pays"), None),
        (ahead(act="wallet_trouble"), "wallet"),
    ],
)
def test_what_is_told_of_an_end(end: Ahead, subject: str | None) -> None:
    assert subject_of(end) == subject
    assert spans(ahead(act="wallet_pays"), of=settings()) == []


@pytest.mark.parametrize(
    ("account", "expected_now"),
    [
        (Account(USER), False),
        (mandate("budget_used_up"), True),
        (mandate("budget_used_up", trouble_at=None), False),
        (mandate("relay_unreachable"), False),
        (mandate("wallet_busy"), False),
        (mandate("shop_unavailable", given_up=True), True),
        (mandate("payment_held"), False),
        (mandate("budget_used_up", group="other"), False),
    ],
)
def test_a_wallet_that_needs_its_owner_is_news_for_three_days(account: Account, expected_now: bool) -> None:
    found = spans(ahead(act="wallet_trouble"), of=settings(1), account=account)
    at_once = [("wallet", NOW + DAY, NOW + 4 * DAY)] if expected_now else []
    assert found == [*at_once, ("1", END - DAY, END)]


@pytest.mark.parametrize(
    ("kept", "now", "found"),
    [
        ({}, NOW - 1, False),
        ({}, NOW, True),
        ({}, END - 1, True),
        ({}, END, False),
        (sendings("sent"), NOW, False),
        (sendings("refused"), NOW, True),
        (sendings("refused", retry_at=NOW + 1), NOW, False),
        (sendings("refused", retry_at=NOW), NOW, True),
        (sendings("trying", retry_at=NOW + 1), NOW, False),
    ],
)
def test_what_is_due(kept: dict[str, Sending], now: int, found: bool) -> None:
    assert due(settings(sendings=kept), [reminder()], now) == (reminder() if found else None)


def test_of_several_the_first_that_is_open_is_due() -> None:
    second = reminder(name="r2")
    assert due(settings(sendings=sendings("sent")), [reminder(), second], NOW) == second


@pytest.mark.parametrize(
    ("kept", "found", "at"),
    [
        ({}, [], NOW + LOOK),
        ({}, [reminder(NOW + 60)], NOW + 60),
        ({}, [reminder(NOW + LOOK + 1)], NOW + LOOK),
        ({}, [reminder(NOW)], NOW + LOOK),
        (sendings("sent"), [reminder(NOW)], NOW + LOOK),
        (sendings("refused", retry_at=NOW + 900), [reminder()], NOW + 900),
        (sendings("refused", retry_at=NOW), [reminder()], NOW + 1),
        (sendings("refused"), [reminder()], NOW + 1),
        (sendings("refused", retry_at=NOW + 900), [reminder(until=NOW)], NOW + LOOK),
    ],
)
def test_when_it_is_looked_at_again(kept: dict[str, Sending], found: list[Reminder], at: int) -> None:
    assert look_again(settings(sendings=kept), found, NOW) == at


def test_it_is_noted_before_it_is_sent_and_again_for_each_try() -> None:
    first = trying(settings(), reminder(), "seed", NOW)
    noted = Sending(at=NOW, until=END + DAY, language="de", seed="seed", retry_at=NOW + CLAIMED)
    assert first.sendings == {"r1": noted}
    again = trying(first, reminder(), "another seed", NOW + DAY)
    assert again.sendings == {"r1": replace(noted, tries=2, retry_at=NOW + DAY + CLAIMED)}


@pytest.mark.parametrize(("tries", "pause"), [(1, 900), (2, 1800), (5, 14_400), (6, 21_600), (7, 21_600)])
def test_after_what_failed_the_next_try_waits_longer_each_time(tries: int, pause: int) -> None:
    after = settled(settings(sendings=sendings("trying", seed="s", tries=tries)), "r1", "unreachable", NOW).sendings[
        "r1"
    ]
    assert (after.outcome, after.seed, after.retry_at) == ("unreachable", "s", NOW + pause)


def test_what_was_sent_stays_sent_and_its_seed_goes() -> None:
    sent = settled(settings(sendings=sendings("trying", seed="s", retry_at=NOW)), "r1", "sent", NOW)
    assert sent.sendings == sendings("sent")
    assert settled(sent, "r1", "unreachable", NOW) == sent
    assert settled(sent, "unknown", "sent", NOW) == sent


def test_what_can_never_be_due_again_is_forgotten() -> None:
    assert forgotten(settings(sendings=sendings()), END + DAY - 1).sendings == sendings()
    assert forgotten(settings(sendings=sendings()), END + DAY).sendings == {}
