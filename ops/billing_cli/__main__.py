"""The entry point: picks the stack, then the command."""

import os
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from billing import log
from billing.aws import AwsError
from billing.errors import BillingError, NotConfigured
from billing_cli import (
    bitcoin,
    customers,
    deploy,
    dlq,
    endpoints,
    explain,
    flags,
    invoices,
    metrics,
    moves,
    nostr,
    plans,
    reconcile,
    secrets,
    stripe,
    tokens,
    vouchers,
)
from billing_cli.output import refused
from billing_cli.stack import LOCAL, Stack


class Commands(TyperGroup):
    """Prints a refusal by AWS or a provider in one line; only our own faults give a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (AwsError, BotoCoreError, ClientError, BillingError, NotConfigured) as error:
            refused("Refused:", error)
            raise typer.Exit(1) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(bitcoin.app, name="bitcoin")
app.add_typer(customers.app, name="customers")
app.add_typer(dlq.app, name="dlq")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(flags.app, name="flags")
app.add_typer(invoices.app, name="invoices")
app.add_typer(metrics.app, name="metrics")
app.add_typer(moves.app, name="moves")
app.add_typer(nostr.app, name="nostr")
app.add_typer(plans.app, name="plans")
app.command()(deploy.deploy)
app.command()(deploy.destroy)
app.command("explain")(explain.show)
app.command()(reconcile.reconcile)
app.command()(reconcile.replay)
app.command()(reconcile.rebuild)
app.add_typer(secrets.app, name="secrets")
app.add_typer(stripe.app, name="stripe")
app.add_typer(tokens.app, name="tokens")
app.add_typer(vouchers.app, name="vouchers")


@app.callback()
def choose(
    context: typer.Context,
    stack: Annotated[
        str, typer.Option(envvar="BILLING_STACK", help="A CloudFormation stack, or `local` for `make run`.")
    ] = LOCAL,
) -> None:
    """Operate BitSleuth Billing."""
    # botocore and sam read only AWS_DEFAULT_REGION; like AWS's own command line we let AWS_REGION decide.
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region
    context.obj = Stack(stack)


if __name__ == "__main__":
    log.stream = "stderr"  # stdout holds only the command's output, which may go to a file
    app(prog_name="billing")
