"""`billing invoices`: bitcoin invoices that are not final, and the decisions about them."""

import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from billing.admin.invoices import InvoiceDesk
from billing.rules.money import format_money
from billing_cli.output import console, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Bitcoin invoices that are not final: list, reread, accept, refund.")
Provider = Annotated[str, typer.Argument(help="bitpay or btcpay")]
Invoice = Annotated[str, typer.Argument(help="The provider's id of the invoice.")]
_LIMIT = 100
# Who has to act next on a pending refund.
_WAITS = {
    "claim": "waits for the buyer to claim it",
    "approval": "waits for the merchant to approve it at the server",
    "payment": "waits for the server to pay it",
}


def _desk(stack: Stack) -> InvoiceDesk:
    wire = stack.wire
    return InvoiceDesk(wire.accounts, wire.plans, wire.due, wire.applier, wire.client, wire.refunds)


def _say(invoice: Mapping[str, Any]) -> None:
    def money(name: str) -> str:
        return format_money(invoice[name], invoice["currency"])

    console.print(f"[bold]{invoice['provider']} {invoice['purchase_id']}[/]  {invoice['status']}")
    console.print(f"user {invoice['user_id']}, plan {invoice['plan_id']}, price {money('amount_cents')}")
    sat = f" ({invoice['received_sat']} sat)" if invoice["received_sat"] else ""
    came = f"received {money('received_cents')}{sat}, due {money('due_cents')}, returned {money('refunded_cents')}"
    console.print(came, soft_wrap=True)
    if invoice["accepted_by"]:
        console.print(f"accepted by {invoice['accepted_by']}")
    if invoice["undecided_cents"]:
        console.print(f"[yellow]{money('undecided_cents')} waits for a decision[/]")
    if invoice["vanished_cents"]:
        console.print(f"[yellow]{money('vanished_cents')} had counted, but the payment has disappeared[/]")
    if invoice["duplicate_of"]:
        console.print(f"paid a second time for what {invoice['duplicate_of']} had already bought")
    for refund in invoice["refunds"]:
        stated = f", stated by the provider as {refund['exact_amount']}" if refund["exact_amount"] else ""
        how = _WAITS.get(refund["waits_for"], refund["status"])
        back = format_money(refund["amount_cents"], invoice["currency"])
        console.print(f"refund {refund['refund_id']}: {back}{stated}, {how}", soft_wrap=True)
    for url in invoice.get("claim_urls", []):
        console.print(f"The buyer has not claimed {url}", soft_wrap=True)


@app.command("list")
def show_open(
    context: typer.Context,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only invoices that need a decision.")] = False,
) -> None:
    """List the invoices that may still change."""
    invoices = _desk(context.obj).open(_LIMIT, flagged=flagged)["invoices"]
    if not invoices:
        console.print("No invoice waits for a decision." if flagged else "No invoice is open.")
        return
    rows = [
        (
            i["provider"],
            i["purchase_id"],
            i["user_id"],
            Text.assemble(i["status"], (" decide", "yellow") if i["needs_decision"] else ""),
            format_money(i["amount_cents"], i["currency"]),
            format_money(i["received_cents"], i["currency"]),
            format_money(i["undecided_cents"], i["currency"]) if i["undecided_cents"] else "",
            i["created_at"],
        )
        for i in invoices
    ]
    table("Open invoices", ["provider", "invoice", "user", "status", "price", "received", "undecided", "created"], rows)


@app.command()
def reread(context: typer.Context, provider: Provider, invoice: Invoice) -> None:
    """Read an invoice from its provider and apply its state."""
    _say(_desk(context.obj).reread(provider, invoice, int(time.time())))


@app.command()
def accept(context: typer.Context, provider: Provider, invoice: Invoice) -> None:
    """Accept an underpaid or late payment. The audit log records you."""
    admin = context.obj.operator
    _say(_desk(context.obj).accept(provider, invoice, admin, int(time.time())))


@app.command()
def refund(
    context: typer.Context,
    provider: Provider,
    invoice: Invoice,
    amount: Annotated[int | None, typer.Option(min=1, help="In the minor unit. Default: all that is left.")] = None,
    surplus: Annotated[bool, typer.Option("--surplus", help="Only what was paid beyond the price.")] = False,
    accepted: Annotated[bool, typer.Option("--accepted", help="Even if the payment was accepted.")] = False,
    key: Annotated[str, typer.Option(help="The key of an earlier refund, to repeat it safely.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Refund an invoice and print the link where the buyer claims the money, if any. The audit log records you."""
    what = "the surplus" if surplus else "all that is left" if amount is None else f"{amount} minor units"
    if not yes:
        typer.confirm(f"Refund {what} of {provider} invoice {invoice}?", abort=True)
    key = key or uuid.uuid4().hex
    # Printed first: if this process is interrupted, the same refund can be repeated with this key.
    console.print(f"key {key}")
    admin, now = context.obj.operator, int(time.time())
    done = _desk(context.obj).refund(provider, invoice, amount, key, admin, now, surplus=surplus, accepted=accepted)
    _say(done)
    console.print(f"refund {done['refund_id']}, {done['outcome']}")
    if done["claim_url"]:
        console.print(f"The buyer claims it at {done['claim_url']}", soft_wrap=True)
