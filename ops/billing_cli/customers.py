"""`billing customers`: rebuilds the list of customers from the accounts."""

import time

import typer

from billing.store.customers import CustomerIndex
from billing_cli.output import console

app = typer.Typer(no_args_is_help=True, help="The list of customers that admins search.")


@app.command()
def rebuild(context: typer.Context) -> None:
    """Read every account and correct its entry in the list, while the stack runs. Safe to interrupt and to repeat."""
    index: CustomerIndex = context.obj.wire.customers
    read = corrected = 0
    for page in index.everybody():
        for user_id in page:
            read += 1
            corrected += index.refresh(user_id, int(time.time()), whole=True)
        console.print(f"[dim]{read} accounts read[/]")
    console.print(f"[green]✓[/] {read} accounts read, {corrected} entries corrected")
