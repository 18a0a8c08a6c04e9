"""`billing dlq`: lists payment events that could not be processed, with the cause, and sends them back."""

import json
import time
from typing import Annotated

import typer
from rich.markup import escape

from billing.admin.events import redrive_letters
from billing.intake.dead_letters import DeadLetter, DeadLetters
from billing_cli.output import console, moment, refused, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Payment events that could not be processed.")
EventIds = Annotated[list[str] | None, typer.Argument(help="Event ids such as stripe#evt_1; none means all.")]


# From a desk, a few letters a second are read: long enough for thousands.
_HIDDEN_SECONDS = 1800


def letters_of(stack: Stack) -> DeadLetters:
    dlq_url = stack.settings.required("PAYMENT_EVENTS_DLQ_URL")
    return DeadLetters(stack.aws, dlq_url, stack.settings.queue_url, stack.wire.events, _HIDDEN_SECONDS)


def _none(queue: DeadLetters) -> str:
    """What to print where no letter was seen."""
    if hidden := queue.hidden():
        return f"About {hidden} letters are hidden: a command looks at them, or was killed in the last half hour."
    return "The dead-letter queue is empty."


@app.command("list")
def show_all(context: typer.Context, limit: Annotated[int, typer.Option(min=1)] = 100) -> None:
    """List the events in the dead-letter queue, with the cause of each."""
    queue = letters_of(context.obj)
    letters = queue.waiting(limit)
    if not letters:
        console.print(_none(queue))
        return
    rows = [(letter.event_id, letter.type, moment(letter.created_at), letter.cause) for letter in letters]
    table("Dead letters", ["event", "type", "created", "cause"], rows)
    if len(letters) == limit:
        console.print(f"There may be more than these {limit}: --limit shows more.")
    console.print("Fix the cause, then: billing dlq redrive --dry-run")


@app.command()
def show(context: typer.Context, event_id: str) -> None:
    """Show one dead letter with its minimised payload."""
    letter = next((dead for dead in letters_of(context.obj).waiting(10_000) if dead.event_id == event_id), None)
    if letter is None:
        console.print(f"{event_id} is not in the dead-letter queue.", markup=False)
        raise typer.Exit(1)
    console.print(f"{letter.event_id}  {letter.type}", markup=False)
    console.print(f"created {moment(letter.created_at)}, received {moment(letter.received_at)}")
    console.print(f"cause   {letter.cause}", markup=False)
    console.print_json(json.dumps(letter.payload))


@app.command()
def redrive(
    context: typer.Context,
    event_ids: EventIds = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Events per second at most.")] = 10.0,
) -> None:
    """Send dead letters back to be processed: one, some, or all. Safe to interrupt and to repeat.

    The audit log records you and what was sent.
    """

    def sent(letter: DeadLetter) -> None:
        console.print(f"[green]✓[/] sent {escape(letter.event_id)} [dim]{escape(letter.type)}[/]")

    stack: Stack = context.obj
    queue = letters_of(stack)
    chosen = redrive_letters(
        queue,
        stack.wire.audit,
        event_ids or None,
        dry_run=dry_run,
        by=stack.operator,
        now=int(time.time()),
        pause=lambda: time.sleep(1 / rate),
        on_sent=sent,
    )
    missing = sorted(set(event_ids or []) - {letter.event_id for letter in chosen})
    if dry_run:
        table("Would be sent", ["event", "type", "cause"], [(c.event_id, c.type, c.cause) for c in chosen])
    else:
        console.print(f"{len(chosen)} sent back. An event that fails five times returns to the dead-letter queue.")
    if not chosen and not event_ids:
        console.print(_none(queue))
    if missing:
        refused("Not in the dead-letter queue:", ", ".join(missing))
        raise typer.Exit(1)
