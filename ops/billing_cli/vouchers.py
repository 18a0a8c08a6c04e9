"""`billing vouchers`: makes batches of vouchers, prints their codes, and revokes them."""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from billing.admin.vouchers import AdminVouchers, rows
from billing.api.admin_requests import MakeVouchers, RevokeVouchers
from billing.errors import InvalidRequest
from billing.reporting.csv_tables import to_csv
from billing.rules.money import format_money
from billing.rules.times import DAY
from billing_cli.output import console, refused, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Vouchers: make a batch, list, print its codes, revoke.")
_Body = TypeVar("_Body", bound=BaseModel)
Batch = Annotated[str, typer.Argument(help="As `billing vouchers list` names it.")]


def _desk(stack: Stack) -> AdminVouchers:
    wire, secrets = stack.wire, partial(stack.settings.secrets, "VOUCHER_SECRET")
    portal_url = stack.settings.portal_url
    return AdminVouchers(wire.voucher_store, wire.plans, wire.audit, wire.following, secrets, portal_url)


@app.command()
def make(
    context: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")],
    note: Annotated[str, typer.Option(help="The purpose; stored with the batch and in the audit log.")],
    plan: Annotated[str | None, typer.Option(help="A plan's id; or use --credits.")] = None,
    intervals: Annotated[int, typer.Option(min=1, max=36, help="Number of the plan's months or years.")] = 1,
    credits_: Annotated[
        str | None, typer.Option("--credits", help="Credits of a feature, such as ai.chat=100.")
    ] = None,
    sold: Annotated[int, typer.Option(min=0, help="The price of each voucher, in the minor unit.")] = 0,
    currency: Annotated[str, typer.Option(help="Currency of --sold, only with --credits; a plan has its own.")] = "",
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day on which one can be redeemed, in UTC.")
    ] = None,
    key: Annotated[str, typer.Option(help="The key of an earlier run, to repeat it safely.")] = "",
) -> None:
    """Make a batch. `csv` prints its codes. The audit log records you."""
    feature, _, amount = (credits_ or "").partition("=")
    body = _body(
        MakeVouchers,
        {
            "plan_id": plan,
            "intervals": intervals,
            "credits": {"feature": feature, "amount": int(amount) if amount.isdecimal() else amount}
            if credits_ is not None
            else None,
            "count": count,
            "sold_cents": sold,
            "currency": currency,
            "expires_at": None if until is None else int(until.replace(tzinfo=UTC).timestamp()) + DAY - 1,
            "note": note,
            "idempotency_key": key or uuid.uuid4().hex,
        },
    )
    # Printed first: if this process is interrupted, a repetition with this key makes no second batch.
    console.print(f"key {body.idempotency_key}")
    try:
        made = _desk(context.obj).make(body, context.obj.operator, int(time.time()))
    except InvalidRequest as error:
        errors: Any = error.extensions["errors"]
        _faults([(fault["path"], fault["message"]) for fault in errors])
    _say(made)


@app.command("list")
def show(context: typer.Context, batch: Annotated[str, typer.Argument(help="A batch. Default: all.")] = "") -> None:
    """List all batches, or one with the state of each voucher. Prints no codes."""
    desk = _desk(context.obj)
    if batch:
        details = desk.show(batch, int(time.time()))
        _say(details)
        table("Vouchers", ["number", "state"], [(str(v["number"]), v["state"]) for v in details["vouchers"]])
        return
    listed = [
        (
            b["batch_id"],
            str(b["count"]),
            _gives(b),
            format_money(b["sold_cents"], b["currency"]) if b["sold_cents"] else "",
            _day(b["expires_at"]),
            _day(b["made_at"]),
            b["made_by"],
            b["note"],
        )
        for b in desk.list()["batches"]
    ]
    table("Vouchers", ["batch", "count", "gives", "sold for", "redeem by", "made", "by", "note"], listed)


@app.command("csv")
def csv_(context: typer.Context, batch: Batch) -> None:
    """Print the codes that can still be redeemed, as CSV. Treat them like money. The audit log records you."""
    codes = _desk(context.obj).codes(batch, context.obj.operator, int(time.time()))
    typer.echo(to_csv(rows(codes)), nl=False)


@app.command()
def revoke(
    context: typer.Context,
    batch: Batch,
    reason: Annotated[str, typer.Option(help="Stored in the audit log.")],
    number: Annotated[
        list[int] | None, typer.Option(help="A voucher of the batch; can be repeated. Default: all.")
    ] = None,
    used: Annotated[
        bool, typer.Option("--used", help="Also redeemed ones: their users lose what they received.")
    ] = False,
    returned: Annotated[bool, typer.Option("--returned", help="Their price was refunded.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Revoke unused vouchers. The audit log records you."""
    body = _body(RevokeVouchers, {"numbers": number, "used": used, "returned": returned, "reason": reason})
    which = "all vouchers" if number is None else f"{len(number)} voucher{'s' if len(number) > 1 else ''}"
    if not yes:
        typer.confirm(f"Revoke {which} of {batch}{', used ones too' if used else ''}?", abort=True)
    done = _desk(context.obj).revoke(batch, body, context.obj.operator, int(time.time()))
    console.print(f"{done['revoked']} revoked")
    _say(done)


def _body(kind: type[_Body], values: Mapping[str, Any]) -> _Body:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        _faults([("/".join(map(str, f["loc"])), f["msg"]) for f in error.errors(include_url=False)])
        raise AssertionError from error


def _faults(faults: Sequence[tuple[str, str]]) -> None:
    for path, message in faults:
        refused(path or "body", message)
    raise typer.Exit(1)


def _say(batch: Mapping[str, Any]) -> None:
    console.print(f"[bold]{batch['batch_id']}[/]  {batch['count']} × {_gives(batch)}", soft_wrap=True)
    console.print(", ".join(f"{count} {state}" for state, count in batch["counts"].items()))


def _gives(batch: Mapping[str, Any]) -> str:
    if batch["plan_id"] is None:
        return ", ".join(f"{value['credits']} {feature}" for feature, value in batch["features"].items())
    return f"{batch['plan_id']}@{batch['plan_version']} × {batch['intervals']}"


def _day(moment: str | None) -> str:
    return (moment or "")[:10]
