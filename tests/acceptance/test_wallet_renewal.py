"""A term that its buyer's wallet renews, at the stand-in for BTCPay Server: the good days, and each bad one."""

from dataclasses import replace
from typing import Any

import pytest

from billing.errors import Conflict, InvalidRequest, NotFound
from billing.rules.access import term_runs
from billing.rules.plans import Catalogue
from billing.rules.records import Said
from billing.rules.renewal import MARGIN
from billing.rules.times import DAY, rfc3339
from billing.selling.reminders import Reminders
from billing.selling.wallet_interface import Budget
from fakes.base import Fault
from tests.acceptance.wallets import CONNECTION, Renewing
from tests.acceptance.world import USER, World
from tests.samples import PLUS, PRO

FEATURE = "ai.insights"


@pytest.fixture
def shop(btcpay: World) -> Renewing:
    renewing = Renewing(btcpay)
    renewing.connect()
    btcpay.buy(PLUS)
    return renewing


def ends(shop: Renewing) -> int:
    runs = [r for r in term_runs(shop.world.account, shop.world.plans.catalogue()) if r.term.paid]
    return max(run.end for run in runs)


def to_the_renewal(shop: Renewing) -> None:
    """Until just before the wallet is asked."""
    at = shop.mandate.act_at
    assert at is not None
    shop.live(at - shop.world.now - 60)


def sell_at(world: World, cents: int) -> None:
    """A new version of the plan."""
    plans: Any = world.plans
    plans.plans = Catalogue((*plans.plans.plans, replace(PLUS, version=2, price_cents=cents)))


def test_a_term_renews_by_itself_twice_and_joins_on(shop: Renewing) -> None:
    first = ends(shop)
    shop.live(first - shop.world.now + DAY)
    assert len(shop.terms) == 2
    assert shop.world.has(FEATURE)
    second = ends(shop)
    shop.live(second - shop.world.now + DAY)
    assert len(shop.terms) == 3 == len(shop.wallet.seen) + 1
    runs = sorted(term_runs(shop.world.account, shop.world.plans.catalogue()), key=lambda run: run.start)
    assert [run.start for run in runs[1:]] == [run.end for run in runs[:-1]]
    assert shop.world.books("payment") == [("payment", 900)] * 3
    assert sum(amount for _, amount in shop.world.books("mrr")) == 900
    assert len(shop.world.books("checkout")) == 1, "a wallet is no visitor of the shop"
    assert shop.mandate.renews
    assert shop.shown["state"] == "waiting"


def test_what_was_agreed_to_is_shown_before_anything_is_asked(btcpay: World) -> None:
    shown = Renewing(btcpay).connect(most_sat=12_000)
    assert (shown["state"], shown["price_cents"], shown["currency"]) == ("nothing_prepaid", 900, "USD")
    assert (shown["most_sat"], shown["days_before"], shown["connection"]["key_end"]) == (12_000, 3, "abcd")
    assert shown["connection"]["relays"] == ["relay.example"]
    assert "ef01" not in str(shown)


def test_the_connection_is_kept_sealed_and_opens_for_this_account_alone(shop: Renewing) -> None:
    kept = shop.kept.find(USER, "main")
    assert kept is not None
    assert "secret" not in f"{kept}"
    shop.kept.put("usr_2", "main", kept)
    with pytest.raises(NotFound):
        shop.wallets.test("usr_2", "main", shop.world.now)
    assert "ef01" not in repr(shop.world.account.records)


@pytest.mark.parametrize("text", ["", "https://example.com", "lnbc1"])
def test_what_is_no_connection_is_refused(btcpay: World, text: str) -> None:
    with pytest.raises(InvalidRequest):
        Renewing(btcpay).wallets.connect(USER, text, PLUS.plan_id, 1, btcpay.now, accept_unlimited=False)


def test_a_wallet_without_a_limit_is_connected_only_when_that_is_meant(btcpay: World) -> None:
    shop = Renewing(btcpay)
    shop.wallet.budget_now = Budget(total_msat=None)
    with pytest.raises(Conflict) as refused:
        shop.connect()
    assert refused.value.code == "wallet_unlimited"
    assert shop.kept.kept == {}
    assert shop.connect(accept_unlimited=True)["connection"]["budget"]["total_sat"] is None


@pytest.mark.parametrize("trouble", ["relay_unreachable", "wallet_gone", "wallet_cannot_pay"])
def test_a_wallet_that_cannot_be_asked_costs_no_invoice_and_is_tried_for_days(shop: Renewing, trouble: str) -> None:
    to_the_renewal(shop)
    invoices = len(shop.world.app.invoices)
    shop.wallet.absent = trouble
    shop.live(2 * DAY)
    assert (shop.shown["state"], shop.shown["trouble"]) == ("trouble", trouble)
    assert len(shop.world.app.invoices) == invoices
    assert 2 <= shop.mandate.tries <= 5
    shop.wallet.absent = ""
    shop.live(2 * DAY)
    assert len(shop.terms) == 2
    assert shop.mandate.renews


