"""`billing bitcoin`: are the servers and accounts that take bitcoin set up as they must be?"""

from collections.abc import Iterable
from typing import cast

import typer
from rich.markup import escape

from billing.errors import NotConfigured, ProviderError
from billing.providers import PREPAID, load
from billing.providers.bitpay import BitPay
from billing.providers.btcpay import BTCPay
from billing.providers.btcpay.checkup import check
from billing.providers.interface import Check
from billing.settings import Settings
from billing_cli.output import console
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="BTCPay Server and BitPay: check how they are set up.")
_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


@app.callback()
def _commands() -> None:
    """Keeps `doctor` a command of its own while it is the only one."""


@app.command()
def doctor(context: typer.Context) -> None:
    """Address, version, what the key may do, what cannot be seen: what is wrong, and what to do."""
    stack: Stack = context.obj
    offered = [name for name in stack.settings.providers if name in PREPAID]
    if not offered:
        console.print("This stack does not sell for bitcoin.")
    failed = False
    for name in offered:
        console.print(f"[bold]{name}[/]")
        for one in checks(name, stack.settings):
            failed |= one.level == "fail"
            console.print(f"{_MARKS[one.level]} {one.subject}: {escape(one.finding)}")
            if one.remedy:
                console.print(f"  → {one.remedy}", style="dim", markup=False)
    if failed:
        raise typer.Exit(1)


def checks(name: str, settings: Settings) -> Iterable[Check]:
    try:
        secret = "BTCPAY_WEBHOOK_SECRET" if name == "btcpay" else "BITPAY_API_KEY"
        settings.secrets(secret)
        client = load(name).connect(settings)
        if isinstance(client, BTCPay):
            return list(check(client))
        return list(cast(BitPay, client).check())
    except (NotConfigured, ProviderError) as error:
        return [Check("fail", "connection", str(error), "docs/bitcoin.md has every name and where it comes from")]
