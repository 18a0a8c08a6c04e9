"""What a buyer is told in states that come late or go wrong: as the service says, on the real stack, in a browser."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Route, expect

from billing.rules.times import DAY
from demo.passing import pass_time
from tests.browser.buyer.test_wallet_renewal import connect
from tests.browser.buyers import at_the_desk, at_the_server, in_bitcoin, on_sale, status, today, wait_until
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def test_a_trial_is_offered_once_and_what_is_due_is_what_is_asked(visitor: Visitor, user: str) -> None:
    trial = {"price_cents": 900, "trial_days": 7, "rank": 5, "features": {"market.history": True}}
    with on_sale(visitor.shop, "Taster", group="taster", **trial):
        visitor.open("/pricing", user=user)
        card = visitor.page.get_by_role("article", name="Taster")
        card.get_by_role("button", name="Try 7 days free").click()
        due = visitor.dialog().get_by_text("Due today").locator("+ dd")
        expect(due).to_have_text("$0.00")
        visitor.button("Continue to payment").click()
        visitor.button("Start the trial").click()
        visitor.heading("Taster is yours").wait_for()
        at_the_desk(visitor, user, "cancel")
        wait_until(lambda: status(visitor.shop, user)["ended"], "the end was not heard of")
        visitor.open("/account/billing")
        expect(visitor.text(f"Taster, monthly ended on {today(visitor)}: it was cancelled.")).to_be_visible()
        visitor.open("/pricing")
        expect(card.get_by_text("days free")).to_have_count(0)
        card.get_by_role("button", name="Get Taster").click()
        expect(due).to_have_text("$9.00")
        visitor.button("Continue to payment").click()
        expect(visitor.button(re.compile("^Pay 9"))).to_be_visible()


def test_what_a_dispute_closed_says_so_today_and_offers_no_change(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    at_the_desk(visitor, user, "dispute", "payment")
    visitor.open("/account/billing")
    expect(visitor.text(f"Closed since {today(visitor)}: its payment is disputed.")).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Current plan").get_by_text("Disputed", exact=True)).to_be_visible()
    expect(visitor.button("Cancel plan")).to_be_visible()
    expect(visitor.button("Change plan")).to_have_count(0)
    assert visitor.violations() == []
    visitor.open("/pricing")
    smaller = visitor.page.get_by_role("article", name="Plus")
    expect(smaller.get_by_text("The payment of this period is disputed.")).to_be_visible()
    expect(smaller.get_by_role("link", name="Manage plan")).to_be_visible()
    assert visitor.violations() == []


def test_who_owes_and_cancels_reads_one_end_and_of_no_further_charge(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    at_the_desk(visitor, user, "fail")
    visitor.open("/account/billing")
    kept = visitor.text(re.compile("You keep your features until "))
    until = kept.inner_text().removeprefix("You keep your features until ").rstrip(".")
    expect(visitor.button("Change plan")).to_have_count(0)
    visitor.button("Cancel plan").click()
    expect(visitor.dialog().get_by_text("The open payment of $19.00 is no longer collected.")).to_be_visible()
    expect(visitor.dialog().get_by_text(f"You keep everything until {until}.")).to_be_visible()
    visitor.dialog().get_by_role("button", name="Cancel plan").click()
    plan = visitor.page.get_by_role("region", name="Current plan")
    expect(plan.get_by_text(f"Ends on {until}. Nothing more will be charged.")).to_be_visible()
    expect(visitor.text("We try again")).to_have_count(0)
    expect(visitor.text("The last payment did not go through")).to_have_count(0)


def test_bitcoin_that_went_back_ended_the_plan_today_and_it_can_be_renewed(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    invoice = in_bitcoin(visitor)
    at_the_server(visitor, user, invoice, "lightning")
    visitor.open("/account/billing")
    expect(visitor.text("Paid ahead in bitcoin")).to_be_visible()
    at_the_server(visitor, user, invoice, "refund")
    visitor.page.reload()
    expect(visitor.text(f"Pro, monthly ended on {today(visitor)}: it was refunded.")).to_be_visible()
    expect(visitor.text("Free, with nothing to pay")).to_have_count(0)
    expect(visitor.text("Paid ahead in bitcoin")).to_have_count(0)
    visitor.page.get_by_role("button", name="Renew", exact=True).click()
    expect(visitor.dialog().get_by_text("Pro, monthly")).to_be_visible()
    expect(visitor.page.get_by_role("timer")).to_be_visible()


def day(moment: int) -> str:
    date = datetime.fromtimestamp(moment, UTC)
    return f"{date:%B} {date.day}, {date.year}"


def test_a_term_that_ran_out_says_when_can_be_renewed_and_keeps_its_wallet_in_sight(
    visitor: Visitor, user: str
) -> None:
    visitor.open("/pricing", user=user)
    at_the_server(visitor, user, in_bitcoin(visitor), "lightning")
    visitor.open("/account/billing")
    visitor.shop.wallet.become("Alby Hub")
    connect(visitor, visitor.shop.wallet)
    visitor.button("Pause").click()
    visitor.text("Paused: your wallet is not asked.").wait_for()
    pass_time(visitor.shop, user, 33 * DAY)
    (term,) = status(visitor.shop, user)["terms"]
    ended = day(int(datetime.fromisoformat(term["ends_at"]).timestamp()))
    visitor.page.reload()
    expect(visitor.text(f"Pro, monthly ended on {ended}.")).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Purchases").get_by_text(f"Ended on {ended}.")).to_be_visible()
    for gone in ("Free, with nothing to pay", "Yours until", "Paid ahead in bitcoin", "renews by itself", "Remind me"):
        expect(visitor.text(gone)).to_have_count(0)
    wallet = visitor.page.get_by_role("region", name="Renew from your wallet")
    expect(wallet.get_by_text("Paused: your wallet is not asked.")).to_be_visible()
    assert visitor.violations() == []
    wallet.get_by_role("button", name="Remove").click()
    wallet.get_by_role("alert").get_by_role("button", name="Remove").click()
    expect(wallet.locator("[role=status]:focus")).to_contain_text("The wallet was removed.")
    visitor.page.get_by_role("button", name="Renew", exact=True).click()
    expect(visitor.page.get_by_role("timer")).to_be_visible()
    expect(visitor.dialog().get_by_text("Pro, monthly")).to_be_visible()


def test_a_card_that_is_not_paid_is_told_of_from_the_first_failure_to_the_end(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    things = visitor.shop.mock.objects
    (bought,) = [key for key, o in things.items() if o["object"] == "subscription" and o["user_id"] == user]
    visitor.shop.mock.act(bought, "decline-next")

    def pass_until(moment: str, days: int, came: str) -> int:
        """Time passes until a moment of the subscription is so many days ago, and is heard of; when that was."""
        ago = visitor.shop.mock.clock.now() - days * DAY
        pass_time(visitor.shop, user, things[bought][moment] - ago)
        visitor.shop.mock.advance(0)
        wait_until(lambda: came in str(status(visitor.shop, user)), "nothing was heard of it")
        return ago

    paid_until = pass_until("current_period_end", 2, "'kind': 'retries'")
    visitor.open("/account/billing")
    problem = visitor.page.get_by_role("alert").filter(has_text="The last payment did not go through")
    expect(problem).to_contain_text(f"You keep your features until {day(paid_until + 7 * DAY)}.")
    plan = visitor.page.get_by_role("region", name="Current plan")
    (failed,) = [o for o in things.values() if o["object"] == "dunning" and o["user_id"] == user]
    retry = day(failed["next_attempt_at"])
    expect(plan.get_by_text(f"$19.00 is due. We try again on {retry}.", exact=True)).to_be_visible()
    expect(plan.get_by_text("Payment due", exact=True)).to_be_visible()
    expect(plan.get_by_role("button")).to_have_text(["Cancel plan"])
    expect(visitor.button("Fix payment")).to_be_visible()
    assert visitor.violations() == []

    # Its time is over before the provider says that it has given up.
    paid_until = pass_until("current_period_start", 25, "'status': 'canceled'")
    visitor.page.reload()
    expect(plan.get_by_text(f"Pro, monthly ended on {day(paid_until + 7 * DAY)}: it was not paid.")).to_be_visible()
    expect(plan.get_by_role("link")).to_have_text(["Subscribe again"])
    for gone in ("Fix payment", "Cancel plan", "Renew", "Change plan"):
        expect(visitor.button(gone)).to_have_count(0)
    for gone in ("did not go through", "We try again", "is due", "You keep your features"):
        expect(visitor.text(gone)).to_have_count(0)
    assert visitor.violations() == []
    plan.get_by_role("link").click()
    card = visitor.page.get_by_role("article", name="Pro")
    expect(card.get_by_role("button")).to_have_text(["Get Pro"])
    expect(card.get_by_text("Your plan")).to_have_count(0)


def test_an_invoice_that_nobody_paid_is_no_alarm_and_money_that_came_late_is_seen(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    invoice = in_bitcoin(visitor)
    at_the_server(visitor, user, invoice, "expire")
    expect(visitor.dialog().get_by_text("Nothing has arrived so far.")).to_be_visible()
    visitor.open("/account/billing")
    bought = visitor.page.get_by_role("region", name="Purchases")
    expect(bought.get_by_text("The time is up")).to_be_visible()
    expect(visitor.page.locator(".bsb-badge-bad")).to_have_count(0)
    at_the_server(visitor, user, invoice, "late")
    visitor.page.reload()
    expect(visitor.text("Pro, monthly: Your money is here and waits for a person")).to_be_visible()
    visitor.button("Look at it").first.click()
    held = visitor.dialog().get_by_role("alert")
    expect(held).to_contain_text("$19.00 of $19.00 has arrived")
    expect(held).to_contain_text("The seller decides")
    expect(held.get_by_role("link", name="Ask us")).to_be_visible()
    expect(visitor.button("Get a new quote")).to_have_count(0)
    assert visitor.violations() == []


def test_no_plan_can_be_chosen_before_the_service_has_said_what_it_means(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    waiting: list[Route] = []
    visitor.page.route("**/billing/quotes", lambda route: waiting.append(route))
    visitor.open("/pricing")
    visitor.heading("Compare plans").wait_for()
    cards = visitor.page.get_by_role("article")
    expect(cards.get_by_role("button")).to_have_count(0)
    for route in waiting:
        route.continue_()
    expect(cards.get_by_role("button", name="Downgrade to Plus")).to_be_visible()
    expect(visitor.page.locator("[aria-current=true]").get_by_text("Your plan")).to_be_visible()


def test_what_another_plan_gives_already_is_named_and_a_saving_is_each_plans_own(visitor: Visitor, user: str) -> None:
    part = {"interval": "once", "price_cents": 2900, "features": {"tax.export": True}}
    with on_sale(visitor.shop, "Exports 2026", group="exports-2026", **part):
        visitor.open("/pricing", user=user)
        visitor.buy()
        visitor.open("/pricing")
        card = visitor.page.get_by_role("article", name="Exports 2026")
        expect(card.get_by_text("Your Pro has all of this already.")).to_be_visible()
        visitor.page.get_by_role("radio", name=re.compile("Yearly")).check()
        said = visitor.page.locator(".bsb-offer .bsb-good").all_inner_texts()
        assert said == [", saves 16%", ", saves 16%"]
        expect(visitor.page.get_by_text("Save 16%")).to_be_visible()