def test_a_budget_used_up_is_told_paid_by_hand_and_the_connection_goes_on(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["budget"]
    shop.live(180)
    assert shop.shown["state"] == "under_way"
    assert shop.refusal_by_hand() == "renewal_under_way", "the wallet may have paid all the same"
    shop.live(20 * 60 + MARGIN + 600)
    assert (shop.shown["state"], shop.shown["trouble"]) == ("trouble", "budget_used_up")
    shop.pay_by_hand()
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 1)
    assert shop.shown["state"] == "waiting"
    shop.live(ends(shop) - shop.world.now)
    assert (len(shop.terms), len(shop.wallet.seen)) == (3, 2)


def test_a_budget_that_renews_is_waited_for(shop: Renewing) -> None:
    to_the_renewal(shop)
    new = shop.world.now + 2 * DAY
    shop.wallet.budget_now = Budget(total_msat=1_000_000, used_msat=1_000_000, renews_at=new)
    shop.wallet.moods = ["budget"]
    shop.live(2 * DAY + 3600)
    assert len(shop.wallet.seen) == 2
    assert len(shop.terms) == 2
    assert (shop.terms[-1].payment.paid_at if shop.terms[-1].payment else 0) >= new


def test_a_removed_wallet_is_never_asked_again(shop: Renewing) -> None:
    shop.wallets.remove(USER, "main", shop.world.now)
    assert shop.kept.kept == {}
    assert shop.wallets.show(USER, shop.world.now)["wallets"] == []
    shop.live(40 * DAY)
    assert shop.wallet.seen == []
    with pytest.raises(NotFound):
        shop.wallets.test(USER, "main", shop.world.now)


def test_removed_while_it_may_still_pay_nobody_pays_twice(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["pays later"]
    shop.live(180)
    shop.wallets.remove(USER, "main", shop.world.now)
    assert shop.refusal_by_hand() == "renewal_under_way"
    shop.wallet.wake()
    shop.live(3600)
    assert len(shop.terms) == 2
    assert shop.refusal_by_hand() is None
    shop.live(60 * DAY)
    assert len(shop.wallet.seen) == 1


def test_a_paused_wallet_is_not_asked_until_it_goes_on(shop: Renewing) -> None:
    shop.wallets.set(USER, "main", shop.world.now, paused=True, most_sat=None, price_cents=None)
    shop.live(29 * DAY)
    assert shop.wallet.seen == []
    assert shop.shown["state"] == "paused"
    shop.wallets.set(USER, "main", shop.world.now, paused=False, most_sat=None, price_cents=None)
    shop.live(600)
    assert len(shop.terms) == 2


@pytest.mark.parametrize("mood", ["pays, answer lost", "fails, and has paid", "pays"])
def test_the_invoice_counts_and_not_the_wallets_word(shop: Renewing, mood: str) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = [mood]
    shop.live(DAY)
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 1)
    assert shop.mandate.renews


@pytest.mark.parametrize(
    ("mood", "trouble"),
    [
        ("silent", "wallet_silent"),
        ("claims", "not_arrived"),
        ("fails", "payment_failed"),
        ("balance", "balance_too_low"),
        ("ended", "connection_ended"),
    ],
)
def test_what_was_not_paid_is_told_and_tried_again_only_when_it_can_no_longer_be(
    shop: Renewing, mood: str, trouble: str
) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = [mood]
    shop.live(180)
    asked_at = shop.world.now
    while len(shop.wallet.seen) == 1 and shop.world.now < asked_at + DAY:
        shop.live(120)
        if shop.mandate.attempt is None:
            assert shop.shown["trouble"] == trouble or len(shop.wallet.seen) == 2
    assert shop.world.now - asked_at > 20 * 60 + MARGIN
    shop.live(3600)
    assert len(shop.terms) == 2


def test_a_late_answer_within_the_invoices_life_makes_one_term(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["pays later"]
    shop.live(900)
    shop.wallet.wake()
    shop.live(DAY)
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 1)


