"""`billing stripe`: checks the Stripe account and sets up its webhook endpoint."""

import typer

from billing.catalogue.prices import PlanPrices
from billing.errors import NotConfigured, ProviderError
from billing.providers.interface import Check
from billing.providers.stripe.checkup import check, set_up
from billing.providers.stripe.client import asking, sdk_client
from billing_cli.output import console, print_checks
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="The Stripe account: check it, set it up.")


def webhook_url(stack: Stack) -> str:
    return f"{stack.settings.public_url}/billing/webhook/stripe"


@app.command()
def doctor(context: typer.Context) -> None:
    """Check keys and mode, secrets, webhook endpoint, portal and prices; print what is wrong and how to fix it."""
    if not print_checks(checks(context.obj)):
        raise typer.Exit(1)


def checks(stack: Stack) -> list[Check]:
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
    synced = PlanPrices(stack.wire.plans, stack.wire.client, stack.settings.providers).sync(dry_run=True)
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
