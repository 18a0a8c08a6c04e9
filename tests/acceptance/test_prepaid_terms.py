"""Prepaid time as a buyer lives it: renewed, upgraded, reminded of, and beside a card."""

from dataclasses import replace
from typing import Any, cast

import pytest

from billing.errors import Conflict, NotConfigured, NotFound, ProviderUnavailable
from billing.reporting.publishing import domain_events
from billing.rules.consequences import consequences
from billing.rules.plans import Catalogue
from billing.rules.records import Renewal, Subscription
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from billing.selling.reminders import Reminders
from billing.selling.renewals import Renewals
from billing.store.codec import record_to_item
from tests.acceptance.world import USER, Shelf, World
from tests.samples import NOW, PLUS, PRO


def renewals(world: World) -> Renewals:
    return Renewals(world.accounts, world.plans, world.checkouts)


def reminders(world: World) -> Reminders:
    return Reminders(world.accounts, world.plans, world.due, [7, 1])


def renewal(world: World) -> Renewal:
    (found,) = world.account.renewals
    return found


def with_card(world: World, **more: Any) -> None:
    """The user also has a subscription by card."""
    known: dict[str, Any] = {
        "provider": "stripe",
        "subscription_id": "sub_1",
        "plan_id": PLUS.plan_id,
        "plan_version": 1,
        "status": "active",
        "current_period_start": NOW,
        "current_period_end": NOW + 20 * DAY,
        "observed_at": NOW,
        "created_at": NOW,
    }
    card = Subscription(**{**known, **more})
    before = world.account
    after = type(before)(USER, before.version, {**before.records, card.record: card})
    world.accounts.commit(consequences(before, after, world.plans.catalogue(), world.now))


