"""`billing bitcoin`: checks the configuration of BTCPay Server and BitPay."""

from collections.abc import Sequence

import typer

from billing.errors import NotConfigured, ProviderError
from billing.providers import PREPAID, Clients, prepaid_client
from billing.providers.interface import Check
from billing.settings import Settings
from billing_cli.output import console, print_checks
from billing_cli.stack import NEEDED, Stack

app = typer.Typer(no_args_is_help=True, help="BTCPay Server and BitPay: check how they are set up.")


@app.callback()
def _commands() -> None:
    """Without this callback, Typer would merge the only command, `doctor`, into `billing bitcoin`."""


@app.command()
def doctor(context: typer.Context) -> None:
    """Check address, version, the key's permissions and more; print what is wrong and how to fix it."""
    stack: Stack = context.obj
    offered = [name for name in stack.settings.providers if name in PREPAID]
    if not offered:
        console.print("This stack does not sell for bitcoin.")
    failed = False
    for name in offered:
        console.print(f"[bold]{name}[/]")
        failed |= not print_checks(checks(name, stack.settings))
    if failed:
        raise typer.Exit(1)


def checks(name: str, settings: Settings) -> Sequence[Check]:
    try:
        for secret in NEEDED[name]:
            settings.secrets(secret)
        return list(prepaid_client(Clients(settings), name).check())
    except (NotConfigured, ProviderError) as error:
        return [Check("fail", "connection", str(error), "docs/bitcoin.md has every name and where it comes from")]
