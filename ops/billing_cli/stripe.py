"""`billing stripe`: checks the Stripe account and sets up its webhook endpoint."""

import typer
from rich.markup import escape

from billing.catalogue.prices import PlanPrices
from billing.errors import NotConfigured, ProviderError
from billing.providers import Clients
from billing.providers.interface import Check
from billing.providers.stripe.checkup import check, set_up
from billing.providers.stripe.client import asking, sdk_client
from billing.store.plans import PlanStore
from billing_cli.output import console
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="The Stripe account: check it, set it up.")
_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def webhook_url(stack: Stack) -> str:
    return f"{stack.settings.public_url}/billing/webhook/stripe"


@app.command()
def doctor(context: typer.Context) -> None:
    """Check keys and mode, secrets, webhook endpoint, portal and prices; print what is wrong and how to fix it."""
    if not print_checks(context.obj):
        raise typer.Exit(1)


def print_checks(stack: Stack) -> bool:
    """Prints a line for each check, and the remedy if it failed; returns False if any failed."""
    checks = list(_checks(stack))
    for result in checks:
        console.print(f"{_MARKS[result.level]} {result.subject}: {escape(result.finding)}")
        if result.remedy:
            console.print(f"  → {result.remedy}", style="dim", markup=False)
    return not any(result.level == "fail" for result in checks)


def _checks(stack: Stack) -> list[Check]:
    try:
        api = sdk_client(stack.settings)
        with asking():
            own = list(check(api, webhook_url(stack)))
    except (NotConfigured, ProviderError) as error:
        return [Check("fail", "key", str(error), "billing secrets put STRIPE_SECRET_KEY")]
    return [*own, *_secrets(stack), *_prices(stack)]


def _secrets(stack: Stack) -> list[Check]:
    try:
        secrets = stack.settings.secrets("STRIPE_WEBHOOK_SECRET")
    except NotConfigured as error:
        return [Check("fail", "webhook secret", str(error), "billing stripe setup prints it once")]
    odd = [secret for secret in secrets if not secret.startswith("whsec_")]
    if odd:
        return [Check("fail", "webhook secret", f"{len(odd)} do not start with whsec_", "copy them from Stripe again")]
    return [Check("ok", "webhook secret", f"{len(secrets)} accepted")]


def _prices(stack: Stack) -> list[Check]:
    store = PlanStore(stack.aws, stack.settings.plans_table)
    synced = PlanPrices(store, Clients(stack.settings), stack.settings.providers).sync(dry_run=True)
    drift = [s for s in synced if s.changes or s.problems]
    if not drift:
        return [Check("ok", "prices", f"{len(synced)} plans are as in the catalogue")]
    names = ", ".join(f"{s.plan_id}: {(*s.problems, *s.changes)[0]}" for s in drift)
    return [Check("fail" if any(s.problems for s in drift) else "warn", "prices", names, "billing plans sync")]


@app.command()
def setup(context: typer.Context) -> None:
    """Create the webhook endpoint with the right events and API version, or update the existing one."""
    stack: Stack = context.obj
    with asking():
        endpoint, secret = set_up(sdk_client(stack.settings), webhook_url(stack))
    console.print(f"[green]✓[/] {endpoint.id} sends {len(endpoint.enabled_events)} events to {endpoint.url}")
    if secret is not None:
        console.print("Its signing secret is shown only now; add it to STRIPE_WEBHOOK_SECRET:")
        console.print(f"  {secret}", markup=False)
