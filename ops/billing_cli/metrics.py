"""`billing metrics`: compares the rollups with the ledger, rebuilds them, and shows the lines behind a figure."""

import re
from calendar import monthrange
from collections import Counter
from datetime import date, timedelta
from typing import Annotated

import typer

from billing.rules.ledger import EntryKind
from billing.rules.money import format_money
from billing.rules.rollups import Cell, counters
from billing.rules.times import day_of
from billing.store.metrics import MetricsStore
from billing_cli.output import console, table

app = typer.Typer(no_args_is_help=True, help="Revenue figures and the ledger lines behind them.")


def _currency(code: str | None) -> str | None:
    if code is not None and not re.fullmatch(r"[A-Z]{3}", code):
        raise typer.BadParameter("an ISO 4217 code such as USD")
    return code


@app.command()
def check(context: typer.Context) -> None:
    """Add up the whole ledger and compare it with the rollups. Lines of the last seconds may not be in them yet."""
    metrics: MetricsStore = context.obj.wire.metrics
    lines = [line for page in metrics.ledger() for _, line in page]
    stored = metrics.everything(metrics.generations().reading)
    wrong = differences(counters(lines), stored)
    if wrong:
        table(f"{len(wrong)} figures differ", ["series", "day", "counter", "ledger", "rollups"], wrong)
        console.print("If they still differ after a minute: billing metrics rebuild")
        raise typer.Exit(1)
    console.print(f"[green]✓[/] {len(lines)} ledger lines and the rollups agree")


@app.command()
def rebuild(context: typer.Context) -> None:
    """Rebuild every rollup from the ledger, while the stack runs. Safe to interrupt and to repeat."""
    metrics: MetricsStore = context.obj.wire.metrics
    before = metrics.everything(metrics.generations().reading)
    generation = metrics.begin()
    folded = 0
    for page in metrics.ledger(generation):
        folded += metrics.fold(page)
        console.print(f"[dim]{folded} lines added[/]")
    changed = differences(metrics.everything(generation), before)
    metrics.finish(generation)
    console.print(f"[green]✓[/] rebuilt from the ledger (generation {generation})")
    if changed:
        table(f"{len(changed)} figures changed", ["series", "day", "counter", "now", "before"], changed)


@app.command()
def lines(
    context: typer.Context,
    day: Annotated[str, typer.Option(help="A day (2026-11-22) or month (2026-11), UTC.")],
    currency: Annotated[str | None, typer.Option(help="Only this currency, such as USD.", callback=_currency)] = None,
    kind: Annotated[EntryKind | None, typer.Option(help="Only this kind of line.")] = None,
) -> None:
    """List the ledger lines behind the figures of a day or month."""
    metrics: MetricsStore = context.obj.wire.metrics
    currencies = [currency] if currency else metrics.generations().currencies
    chosen = [
        (user_id, line)
        for of_day in days_of(day)
        for code in currencies
        for _, (user_id, line) in metrics.lines(code, of_day)
        if kind in (None, line.kind)
    ]
    rows = [
        (
            day_of(line.at),
            user_id,
            line.kind,
            " ".join(filter(None, (line.movement, line.reason))),
            line.plan_id,
            line.provider,
            format_money(line.amount_cents, line.currency),
            line.object_id,
        )
        for user_id, line in chosen
    ]
    table(
        f"{len(rows)} lines of {day}" if rows else f"Lines of {day}",
        ["day", "user", "kind", "", "plan", "provider", "amount", "of"],
        rows,
    )
    sums: Counter[tuple[str, str]] = Counter()
    for _, line in chosen:
        sums[line.currency, line.kind] += line.amount_cents
    for (of_currency, of_kind), amount in sorted(sums.items()):
        console.print(f"{of_kind:14} {format_money(amount, of_currency)}")


def days_of(text: str) -> list[str]:
    """The days of a month (2026-11), or the given day (2026-11-22). Raises `typer.BadParameter`."""
    try:
        first = date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        raise typer.BadParameter("a day such as 2026-11-22 or a month such as 2026-11", param_hint="--day") from None
    count = 1 if len(text) == 10 else monthrange(first.year, first.month)[1]
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]


def differences(these: dict[Cell, Counter[str]], those: dict[Cell, Counter[str]]) -> list[tuple[str, ...]]:
    """Counters that differ: series, day, name, and both figures."""
    return [
        (*cell, name, str(these.get(cell, Counter())[name]), str(those.get(cell, Counter())[name]))
        for cell in sorted({*these, *those})
        for name in sorted({*these.get(cell, ()), *those.get(cell, ())})
        if these.get(cell, Counter())[name] != those.get(cell, Counter())[name]
    ]
