"""`billing nostr`: the key that sends messages to buyers, and the state of the relays."""

import typer
from rich.markup import escape

from billing.errors import NotConfigured
from billing.nostr.keys import Key, npub
from billing.nostr.messages import inbox_of, introduce
from billing.nostr.messenger import Messenger
from billing_cli.output import console
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Reminders by Nostr message: the service's key.")


@app.command()
def generate() -> None:
    """Generate a key for NOSTR_SERVICE_KEY. docs/messages.md says what changing the key means."""
    key = Key.new()
    console.print("[bold]NOSTR_SERVICE_KEY[/] (secret: its holder can write in the service's name)")
    typer.echo(key.secret)
    console.print("\n[bold]public key, as buyers see it[/]")
    typer.echo(npub(key.public))


@app.command()
def doctor(context: typer.Context) -> None:
    """Check whether messages can be sent: the key, and the relays where buyers' inboxes are looked up."""
    messenger = _messenger(context.obj)
    if not messenger.available:
        console.print("[yellow]![/] NOSTR_SERVICE_KEY is empty: buyers are not offered reminders by message")
        console.print(
            "  → billing nostr generate, then billing secrets put NOSTR_SERVICE_KEY", style="dim", markup=False
        )
        raise typer.Exit(1)
    try:
        key = messenger.key
    except NotConfigured as wrong:
        console.print(f"[red]✗[/] {escape(str(wrong))}")
        raise typer.Exit(1) from wrong
    console.print(f"[green]✓[/] the service writes as {npub(key.public)}", soft_wrap=True)
    # The lookup of our own inbox is only a probe: what counts is whether the relay answers.
    answers = [url for url in messenger.indexes if inbox_of(key.public, messenger.relays, [url]).certain]
    for url in messenger.indexes:
        mark, words = ("[green]✓[/]", "answers") if url in answers else ("[yellow]![/]", "does not answer")
        console.print(f"{mark} {escape(url)} {words}", soft_wrap=True)
    if not answers:
        raise typer.Exit(1)


@app.command("introduce")
def introduce_(
    context: typer.Context,
    name: str = typer.Option("Billing", help="The sender's name in Nostr clients."),
    about: str = typer.Option("Reminders of what ends, to those who asked for them.", help="A sentence."),
) -> None:
    """Publish the service's name on the index relays, so that clients show who sends its messages."""
    messenger = _messenger(context.obj)
    if not introduce(messenger.key, name, about, messenger.relays, messenger.indexes):
        console.print("[red]✗[/] no relay accepted it")
        raise typer.Exit(1)
    console.print(f"[green]✓[/] {escape(name)} is published", soft_wrap=True)


def _messenger(stack: Stack) -> Messenger:
    return Messenger.of(stack.settings)
