"""`billing reconcile`, `replay`, `rebuild`: compare accounts with Stripe, apply events again, check audit records."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from billing.errors import Parked, ProviderError
from billing.intake.processing import Processor
from billing.intake.rebuild import Rebuilder
from billing.intake.reconcile import Finding, Reconciler
from billing.log import SILENT
from billing.providers import PROVIDERS
from billing.selling.aftercare import Aftercare
from billing.store.progress import ProgressStore
from billing_cli.output import console, refused
from billing_cli.stack import Stack

_DAY = 86_400
_COLOURS = dict.fromkeys(("unknown_user", "unknown_plan", "event_failed", "unreadable"), "red")


def reconciler_of(stack: Stack) -> Reconciler:
    wire, settings = stack.wire, stack.settings
    # A provider whose events can be listed, to find those that never reached us.
    provider = next(name for name in (*settings.providers, *PROVIDERS) if PROVIDERS[name].events)
    accounts, plans, events, applier, client = wire.accounts, wire.plans, wire.events, wire.applier, wire.client
    quiet = SILENT  # every finding is printed
    aftercare = Aftercare(accounts, plans, applier, client, settings.required("DOUBLE_SUBSCRIPTIONS"), quiet)
    processor = Processor(applier, events, livemode=settings.livemode, aftercare=aftercare.settle)
    progress = ProgressStore(stack.aws, settings.accounts_table)
    return Reconciler(provider, client, accounts, plans, events, applier, processor, progress, aftercare.settle)


def reconcile(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report.")] = False,
    customer: Annotated[str | None, typer.Option(help="Only this Stripe customer: cus_…")] = None,
    days: Annotated[int, typer.Option(min=1, max=30, help="How far back to look for events.")] = 4,
) -> None:
    """Compare our records with Stripe's and repair differences. Ctrl-C stops it; the next run continues from there."""
    now = int(time.time())
    tool = reconciler_of(context.obj)
    try:
        if customer:
            report = tool.customer(customer, now, dry_run=dry_run)
            for finding in report.findings:
                show(finding)
        else:
            report = tool.run(now, since=now - days * _DAY, dry_run=dry_run, on_finding=show)
    except KeyboardInterrupt:
        console.print("Stopped. The next run continues from here.")
        raise typer.Exit(130) from None
    except ProviderError as error:
        refused("Stripe:", error)
        raise typer.Exit(1) from error
    left = [finding for finding in report.findings if not finding.repaired]
    if repaired := [f"{f.kind} {f.object_id}" for f in report.findings if f.repaired]:
        context.obj.note("reconcile", f"{len(repaired)} objects", after=repaired)
    console.print(
        f"{report.checked} subscriptions and {report.events} events checked, {len(report.findings)} differ"
        + ("." if dry_run else f", {len(report.findings) - len(left)} repaired.")
    )
    if left and not dry_run:
        raise typer.Exit(1)


def show(finding: Finding) -> None:
    colour = "green" if finding.repaired else _COLOURS.get(finding.kind, "yellow")
    mark = "✓" if finding.repaired else "•"
    whose = f" of {finding.user_id}" if finding.user_id else ""
    console.print(f"[{colour}]{mark} {finding.kind}[/] {finding.object_id}{whose}")
    console.print(f"  {finding.detail}", markup=False, style="dim")


def replay(
    context: typer.Context,
    event_ids: Annotated[list[str], typer.Argument(help="Stripe's event ids: evt_…")],
) -> None:
    """Process events again, from our record or, if we never received them, from Stripe. Safe to repeat."""
    tool, now = reconciler_of(context.obj), int(time.time())
    failed = False
    for event_id in event_ids:
        try:
            outcome = tool.replay(event_id.removeprefix("stripe#"), now)
            context.obj.note("replay", event_id, after={"outcome": outcome})
            console.print(f"[green]✓[/] {event_id} {outcome}")
        except (Parked, ProviderError) as error:
            failed = True
            refused("✗", f"{event_id} {error}")
    if failed:
        raise typer.Exit(1)


def rebuild(context: typer.Context, user_id: str) -> None:
    """Rebuild a user's state from the audit records and show where the live one differs. Changes nothing."""
    try:
        differences = rebuilder_of(context.obj).compare(user_id, int(time.time()))
    except ProviderError as error:
        refused("The provider did not answer:", error)
        raise typer.Exit(1) from error
    for difference in differences:
        console.print(f"[yellow]•[/] {escape(difference)}")
    if differences:
        console.print("Live state → state from the audit records. Repair it with: billing reconcile, billing replay")
        raise typer.Exit(1)
    console.print(f"[green]✓[/] the live state of {user_id} agrees with its audit records")


def rebuilder_of(stack: Stack) -> Rebuilder:
    wire = stack.wire
    processor = Processor(wire.applier, wire.events, livemode=stack.settings.livemode)
    return Rebuilder(wire.accounts, wire.events, wire.applier, processor)
