"""Prepaid time that runs out is booked, although no event tells of it."""

from dataclasses import replace

from billing.aws import Aws
from billing.reporting.lapsed_terms import book_lapsed_terms
from billing.rules.access import term_runs
from billing.rules.consequences import consequences
from billing.rules.records import Account
from billing.rules.rollups import counters
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.metrics import MetricsStore
from billing.store.plans import PlanStore
from samples import CATALOGUE, NOW, USER
from tests.rules.test_ledger import term


def test_a_term_that_ran_out_is_booked_once_and_leaves_the_index(tables: dict[str, str]) -> None:
    aws = Aws()
    accounts, plans, due = (
        AccountStore(aws, "AccountsTable"),
        PlanStore(aws, "PlansTable"),
        DueStore(aws, "AccountsTable"),
    )
    for plan in CATALOGUE.plans:
        plans.add_version(plan)
    bought = term("inv_1", NOW)
    empty = Account(USER)
    accounts.commit(consequences(empty, replace(empty, records={bought.record: bought}), CATALOGUE, NOW))
    [run] = term_runs(accounts.load(USER), CATALOGUE)
    assert book_lapsed_terms(accounts, plans, due, run.end - 1, 10) == 0
    assert book_lapsed_terms(accounts, plans, due, run.end, 10) == 1
    assert book_lapsed_terms(accounts, plans, due, run.end + 9, 10) == 0
    pages = list(MetricsStore(aws, "MetricsTable", "AccountsTable").ledger())
    lines = [line for page in pages for _, line in page]
    assert [(line.kind, line.movement, line.amount_cents) for line in lines] == [
        ("mrr", "new", 900),
        ("payment", None, 900),
        ("mrr", "churn", -900),
    ]
    assert counters(lines)["day#USD", "2026-10-21"]["lost|not_renewed"] == 1
