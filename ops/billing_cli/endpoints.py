"""`billing endpoints`: manages the endpoints to which webhooks for hosts are sent."""

import time
from functools import partial
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing.admin.endpoints import AdminEndpoints
from billing.errors import InvalidRequest
from billing.log import Log
from billing.outgoing import place_of
from billing.store.outbox import STATES, State
from billing_cli.output import console, refused, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Webhooks to hosts: list, add, test, pause, resume, remove.")
One = Annotated[str, typer.Argument(help="As `billing endpoints list` names it.")]
_SHOWN = 50


def _desk(stack: Stack) -> AdminEndpoints:
    wire, key = stack.wire, partial(stack.settings.secret, "ENDPOINT_SECRETS_KEY")
    check = partial(place_of, at_home=stack.settings.at_home)
    return AdminEndpoints(wire.host_events, wire.wakes(Log()), wire.audit, key, check)


@app.command("list")
def show(context: typer.Context) -> None:
    """List the endpoints with their state, and the event types."""
    listed = _desk(context.obj).list()
    rows = [(e["endpoint_id"], _state(e), ", ".join(e["event_types"]), e["url"]) for e in listed["endpoints"]]
    table("Endpoints", ["endpoint", "state", "events", "url"], rows)
    console.print(f"\nEvents: {', '.join(listed['event_types'])}", style="dim", soft_wrap=True)


@app.command()
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="An https URL on the public internet.")],
    event: Annotated[list[str] | None, typer.Option(help="An event type; can be repeated. Default: all.")] = None,
    description: Annotated[str, typer.Option(help="Whose endpoint it is.")] = "",
) -> None:
    """Add an endpoint and print its secret, which is shown only once. The audit log records you."""
    desk = _desk(context.obj)
    try:
        made = desk.create(url, description, event or desk.list()["event_types"], **_by(context))
    except InvalidRequest as error:
        errors: Any = error.extensions["errors"]
        for fault in errors:
            refused(fault["path"], fault["message"])
        raise typer.Exit(1) from error
    console.print(f"{made['endpoint_id']}  {escape(made['url'])}", soft_wrap=True)
    console.print("[bold]secret[/] (for the host; it is not shown again)")
    typer.echo(made["secret"])


@app.command()
def test(context: typer.Context, endpoint: One) -> None:
    """Send a test event, even to a paused endpoint. `deliveries` shows the result."""
    console.print(f"{_desk(context.obj).test(endpoint, **_by(context))['event_id']} is on its way")


@app.command()
def deliveries(
    context: typer.Context,
    endpoint: One,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}. Default: all.")] = "",
) -> None:
    """List the newest deliveries to an endpoint, and its answers."""
    if state not in ("", *STATES):
        raise typer.BadParameter(f"one of {', '.join(STATES)}", param_hint="--state")
    desk = _desk(context.obj)
    states: list[State] = [s for s in STATES if state in ("", s)]
    newest = [d for s in states for d in desk.deliveries(endpoint, s, _SHOWN, None)["deliveries"]]
    rows = [
        (d["event_id"], d["type"], d["state"], str(d["tries"]), d["accepted_at"], str(d["status"] or d["error"] or ""))
        for d in sorted(newest, key=lambda d: d["delivery_id"], reverse=True)
    ]
    table("Deliveries, newest first", ["event", "type", "state", "tries", "accepted", "answer"], rows)


@app.command()
def pause(context: typer.Context, endpoint: One) -> None:
    """Pause deliveries to an endpoint. Events in the meantime are kept for a month."""
    _say(_desk(context.obj).change(endpoint, {"state": "paused"}, **_by(context)))


@app.command()
def resume(context: typer.Context, endpoint: One) -> None:
    """Resume where deliveries stopped, even if the endpoint was paused for failing. The audit log records you."""
    _say(_desk(context.obj).change(endpoint, {"state": "enabled"}, **_by(context)))


@app.command()
def remove(
    context: typer.Context,
    endpoint: One,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an endpoint for good, with its undelivered events. The audit log records you."""
    if not yes:
        typer.confirm(f"Remove {endpoint} and its undelivered events?", abort=True)
    _desk(context.obj).delete(endpoint, **_by(context))
    console.print(f"{endpoint} is removed")


def _by(context: typer.Context) -> dict[str, Any]:
    return {"admin": context.obj.operator, "now": int(time.time())}


def _state(endpoint: dict[str, Any]) -> str:
    if endpoint["paused_for"]:
        return f"paused ({endpoint['paused_for']})"
    since = endpoint["failing_since"]
    return f"failing since {since}, {endpoint['failures']} times" if since else "enabled"


def _say(endpoint: dict[str, Any]) -> None:
    console.print(f"{endpoint['endpoint_id']}  {_state(endpoint)}  {escape(endpoint['url'])}", soft_wrap=True)
