"""`billing plans`: lists the catalogue, imports and exports it, and syncs its prices with Stripe."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape

from billing.admin.plans import AdminPlans
from billing.api.admin_requests import CreatePlan
from billing.api.views import admin_plan
from billing.catalogue.prices import PlanPrices
from billing.errors import InvalidRequest, ProviderError
from billing.rules.money import format_money
from billing.rules.plans import Plan, features_to_json
from billing_cli.output import console, refused, table
from billing_cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="The catalogue: list, import, export, sync with Stripe.")
_FILE = TypeAdapter(list[CreatePlan])


def prices_of(stack: Stack) -> PlanPrices:
    return PlanPrices(stack.wire.plans, stack.wire.client, stack.settings.providers)


@app.command()
def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
) -> None:
    """Update Stripe's products and prices to match the catalogue; print problems that need a person.

    The audit log records you.
    """
    try:
        results = prices_of(context.obj).sync(dry_run=dry_run)
    except ProviderError as error:
        refused("Stripe:", error)
        raise typer.Exit(1) from error
    if not results:
        console.print("No plan of this stack is sold through Stripe.")
        return
    if not dry_run:
        for synced in (s for s in results if s.changes):
            context.obj.note("sync_prices", synced.plan_id, after=list(synced.changes))
    rows = [
        (s.plan_id, str(s.version), s.price_id or "-", "\n".join((*s.changes, *s.problems)) or "same") for s in results
    ]
    table("Would change" if dry_run else "Synced", ["plan", "version", "price", "difference"], rows)
    if any(s.problems for s in results):
        console.print("[red]A price at Stripe cannot be changed:[/] publish a new version of that plan.")
        raise typer.Exit(1)


@app.command("list")
def show(context: typer.Context) -> None:
    """List the newest version of every plan."""
    newest = sorted(context.obj.wire.plans.catalogue().newest(), key=lambda p: (p.rank, p.plan_id))
    rows = [
        (p.plan_id, str(p.version), p.name, format_money(p.price_cents, p.currency), p.interval, p.status)
        for p in newest
    ]
    table("Plans", ["plan", "version", "name", "price", "interval", "status"], rows)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="In the format of ops/seeds/plans.json.")],
) -> None:
    """Update the catalogue from a file: new plans are created, changed ones get a new version.

    Plans that are not in the file are not changed.
    """
    import_file(context.obj, file)


def import_file(stack: Stack, file: Path) -> None:
    """Prints the outcome for each plan; exits if the file is not valid."""
    try:
        bodies = _FILE.validate_json(file.read_bytes())
        store, offered = stack.wire.plans, stack.settings.providers
        done = AdminPlans(store, offered, prices_of(stack)).seed(bodies)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            refused(escape("/".join(map(str, fault["loc"]))), fault["msg"])
        raise typer.Exit(1) from error
    except InvalidRequest as error:
        refused(f"{error.detail}:", error.extensions["errors"])
        raise typer.Exit(1) from error
    for plan_id in (plan_id for plan_id, outcome in done.items() if outcome != "unchanged"):
        plan = store.catalogue(fresh=True).get(plan_id)
        action = "create_plan" if done[plan_id] == "created" else "update_plan"
        stack.note(action, plan_id, after=plan and admin_plan(plan, offered))
    table("Imported", ["plan", "outcome"], list(done.items()))
    console.print(", ".join(f"{count} {outcome}" for outcome, count in Counter(done.values()).items()))


@app.command()
def export(context: typer.Context) -> None:
    """Print the newest version of every plan that is not archived, as JSON for `import`."""
    newest = sorted(context.obj.wire.plans.catalogue().newest(), key=lambda p: (p.rank, p.plan_id))
    bodies = [_body(plan) for plan in newest if plan.status != "archived"]
    typer.echo(_FILE.dump_json(_FILE.validate_python(bodies), indent=2, exclude_defaults=True).decode())


def _body(plan: Plan) -> dict[str, object]:
    body = {name: getattr(plan, name) for name in CreatePlan.model_fields}
    features = json.loads(json.dumps(features_to_json(plan.features)))
    return {**body, "features": features, "provider_plan_ids": dict(plan.provider_plan_ids)}
