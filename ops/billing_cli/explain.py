"""`billing explain`: why a user has or does not have a feature, now or at another time."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.gate.explanation import Explanation, explain
from billing.rules.allowances import Counter, held
from billing.rules.entitlements import Entitlement, Refusal
from billing.rules.money import format_money
from billing_cli.output import console, moment, table
from billing_cli.stack import Stack


def show(
    context: typer.Context,
    user: str,
    feature: str,
    at: Annotated[str, typer.Option(help="A time in UTC, such as 2026-11-22T21:00. Default: now.")] = "",
) -> None:
    """Explain why a user has or does not have a feature: the records, the times and the events behind it."""
    stack: Stack = context.obj
    when = _moment(at)
    explained = explain(stack.wire.accounts, user, stack.wire.plans.catalogue(), feature, when)
    _decision(explained, user)
    rows = [
        (
            s.kind,
            s.id,
            s.plan_id or "",
            s.reason,
            moment(s.start) if s.start else "always",
            _until(s.until),
            _open(s, explained),
        )
        for s in explained.sources
    ]
    if rows:
        table("Sources", ["kind", "id", "plan", "reason", "from", "until", "open"], rows)
    if isinstance(explained.decision, Entitlement) and not at:
        _use(stack, user, explained.decision, when)
    events = stack.wire.events.of_user(user, when)
    rows_of_events = [(moment(e.created_at), e.type, e.event_id, e.status, e.outcome or e.reason) for e in events]
    if not explained.sources and not explained.offers:
        console.print(f"No plan gives {feature}: is that its name?", markup=False)
    if not rows and not rows_of_events:
        console.print(f"Nothing is on record that {user} paid for or was given: is that the user?", markup=False)
    if rows_of_events:
        table("Events until then, newest first", ["time", "type", "event", "status", "outcome"], rows_of_events)
    if explained.offers:
        offers = [(p.plan_id, p.name, format_money(p.price_cents, p.currency), p.interval) for p in explained.offers]
        table("What would open it", ["plan", "name", "price", "interval"], offers)


def _decision(explained: Explanation, user: str) -> None:
    if isinstance(explained.decision, Refusal):
        verdict = f"[red]locked[/]: {explained.decision.scenario.replace('_', ' ')}"
    else:
        end = explained.decision.expires_at
        verdict = "[green]open[/] for good" if end is None else f"[green]open[/] until {moment(end)}"
    console.print(f"[bold]{explained.feature}[/] of {user} at {moment(explained.at)}: {verdict}\n")


def _use(stack: Stack, user: str, entitlement: Entitlement, now: int) -> None:
    counters = stack.wire.counters.read_all(user)
    left = held(entitlement, counters.get(entitlement.feature, Counter()), now)
    if left.quota is not None:
        credits_ = f" and {left.quota.credits} bought" if left.quota.credits else ""
        resets = f", resets at {moment(left.quota.resets_at)}" if left.quota.resets_at else ""
        console.print(f"{left.remaining} left of {left.quota.allowance}{credits_}{resets}\n")


def _open(source: object, explained: Explanation) -> str:
    return "yes" if source in getattr(explained.decision, "sources", ()) and explained.allowed else ""


def _until(end: int | None) -> str:
    return "for good" if end is None else moment(end)


def _moment(text: str) -> int:
    if not text:
        return int(time.time())
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("write it as 2026-11-22T21:00") from error
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
