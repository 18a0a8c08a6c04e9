"""`billing secrets`: fills the secrets that the template creates empty, without a trace in the shell's history."""

import sys
from operator import itemgetter
from typing import Annotated

import typer
from rich.text import Text

from billing.aws import AwsError
from billing_cli.output import console, refused, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="The stack's secrets: list, put, add, drop.")


@app.command("list")
def show(context: typer.Context) -> None:
    """List the stack's secrets, and since when each has a value."""
    stack: Stack = context.obj
    filters = [{"Key": "name", "Values": [f"{stack.name}/"]}]
    secrets = stack.aws.call("secretsmanager", "list_secrets", Filters=filters, MaxResults=100)["SecretList"]
    rows = [(s["Name"].partition("/")[2], _since(stack, s["Name"])) for s in secrets]
    table("Secrets", ["name", "value"], sorted(rows, key=itemgetter(0)))


@app.command()
def put(
    context: typer.Context, name: Annotated[str, typer.Argument(help="From docs/configuration.md: STRIPE_SECRET_KEY.")]
) -> None:
    """Store a value from a hidden prompt or a pipe. Functions use it within five minutes."""
    value = _ask(name)
    _store(context.obj, name, value)
    console.print(f"[green]✓[/] {name} stored ({len(value)} characters)")


@app.command()
def add(context: typer.Context, name: Annotated[str, typer.Argument(help="Such as STRIPE_WEBHOOK_SECRET.")]) -> None:
    """Add a value to a webhook secret, before the others. All values are accepted."""
    values = [_ask(name), *_values(context.obj, name)]
    _store(context.obj, name, ",".join(values))
    console.print(f"[green]✓[/] {name} accepts {len(values)} values; the new one is the first")


@app.command()
def drop(context: typer.Context, name: Annotated[str, typer.Argument(help="Such as STRIPE_WEBHOOK_SECRET.")]) -> None:
    """Keep only the first value of a webhook secret, at the end of a rotation."""
    values = _values(context.obj, name)
    if not values:
        console.print(f"[red]{name} is empty.[/]")
        raise typer.Exit(1)
    _store(context.obj, name, values[0])
    console.print(f"[green]✓[/] {name} accepts only its first value; {len(values) - 1} dropped")


def _ask(name: str) -> str:
    value = str(typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()).strip()
    if not value:
        console.print("[red]The value is empty; nothing was stored.[/]")
        raise typer.Exit(1)
    return value


def _values(stack: Stack, name: str) -> list[str]:
    """The accepted values of a webhook secret. Exits for other secrets: they hold one value, perhaps with commas."""
    if not name.endswith("_WEBHOOK_SECRET"):
        console.print(f"[red]{name} holds one value:[/] billing secrets put {name}")
        raise typer.Exit(1)
    try:
        answer = stack.aws.call("secretsmanager", "get_secret_value", SecretId=f"{stack.name}/{name}")
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return []
        raise
    return [part.strip() for part in str(answer["SecretString"]).split(",") if part.strip()]


def _store(stack: Stack, name: str, value: str) -> None:
    try:
        stack.aws.call("secretsmanager", "put_secret_value", SecretId=f"{stack.name}/{name}", SecretString=value)
    except AwsError as error:
        refused(f"{name} was not stored:", error.message)
        raise typer.Exit(1) from error


def _since(stack: Stack, secret_id: str) -> str | Text:
    versions = stack.aws.call("secretsmanager", "list_secret_version_ids", SecretId=secret_id).get("Versions", [])
    current = [v["CreatedDate"] for v in versions if "AWSCURRENT" in v.get("VersionStages", [])]
    return f"since {current[0]:%Y-%m-%d %H:%M}" if current else Text("empty", "red")