def test_each_settled_invoice_buys_a_month_and_they_run_end_to_end(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    bitcoin.app.advance(10 * DAY)
    bitcoin.buy(PLUS)
    start = min(t.payment.paid_at for t in bitcoin.account.terms if t.payment)
    assert renewal(bitcoin).ends_at == add_interval(add_interval(start, "month"), "month")
    bitcoin.app.advance(renewal(bitcoin).ends_at - bitcoin.now - 1)
    assert bitcoin.has("ai.insights")
    bitcoin.app.advance(1)
    assert not bitcoin.has("ai.insights")


def test_one_call_opens_the_invoice_of_the_next_term_and_repeats_it(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    first = renewals(bitcoin).open_invoice(USER, "main", None, bitcoin.now)
    again = renewals(bitcoin).open_invoice(USER, "main", None, bitcoin.now)
    assert (first["provider"], again["url"]) == (bitcoin.player.name, first["url"])
    end = renewal(bitcoin).ends_at
    bitcoin.player.pay(bitcoin.session(first))
    bitcoin.settle()
    assert renewal(bitcoin).ends_at == add_interval(end, "month")


def test_there_is_nothing_to_renew_before_anything_was_bought(bitcoin: World) -> None:
    with pytest.raises(NotFound):
        renewals(bitcoin).open_invoice(USER, "main", None, bitcoin.now)


def test_an_upgrade_opens_at_once_and_keeps_the_unused_value(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    bitcoin.app.advance(15 * DAY)
    assert not bitcoin.has("tax.enhanced")
    bitcoin.buy(PRO)
    assert bitcoin.has("tax.enhanced")
    full = add_interval(bitcoin.now, "month")
    assert full + 6 * DAY < renewal(bitcoin).ends_at < full + 8 * DAY  # half of nine dollars is a week of Pro


def test_a_downgrade_waits_for_the_end_of_what_is_paid(bitcoin: World) -> None:
    bitcoin.buy(PRO)
    bitcoin.app.advance(60)
    bitcoin.buy(PLUS)
    bitcoin.app.advance(29 * DAY)
    assert bitcoin.has("tax.enhanced")
    bitcoin.app.advance(4 * DAY)
    assert not bitcoin.has("tax.enhanced")
    assert bitcoin.has("ai.insights")


def test_reminders_are_noted_once_each_and_told_as_events(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    end, reminded = renewal(bitcoin).ends_at, []
    while bitcoin.now < end + 2 * DAY:
        reminders(bitcoin).send(bitcoin.now, 10)
        reminded.append(renewal(bitcoin).reminded_days)
        bitcoin.app.advance(DAY)
    noted = [days for days in dict.fromkeys(reminded) if days is not None]
    assert noted == [7, 1]
    stored = {**record_to_item(USER, renewal(bitcoin)), "account_version": {"N": "9"}}  # as the stream shows it
    (event,) = domain_events([{"dynamodb": {"NewImage": stored, "OldImage": {**stored, "reminded_days": {"N": "7"}}}}])
    assert event["DetailType"] == "RenewalDue"
    assert '"reminded_days": 1' in event["Detail"]


def test_a_renewal_in_time_starts_the_reminders_anew(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    bitcoin.app.advance(25 * DAY)
    reminders(bitcoin).send(bitcoin.now, 10)
    assert renewal(bitcoin).reminded_days == 7
    bitcoin.buy(PLUS)
    assert renewal(bitcoin).reminded_days is None
    assert reminders(bitcoin).send(bitcoin.now, 10) == 0


def test_reminders_that_were_missed_are_not_all_told_at_once(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    bitcoin.app.advance(renewal(bitcoin).ends_at - bitcoin.now - 3600)
    assert reminders(bitcoin).send(bitcoin.now, 10) == 1
    assert renewal(bitcoin).reminded_days == 1
    assert reminders(bitcoin).send(bitcoin.now, 10) == 0


def test_who_does_not_want_reminders_gets_none(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    assert renewals(bitcoin).set_reminders(USER, "main", wanted=False, now=bitcoin.now)["reminders"] is False
    bitcoin.app.advance(25 * DAY)
    assert reminders(bitcoin).send(bitcoin.now, 10) == 0
    assert renewal(bitcoin).reminded_days is None


def test_who_pays_on_by_card_is_not_reminded(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    with_card(bitcoin, current_period_end=NOW + 60 * DAY, trial_end=NOW)
    bitcoin.app.advance(25 * DAY)
    assert reminders(bitcoin).send(bitcoin.now, 10) == 0


def test_a_card_that_never_paid_silences_no_reminder(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    with_card(bitcoin, current_period_end=NOW + 60 * DAY)
    bitcoin.app.advance(25 * DAY)
    assert reminders(bitcoin).send(bitcoin.now, 10) == 1


@pytest.mark.parametrize("away", [ProviderUnavailable("Stripe did not answer in time"), NotConfigured("no key")])
@pytest.mark.parametrize("card", [{"status": "past_due"}, {"current_period_end": NOW}])
def test_a_card_of_which_nothing_is_heard_keeps_nobody_from_paying_in_bitcoin(
    bitcoin: World, monkeypatch: pytest.MonkeyPatch, card: dict[str, Any], away: Exception
) -> None:
    """Its provider is silent, or was given up."""
    with_card(bitcoin, **card)
    own = bitcoin.player.client()

    def client(name: str) -> Any:
        if name == "stripe":
            raise away
        return own

    monkeypatch.setattr(bitcoin.checkouts, "_client", client)
    with pytest.raises(Conflict) as refused:
        bitcoin.checkout(PLUS)
    assert refused.value.code == "overlap"
    assert bitcoin.checkout(PLUS, accept_overlap=True)["url"]


def test_a_page_for_a_card_that_ran_out_unheard_keeps_nobody_from_paying_in_bitcoin(
    bitcoin: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its provider was given up, so no event comes any more."""
    bitcoin.checkout(PLUS)
    (page,) = bitcoin.account.checkouts
    before = bitcoin.account
    after = before.put(replace(page, provider="stripe", session_id="cs_1"))
    bitcoin.accounts.commit(consequences(before, after, bitcoin.plans.catalogue(), bitcoin.now))
    own = bitcoin.player.client()

    def client(name: str) -> Any:
        if name == "stripe":
            raise NotConfigured("no key")
        return own

    monkeypatch.setattr(bitcoin.checkouts, "_client", client)
    with pytest.raises(NotConfigured):
        bitcoin.checkout(PLUS)  # it may still be paid
    bitcoin.app.advance(2 * DAY)
    assert bitcoin.checkout(PLUS)["url"]


def test_buying_beside_a_card_is_explained_before_it_is_paid(bitcoin: World) -> None:
    with_card(bitcoin)
    with pytest.raises(Conflict, match="your card already pays for Plus until") as refused:
        bitcoin.checkout(PLUS)
    assert refused.value.code == "overlap"
    bitcoin.buy(PLUS, accept_overlap=True)
    bitcoin.app.advance(25 * DAY)
    assert bitcoin.has("ai.insights"), "the card's month is over, the prepaid one is not: the union decides"


def test_a_card_beside_prepaid_time_is_explained_too(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    cast(Any, bitcoin.checkouts)._offered = ["mock"]
    with pytest.raises(Conflict, match="you have prepaid until"):
        bitcoin.checkouts.create(USER, PLUS.plan_id, "mock", bitcoin.now)


def with_trial(world: World, days: int) -> None:
    shelf = cast(Shelf, world.plans)
    shelf.plans = Catalogue(tuple(replace(p, trial_days=days) if p.recurring else p for p in shelf.plans.plans))


def test_the_trial_lengthens_the_first_term_and_no_other(bitcoin: World) -> None:
    with_trial(bitcoin, 14)
    bitcoin.buy(PLUS)
    bitcoin.app.advance(60)
    bitcoin.buy(PLUS)
    assert sorted(term.bonus_seconds for term in bitcoin.account.terms) == [0, 14 * DAY]


def test_an_invoice_that_ran_out_did_not_use_up_the_trial(bitcoin: World) -> None:
    with_trial(bitcoin, 14)
    bitcoin.checkout(PLUS)
    bitcoin.poll(2 * 3600)
    bitcoin.buy(PLUS)
    assert [term.bonus_seconds for term in bitcoin.account.terms if term.paid] == [14 * DAY]


def test_what_is_left_of_a_trial_by_card_is_kept(bitcoin: World) -> None:
    with_card(bitcoin, status="trialing", trial_end=NOW + 5 * DAY, current_period_end=NOW + 5 * DAY)
    bitcoin.buy(PLUS, accept_overlap=True)
    assert bitcoin.term.bonus_seconds == 5 * DAY
