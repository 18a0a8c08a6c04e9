"""Renewal by a wallet through random histories: every mood of the wallet, answers lost on both sides, rounds that
repeat, a buyer who pays by hand, pauses and goes on, prices that move, and time that jumps.

Whatever happened: no term is paid twice, no more is paid than was agreed to, and what was paid has its term or waits
for a person.
"""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, currently_in_test_context, given, note, settings
from hypothesis import strategies as st

from billing.errors import BillingError
from billing.rules.access import term_runs
from billing.rules.plans import Catalogue
from billing.rules.renewal import INVOICE_MINUTES, MARGIN
from billing.rules.times import DAY
from examples import examples
from fakes.base import Fault
from fakes.btcpay_invoice import RATES, Invoice
from tests.acceptance.wallets import Renewing
from tests.acceptance.world import USER, World, open_world
from tests.samples import PLUS

MOODS = (
    "pays",
    "pays, answer lost",
    "pays later",
    "silent",
    "claims",
    "fails",
    "fails, and has paid",
    "budget",
    "busy",
    "unseen",
    "ended",
)
CEILING, AGREED = 12_000, 900

moods = st.lists(st.sampled_from(MOODS), max_size=6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from((60, 400, 900, 1800, 4 * 3600, DAY, 3 * DAY, 12 * DAY))),
        st.tuples(st.just("to the renewal"), st.just(0)),
        st.tuples(st.just("moods"), moods),
        st.tuples(st.just("fault"), st.tuples(st.sampled_from(("lose", "refuse")), st.integers(1, 4))),
        st.tuples(st.just("price"), st.sampled_from((700, 900, 1100))),
        st.tuples(st.just("rate"), st.sampled_from((50_000, 97_000, 140_000))),
        st.tuples(
            st.sampled_from(("wake", "round twice", "no webhooks", "webhooks", "by hand", "by hand later")), st.just(0)
        ),
        st.tuples(st.sampled_from(("pause", "go on", "remove", "connect", "relay gone", "relay back")), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


class History:
    def __init__(self, world: World) -> None:
        self.world, self.shop = world, Renewing(world)
        self.shop.connect(most_sat=CEILING)
        world.buy(PLUS)
        self.pages: list[str] = []
        self.agreed = {AGREED}

    def live(self, steps: list[tuple[str, Any]]) -> None:
        for act, given_ in steps:
            try:
                getattr(self, act.replace(" ", "_"))(given_)
            except BillingError as refused:
                if currently_in_test_context():
                    note(f"{act}: {refused.code}")
        self.webhooks(0)
        self.world.app.faults.clear()
        self.wake(0)
        self.wait(DAY)

    def wait(self, seconds: int) -> None:
        self.shop.live(seconds)

    def to_the_renewal(self, _: int) -> None:
        at = self.shop.mandate.act_at
        if at is not None and at > self.world.now:
            self.shop.live(at - self.world.now + 61)

    def moods(self, moods: list[str]) -> None:
        self.shop.wallet.moods = list(moods)

    def fault(self, kind: tuple[str, int]) -> None:
        self.world.app.faults.append(Fault(kind[0], "", "/api", times=kind[1], status=503))

    def price(self, cents: int) -> None:
        shelf: Any = self.world.plans
        version = max(p.version for p in shelf.plans.plans if p.plan_id == PLUS.plan_id) + 1
        shelf.plans = Catalogue((*shelf.plans.plans, replace(PLUS, version=version, price_cents=cents)))

    def rate(self, dollars: int) -> None:
        RATES["USD"] = Decimal(dollars)

    def wake(self, _: int) -> None:
        self.shop.wallet.wake()
        self.shop.step()

    def round_twice(self, _: int) -> None:
        found = self.shop.renewals.due(25)
        for due in [*found, *found]:
            self.world.memory.before_commit = lambda due=due: self.shop.renewals.renew(due)  # type: ignore[misc]
            self.shop.renewals.renew(due)
        self.world.memory.before_commit = None

    def no_webhooks(self, _: int) -> None:
        self.world.app.webhooks.lose = True

    def webhooks(self, _: int) -> None:
        self.world.app.webhooks.lose = False

    def by_hand(self, _: int) -> None:
        self.by_hand_later(0)
        self.world.app.pay(self.pages[-1], lightning=True)
        self.shop.step()

    def by_hand_later(self, _: int) -> None:
        """A page is opened, and perhaps never paid."""
        self.pages.append(self.world.session(self.world.checkout(PLUS, accept_overlap=True)))

    def pause(self, _: int) -> None:
        self._set(paused=True)

    def go_on(self, _: int) -> None:
        self._set(paused=False)

    def _set(self, paused: bool) -> None:
        self.shop.wallets.set(USER, "main", self.world.now, paused=paused, most_sat=None, price_cents=None)

    def remove(self, _: int) -> None:
        self.shop.wallets.remove(USER, "main", self.world.now)

    def connect(self, _: int) -> None:
        self.shop.connect(most_sat=CEILING)
        self.agreed.add(self.shop.mandate.price_cents)

    def relay_gone(self, _: int) -> None:
        self.shop.wallet.absent = "relay_unreachable"

    def relay_back(self, _: int) -> None:
        self.shop.wallet.absent = ""

    # --- what holds --------------------------------------------------------------------------------------------------

    @property
    def for_wallets(self) -> list[Invoice]:
        """The invoices that some wallet was shown, oldest first."""
        shown = set(self.shop.wallet.seen)
        return sorted((i for i in self.world.app.invoices.values() if i.bolt11 in shown), key=lambda i: i.created)

    def check(self) -> None:
        account = self.world.account
        shown = self.for_wallets
        assert not {i.id for i in shown} & set(self.pages), "what a wallet may pay was given to somebody by hand"
        for earlier, later in pairwise(shown):
            settled = bool(earlier.counted)
            over = later.created >= earlier.expires + MARGIN
            assert settled or over, "two invoices could be paid at once"
        for invoice in shown:
            pages = [i for i in self.world.app.invoices.values() if i.id in self.pages]
            beside = [p for p in pages if invoice.created <= p.created < invoice.expires + MARGIN]
            assert not beside or invoice.counted, "a page by hand beside a wallet's invoice"
            assert invoice.satoshis <= CEILING
            assert int(invoice.amount * 100) <= max(self.agreed)
            assert invoice.expires - invoice.created == INVOICE_MINUTES * 60
        paid = [i for i in self.world.app.invoices.values() if i.counted]
        terms = {t.purchase_id: t for t in account.terms}
        for invoice in paid:
            term = terms[invoice.id]
            assert term.paid or term.undecided, "paid, and neither a term nor in a person's hands"
        renewed = [i for i in paid if i.id not in self.pages][1:]
        lead, starts = 3 * DAY, {r.term.purchase_id: r.start for r in term_runs(account, self.world.plans.catalogue())}
        for invoice in renewed:
            if terms[invoice.id].paid:
                assert starts[invoice.id] - lead <= invoice.created, "renewed before its time, or a term twice"
        assert len(set(starts.values())) == len(starts), "two terms for one time"


LATER = [("moods", ["pays later"]), ("to the renewal", 0)]


# Histories in which something went wrong once.
KNOWN: list[list[tuple[str, Any]]] = [
    [*LATER, ("remove", 0), ("by hand", 0), ("wake", 0)],
    [*LATER, ("by hand", 0), ("wake", 0)],
    [*LATER, ("wait", 1260), ("by hand later", 0), ("wait", 900), ("go on", 0), ("wait", 900)],
    [*LATER, ("wait", 900), ("wake", 0), ("no webhooks", 0)],
    [("moods", ["silent"]), ("to the renewal", 0), ("wait", 1260), *[("go on", 0), ("wait", 120)] * 3],
    [("moods", ["fails, and has paid"]), ("no webhooks", 0), ("to the renewal", 0), ("by hand", 0), ("wait", DAY)],
    [("moods", ["claims", "claims"]), ("to the renewal", 0), ("wait", DAY), ("round twice", 0), ("wait", DAY)],
    [("wait", 12 * DAY), ("by hand later", 0), ("wait", 12 * DAY), ("to the renewal", 0), ("round twice", 0)],
    [("rate", 50_000), ("to the renewal", 0), ("wait", DAY), ("rate", 97_000), ("wait", DAY)],
    [("price", 1100), ("to the renewal", 0), ("wait", DAY), ("connect", 0), ("wait", DAY)],
    [("fault", ("lose", 3)), ("to the renewal", 0), ("round twice", 0), ("fault", ("lose", 2)), ("wait", 900)],
]


@pytest.mark.parametrize("history", KNOWN)
def test_known_histories_end_well(history: list[tuple[str, Any]]) -> None:
    _lived_and_checked(history)


@pytest.mark.sweep
@settings(max_examples=examples(15, 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_no_term_is_paid_twice_nor_beyond_what_was_agreed_and_nothing_paid_is_lost(
    history: list[tuple[str, Any]],
) -> None:
    _lived_and_checked(history)


def _lived_and_checked(history: list[tuple[str, Any]]) -> None:
    with open_world("btcpay") as world, patch.dict(RATES):
        lived = History(world)
        lived.live(history)
        lived.check()