def test_what_no_relay_took_is_asked_again_within_the_same_invoice(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["unseen", "unseen"]
    shop.live(1200)
    assert len(shop.terms) == 2
    assert len([i for i in shop.world.app.invoices.values() if i.checkout.get("paymentMethods")]) == 1


def test_three_times_in_vain_the_invoice_is_ended_and_can_be_paid_by_hand_at_once(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["unseen"] * 3
    shop.live(840)
    assert shop.shown["trouble"] == "relay_unreachable"
    assert shop.refusal_by_hand() is None


def test_a_price_that_was_raised_is_asked_of_nobody_until_it_is_agreed_to(shop: Renewing) -> None:
    sell_at(shop.world, 1100)
    to_the_renewal(shop)
    shop.live(DAY)
    assert shop.wallet.seen == []
    assert (shop.shown["trouble"], shop.shown["price_now_cents"]) == ("price_raised", 1100)
    with pytest.raises(Conflict) as refused:
        shop.wallets.set(USER, "main", shop.world.now, paused=None, most_sat=None, price_cents=1000)
    assert refused.value.code == "quote_outdated"
    shop.wallets.set(USER, "main", shop.world.now, paused=None, most_sat=None, price_cents=1100)
    shop.live(600)
    assert [t.amount_cents for t in shop.terms] == [900, 1100]


def test_a_price_that_fell_is_simply_paid(shop: Renewing) -> None:
    sell_at(shop.world, 700)
    shop.live(29 * DAY)
    assert [t.amount_cents for t in shop.terms] == [900, 700]


def test_more_satoshis_than_agreed_are_not_asked_for(btcpay: World) -> None:
    shop = Renewing(btcpay)
    shop.connect(most_sat=5_000)
    btcpay.buy(PLUS)
    shop.live(29 * DAY)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "above_ceiling"
    assert shop.refusal_by_hand() is None, "no wallet has seen the invoice"
    shop.world.app.advance(2 * 3600)
    shop.step()
    shop.live(7200)
    shop.wallets.set(USER, "main", shop.world.now, paused=None, most_sat=20_000, price_cents=None)
    shop.live(7200)
    assert len(shop.terms) == 2


def test_a_ceiling_that_was_lowered_while_the_invoice_was_looked_at_holds(shop: Renewing) -> None:
    to_the_renewal(shop)
    read = shop.wallet.read

    def meanwhile(bolt11: str) -> Any:
        shop.wallets.set(USER, "main", shop.world.now, paused=None, most_sat=5_000, price_cents=None)
        return read(bolt11)

    shop.wallet.read = meanwhile  # type: ignore[method-assign]
    shop.live(1800)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "above_ceiling"


def test_an_invoice_for_the_plan_before_is_not_paid_by_who_agreed_to_another(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.moods = ["unseen"]
    shop.live(60)
    assert shop.mandate.attempt is not None
    shop.connect(PRO)
    shop.live(1800)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "plan_changed"


def test_a_lightning_invoice_that_outlives_its_own_is_not_sent(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.world.app.outlives = 3600
    shop.live(1800)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "shop_unavailable"


def test_an_invoice_whose_answer_was_lost_is_found_and_not_opened_twice(shop: Renewing) -> None:
    to_the_renewal(shop)
    before = len(shop.world.app.invoices)
    shop.world.app.faults.append(Fault("lose", "POST", "/api/v1/stores", times=3))
    shop.live(1200)
    assert len(shop.world.app.invoices) == before + 1
    assert len(shop.terms) == 2


def test_a_provider_that_is_away_is_waited_for(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.world.app.faults.append(Fault("refuse", "", "/api", times=12, status=503))
    shop.live(DAY)
    assert len(shop.terms) == 2


def test_what_is_being_paid_by_hand_is_not_asked_of_the_wallet_too(shop: Renewing) -> None:
    to_the_renewal(shop)
    session = shop.world.session(shop.world.checkout(PLUS, accept_overlap=True))
    shop.live(1200)
    assert shop.wallet.seen == []
    shop.world.player.pay(session)
    shop.live(DAY)
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 0)


def test_a_page_that_nobody_paid_holds_the_wallet_up_for_its_time_alone(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.world.checkout(PLUS, accept_overlap=True)
    shop.live(3 * 3600)
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 1)


def test_a_renewed_term_that_is_paid_back_is_not_asked_for_again(shop: Renewing) -> None:
    shop.live(29 * DAY)
    renewed = shop.terms[-1].purchase_id
    shop.world.desk.refund("btcpay", renewed, None, "key-12345678", "usr_admin", shop.world.now, surplus=False)
    shop.world.app.claim(next(iter(shop.world.app.claims)))
    shop.live(10 * DAY)
    assert len(shop.wallet.seen) == 1
    assert (shop.shown["state"], shop.shown["trouble"]) == ("paused", "term_returned")


def test_money_that_waits_for_a_person_is_waited_for(shop: Renewing) -> None:
    to_the_renewal(shop)
    session = shop.world.session(shop.world.checkout(PLUS, accept_overlap=True))
    shop.world.app.pay(session, 100)
    shop.live(6 * 3600)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "payment_held"


def test_another_plan_is_not_bought_for_the_one_that_runs(shop: Renewing) -> None:
    shop.live(DAY)  # of two that are paid in one second nobody can say which came last
    shop.pay_by_hand(PRO)
    shop.live(ends(shop) - shop.world.now)
    assert shop.wallet.seen == []
    assert shop.shown["trouble"] == "plan_changed"


def test_a_wallet_that_never_answers_is_given_up_when_it_is_too_late(shop: Renewing) -> None:
    shop.wallet.moods = ["silent"] * 30
    shop.live(ends(shop) - shop.world.now + 9 * DAY)
    asked = len(shop.wallet.seen)
    assert 5 <= asked <= 14
    assert (shop.shown["state"], shop.shown["trouble"]) == ("given_up", "wallet_silent")
    shop.live(20 * DAY)
    assert len(shop.wallet.seen) == asked
    assert not shop.world.has(FEATURE)
    assert len(shop.world.account.mandate_in("main").hashes) == asked  # type: ignore[union-attr]


def test_a_test_that_goes_well_has_the_wallet_asked_at_once(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.wallet.absent = "relay_unreachable"
    shop.live(600)
    with pytest.raises(Conflict) as refused:
        shop.wallets.test(USER, "main", shop.world.now)
    assert (refused.value.code, refused.value.extensions["trouble"]) == ("wallet_not_ready", "relay_unreachable")
    shop.wallet.absent = ""
    shop.wallets.test(USER, "main", shop.world.now)
    shop.live(120)
    assert len(shop.terms) == 2


def test_two_rounds_at_once_ask_once(shop: Renewing) -> None:
    to_the_renewal(shop)
    shop.world.app.advance(120)
    (due,) = shop.renewals.due(25)
    shop.world.memory.before_commit = lambda: shop.renewals.renew(due)
    assert shop.renewals.renew(due) + shop.renewals.renew(due) == 1
    shop.live(600)
    assert (len(shop.terms), len(shop.wallet.seen)) == (2, 1)


def test_connected_anew_the_old_connection_is_gone(shop: Renewing) -> None:
    before = shop.kept.find(USER, "main")
    shop.wallets.connect(USER, CONNECTION, PLUS.plan_id, 20_000, shop.world.now, accept_unlimited=False)
    after = shop.kept.find(USER, "main")
    assert before is not None
    assert after is not None
    assert before.connection_id != after.connection_id == shop.mandate.connection_id
    shop.live(29 * DAY)
    assert len(shop.terms) == 2


def reminded(shop: Renewing) -> int:
    """How many reminders are told a week before the end."""
    (end,) = shop.world.account.renewals
    at = end.ends_at - 7 * DAY
    return Reminders(shop.world.accounts, shop.world.plans, shop.world.due, [7, 1]).send(at, 25)


def test_who_said_that_the_connection_ends_before_is_reminded_and_the_wallet_is_asked_all_the_same(
    shop: Renewing,
) -> None:
    asked_at = shop.mandate.act_at
    assert asked_at is not None
    shop.connect(said=Said(ends_at=asked_at))
    assert (shop.shown["foreseen"], shop.shown["said"]["ends_at"]) == ("connection_ends", rfc3339(asked_at))
    assert reminded(shop) == 1
    shop.live(30 * DAY)
    assert len(shop.terms) == 2


def test_who_said_that_it_lasts_is_not_reminded(shop: Renewing) -> None:
    asked_at = shop.mandate.act_at
    assert asked_at is not None
    shop.connect(said=Said(ends_at=asked_at + 1, budget_sat=500_000, period="monthly"))
    assert shop.shown["foreseen"] is None
    assert reminded(shop) == 0


def test_a_budget_below_what_the_last_term_came_to_is_foreseen_until_it_is_raised(shop: Renewing) -> None:
    change = {"paused": None, "most_sat": None, "price_cents": None}
    shop.connect(said=Said(budget_sat=1, period="monthly"))
    assert shop.shown["foreseen"] == "budget_too_small"
    raised = shop.wallets.set(USER, "main", shop.world.now, said=Said(budget_sat=500_000, period="yearly"), **change)
    assert (raised["foreseen"], raised["said"]["period"]) == (None, "yearly")
    paused = shop.wallets.set(USER, "main", shop.world.now, **{**change, "paused": True})
    assert paused["said"]["budget_sat"] == 500_000, "what is not named stays"


def test_a_budget_that_the_wallet_tells_is_not_its_owners_to_say(shop: Renewing) -> None:
    shop.wallet.budget_now = Budget(total_msat=50_000_000, used_msat=0, period="monthly", renews_at=None)
    shown = shop.connect(said=Said(budget_sat=1, ends_at=shop.world.now + 400 * DAY))
    assert (shown["said"]["budget_sat"], shown["foreseen"]) == (None, None)
    assert shown["said"]["ends_at"] is not None
