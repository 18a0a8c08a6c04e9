"""`billing tokens`: the keys with which this stack signs tokens."""

import json
from datetime import UTC, datetime

import typer

from billing.identity.tokens import Verifier, generate_key_set
from billing_cli.output import console

app = typer.Typer(no_args_is_help=True, help="Signing keys.")


@app.command()
def generate(kid: str = "") -> None:
    """Generate a key set: the private keys for TOKEN_SIGNING_KEYS, the public ones for TOKEN_PUBLIC_KEYS.

    To rotate, put the new key first in the private set and both keys in the public one; docs/tokens.md has the steps.
    """
    private = generate_key_set(kid or datetime.now(UTC).strftime("key-%Y%m%d"))
    public = json.dumps(Verifier({"generated": private}).jwks())
    console.print("[bold]TOKEN_SIGNING_KEYS[/] (secret: its holder can sign tokens for any user)")
    typer.echo(private)
    console.print("\n[bold]TOKEN_PUBLIC_KEYS[/]")
    typer.echo(public)
