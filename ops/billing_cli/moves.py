"""`billing moves`: gradually moves subscribers to the newest version of their plan."""

import time
from typing import Annotated

import typer

from billing.admin.moves import AdminMoves
from billing.catalogue.moves import Mover, Verdict
from billing.rules.history import By
from billing.store.moves import Move
from billing_cli.output import console, moment, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Move subscribers to a newer version: list, start, run, stop, undo.")
Plan = Annotated[str, typer.Argument(help="The plan's id, such as pro-month.")]
_VERDICTS: dict[Verdict, str] = {
    "move": "would be moved with their next period",
    "arranged": "already have the new version or will get it",
    "later": "are postponed: short notice, a trial or an open payment",
    "leave": "have cancelled, or change to another plan",
    "other_currency": "pay in another currency and keep their version",
}


def _desk(stack: Stack) -> AdminMoves:
    return AdminMoves(stack.wire.moves, stack.wire.plans, stack.settings.providers, stack.wire.audit)


def _mover(stack: Stack) -> Mover:
    wire = stack.wire
    return Mover(wire.moves, wire.accounts, wire.plans, wire.applier, wire.client, wire.settings.providers)


@app.command("list")
def show(context: typer.Context) -> None:
    """List the last move of every plan."""
    stack: Stack = context.obj
    _table(stack.wire.moves.all())


@app.command()
def start(
    context: typer.Context,
    plan_id: Plan,
    to: Annotated[int, typer.Option(min=2, help="The newest version of the plan.")],
    percent: Annotated[
        int, typer.Option(min=1, max=100, help="Percentage of users; a higher one adds to the same users.")
    ] = 100,
    per_hour: Annotated[int, typer.Option(min=1, max=2000, help="Subscriptions per hour.")] = 200,
    notice_days: Annotated[
        int, typer.Option(min=0, max=90, help="Subscriptions whose period ends sooner are postponed.")
    ] = 14,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count who would be moved.")] = False,
) -> None:
    """Move subscribers of older versions at their next period, hour by hour. Repeat it to raise the percentage."""
    now, stack = int(time.time()), context.obj
    if dry_run:
        counts = _mover(stack).survey(plan_id, to, percent=percent, notice_days=notice_days, now=now)
        table(f"{plan_id} to version {to}", ["subscriptions", ""], [(str(counts[v]), _VERDICTS[v]) for v in _VERDICTS])
        return
    by = By(actor=context.obj.operator, action="move_subscribers", subject=plan_id)
    wanted = {"percent": percent, "per_hour": per_hour, "notice_days": notice_days}
    _table([_desk(stack).start(plan_id, to, **wanted, by=by, now=now)])
    console.print("It begins within the hour, or at once with `billing moves run`.")


@app.command()
def run(context: typer.Context) -> None:
    """Process one hour's share of the open moves now."""
    _table(_mover(context.obj).run(int(time.time())))


@app.command()
def stop(context: typer.Context, plan_id: Plan) -> None:
    """Stop the move: no further subscription is changed."""
    by = By(actor=context.obj.operator, action="stop_move", subject=plan_id)
    _table([_desk(context.obj).stop(plan_id, by, int(time.time()))])


@app.command()
def undo(context: typer.Context, plan_id: Plan) -> None:
    """Undo the move: scheduled changes are dropped; moved subscriptions return to the old version next period."""
    by = By(actor=context.obj.operator, action="undo_move", subject=plan_id)
    _table([_desk(context.obj).undo(plan_id, by, int(time.time()))])


def _table(moves: list[Move]) -> None:
    rows = [
        (m.name, m.status, f"{m.percent} %, {m.per_hour}/h", _so_far(m), f"{m.started_by}\n{moment(m.started_at)}")
        for m in moves
    ]
    table("Moves", ["move", "status", "pace", "so far", "started"], rows)


def _so_far(move: Move) -> str:
    counts = {"moved": move.moved + move.moving, "waiting": move.waiting, "refused": move.refused}
    counts |= {"undone": move.undone, "not undone": move.not_undone}
    return "\n".join(f"{count} {name}" for name, count in counts.items() if count) or "nobody"
