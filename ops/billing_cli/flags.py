"""`billing flags`: who sees what, in percent and by name."""

from typing import Annotated

import typer

from billing.rollout import Flag, Flags
from billing.store.flags import FlagStore
from billing_cli.output import table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Rollout flags: list, set.")


def flags_of(stack: Stack) -> FlagStore:
    return FlagStore(stack.aws, stack.settings.plans_table)


@app.command("list")
def show(context: typer.Context) -> None:
    """Every flag; one that is not listed is off."""
    _print(flags_of(context.obj).read())


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    percent: Annotated[int, typer.Argument(min=0, max=100, help="Share of the users.")],
    allow: Annotated[list[str] | None, typer.Option(help="A user id that has it whatever the percentage.")] = None,
) -> None:
    """Set one flag; it reaches everybody within a minute. The audit log names you."""
    store = flags_of(context.obj)
    before = store.read()
    after = store.put(name, Flag(percent, tuple(allow or ())))
    context.obj.note("set_flag", name, before=before.to_json(), after=after.to_json())
    _print(after)


def _print(flags: Flags) -> None:
    rows = [(name, f"{flag.percent} %", ", ".join(flag.allow)) for name, flag in sorted(flags.flags.items())]
    table(f"Flags, version {flags.version}", ["flag", "users", "and always"], rows)
