"""The `billing` commands about Stripe and secrets, as an operator types them, against the stand-in."""

import time
from collections.abc import Iterator

import boto3
import pytest

from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing_cli.stack import Stack
from fakes.base import Fault
from tests.ops.conftest import OpenStack, billing
from tests.providers.stripe.stripe_shop import Shop, open_shop

HOOK = "https://billing.example"


@pytest.fixture
def shop(tables: dict[str, str]) -> Iterator[Shop]:
    """It is today there, as it is for the commands."""
    with open_shop(time.time()) as opened:
        yield opened


@pytest.fixture
def stack(shop: Shop, open_stack: OpenStack) -> Stack:
    """Its Stripe is the stand-in."""
    stack = open_stack(
        BILLING_PROVIDER_MODE="stripe",
        PUBLIC_URL=HOOK,
        STRIPE_SECRET_KEY="sk_test_standin",
        STRIPE_WEBHOOK_SECRET="whsec_a,whsec_b",
        STRIPE_API_BASE=shop.app.url,
    )
    for plan in shop.plans.values():
        PlanStore(stack.aws, "PlansTable").add_version(plan)
    return stack


def test_a_lost_subscription_is_reported_then_mended(stack: Stack, shop: Shop) -> None:
    shop.subscribe()
    reported = billing("reconcile", "--dry-run", "--days", "30")
    assert "we have no subscription of plan plus_month" in reported.output
    assert AccountStore(stack.aws, "AccountsTable").load("usr_1").records == {}
    mended = billing("reconcile", "--days", "30")
    assert (mended.exit_code, "repaired" in mended.output) == (0, True)
    assert billing("reconcile", "--days", "30").output.endswith("0 differ, 0 repaired.\n")
    assert "agrees with its audit records" in billing("rebuild", "usr_1").output
    unknown = billing("rebuild", "usr_2")
    assert (unknown.exit_code, "no subscription or purchase of usr_2 is on record" in unknown.output) == (1, True)


def test_one_customer_and_one_event(stack: Stack, shop: Shop) -> None:
    sub = shop.subscribe()
    assert "✓ missing" in billing("reconcile", "--customer", sub["customer"]).output
    event = shop.books.events[-1]["id"]
    assert billing("replay", event).exit_code == 0
    assert "No such event" in billing("replay", "evt_none").output


def test_the_doctor_names_what_is_wrong_and_setup_mends_it(stack: Stack, shop: Shop) -> None:
    ill = billing("stripe", "doctor")
    assert ill.exit_code == 1
    assert "billing stripe setup" in ill.output
    made = billing("stripe", "setup")
    assert "whsec_" in made.output
    shop.app.call("POST", "/v1/billing_portal/configurations", {"features[invoice_history][enabled]": "true"})
    well = billing("stripe", "doctor")
    assert (well.exit_code, "2 accepted" in well.output) == (0, True)
    assert "whsec_" not in well.output


def test_the_doctor_names_the_permissions_that_a_restricted_key_lacks(stack: Stack, shop: Shop) -> None:
    lacking = ("/v1/balance_transactions", "/v1/radar")
    shop.app.faults = [Fault("refuse", "GET", path, status=403) for path in lacking]
    ill = billing("stripe", "doctor")
    assert ill.exit_code == 1
    assert "may not read Balance transaction sources, Radar" in " ".join(ill.output.split())
    assert "billing stripe setup" in ill.output  # the other checks are made all the same


def test_a_drifted_price_is_shown_and_repaired(stack: Stack, shop: Shop) -> None:
    price = shop.plans["plus_month"].provider_plan_ids["stripe"]
    shop.books.objects[price]["active"] = False
    assert "activate price" in billing("plans", "sync", "--dry-run").output
    synced = billing("plans", "sync")
    assert synced.exit_code == 0, synced.output
    assert "activate" not in billing("plans", "sync", "--dry-run").output


def test_a_webhook_secret_is_rotated_without_being_shown(stack: Stack) -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="test/STRIPE_WEBHOOK_SECRET", SecretString="whsec_old")

    def stored() -> str:
        return str(client.get_secret_value(SecretId="test/STRIPE_WEBHOOK_SECRET")["SecretString"])

    added = billing("secrets", "add", "STRIPE_WEBHOOK_SECRET", typed="whsec_new\n")
    assert (stored(), "whsec" in added.output) == ("whsec_new,whsec_old", False)
    billing("secrets", "drop", "STRIPE_WEBHOOK_SECRET")
    assert stored() == "whsec_new"


def test_what_cannot_be_a_secret_is_refused(stack: Stack) -> None:
    assert "nothing was stored" in billing("secrets", "add", "STRIPE_WEBHOOK_SECRET", typed=" \n").output
    assert "holds one value" in billing("secrets", "add", "STRIPE_SECRET_KEY", typed="sk_test_x\n").output
    assert "was not stored" in billing("secrets", "add", "BILLING_WEBHOOK_SECRET", typed="x\n").output
