"""`billing flags`: rolls features out to a percentage of users and to named users."""

import time
from typing import Annotated

import typer
from pydantic import ValidationError

from billing.admin.flags import AdminFlags
from billing.api.admin_requests import SetFlag
from billing.rules.rollout import Flag, Flags
from billing.store.flags import FlagStore
from billing_cli.output import table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Rollout flags: list, set.")


def flags_of(stack: Stack) -> AdminFlags:
    return AdminFlags(FlagStore(stack.aws, stack.settings.plans_table), stack.wire.audit)


@app.command("list")
def show(context: typer.Context) -> None:
    """List the flags. A flag that is not listed is off."""
    _print(flags_of(context.obj).list())


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    percent: Annotated[int, typer.Argument(min=0, max=100, help="Percentage of users.")],
    allow: Annotated[list[str] | None, typer.Option(help="A user id that always has it; can be repeated.")] = None,
) -> None:
    """Set a flag: its percentage and the users who always have it. Takes up to a minute. The audit log records you."""
    try:
        SetFlag(percent=percent, allow=allow or [], version=0)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"], param_hint="--allow") from error
    flag = Flag(percent, tuple(dict.fromkeys(allow or ())))
    _print(flags_of(context.obj).set(name, flag, admin=context.obj.operator, now=int(time.time())))


def _print(flags: Flags) -> None:
    rows = [(name, f"{flag.percent} %", ", ".join(flag.allow)) for name, flag in sorted(flags.flags.items())]
    table(f"Flags, version {flags.version}", ["flag", "users", "always"], rows)
