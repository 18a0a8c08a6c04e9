"""`billing deploy` and `billing destroy`: deploy this checkout as a stage in AWS, and delete it again.

A second run changes nothing: each step checks the current state first. At the end it prints what is left for a person
to do.
"""

import difflib
import hashlib
import json
import mimetypes
import os
import re
import secrets
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import botocore.session
import typer
from botocore.exceptions import ClientError, WaiterError
from rich.markup import escape

from billing.identity.tokens import Verifier, generate_key_set
from billing_cli import plans, stripe
from billing_cli.operator_aws import CONFIG
from billing_cli.output import console, print_checks, refused
from billing_cli.stack import NEEDED, Stack

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "frontend" / "portal" / "dist"
TEMPLATE = ROOT / "template.yaml"
SEEDS = ROOT / "ops" / "seeds" / "plans.json"
STAGES = ("dev", "staging", "prod")
ORIGINS = ("PublicUrl", "PortalUrl", "HostOrigin")
# Least concurrency quota with which five functions can be reserved: AWS keeps 100 unreserved.
PLACES_TO_RESERVE = 105


def _say(text: str) -> None:
    console.print(f"[cyan]▸[/] {escape(text)}")


def _done(text: str) -> None:
    console.print(f"[green]✓[/] {escape(text)}")


def _stop(text: str) -> typer.Exit:
    console.print(f"[red]✗[/] {escape(text)}")
    return typer.Exit(1)


def stack_name(stage: str) -> str:
    return f"bitsleuth-billing-{stage}"


def declared() -> list[str]:
    """The template's parameters without `Stage`, which the command is given first."""
    _, _, rest = TEMPLATE.read_text().partition("\nParameters:\n")
    block = re.split(r"^\w", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return [name for name in re.findall(r"^  (\w+):", block, re.MULTILINE) if name != "Stage"]


def chosen(pairs: Sequence[str]) -> dict[str, str]:
    """Name=Value pairs as parameters; a slash at the end of an origin is removed. Exits on anything else.

    sam ignores names that the template does not have.
    """
    parameters: dict[str, str] = {}
    names = declared()
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise _stop(f"{pair}: parameters are written Name=Value, as in docs/configuration.md")
        if name not in names:
            near = "".join(f"; is it {close}?" for close in difflib.get_close_matches(name, names, 1))
            raise _stop(f"{name} is no parameter of docs/configuration.md{near}")
        value = value.strip()
        if name in ORIGINS and value != (origin := value.rstrip("/").lower()):
            console.print(f"[yellow]![/] {name}: using {origin}, because an origin is lower case without a final slash")
            value = origin
        parameters[name] = value
    if parameters.get("HostOrigin") and parameters.get("HostOrigin") == parameters.get("PortalUrl"):
        console.print("[yellow]![/] HostOrigin and PortalUrl are the same origin: HostOrigin can be left out")
    return parameters


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack in CloudFormation; `status` is "" if it does not exist."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


class Account:
    """The AWS calls that a deployment makes besides `sam`, with the rights of the shell."""

    @cached_property
    def _session(self) -> botocore.session.Session:
        return botocore.session.get_session()

    def client(self, service: str) -> Any:
        return self._session.create_client(service, config=CONFIG)

    @property
    def region(self) -> str:
        return str(self._session.get_config_variable("region") or "")

    def stack(self, name: str) -> StackState:
        try:
            described = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return StackState("", {}, {})
            raise
        if described["StackStatus"] == "REVIEW_IN_PROGRESS":
            return StackState("", {}, {})  # its first change set was never executed
        return StackState(
            described["StackStatus"],
            {p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])},
            {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])},
        )

    def open_changes(self, name: str) -> set[str]:
        """The change sets of a stack that could be executed."""
        try:
            pages = list(self.client("cloudformation").get_paginator("list_change_sets").paginate(StackName=name))
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return set()
            raise
        return {c["ChangeSetId"] for page in pages for c in page["Summaries"] if c["ExecutionStatus"] == "AVAILABLE"}

    def secret_names(self, stack: str) -> set[str]:
        """The NAMEs of the secrets <stack>/<NAME>, including those left by a deleted stack.

        A secret whose deletion is scheduled still has its name.
        """
        pages = self.client("secretsmanager").get_paginator("list_secrets")
        filters = [{"Key": "name", "Values": [f"{stack}/"]}]
        found = pages.paginate(Filters=filters, IncludePlannedDeletion=True)
        names = (s["Name"] for page in found for s in page["SecretList"])
        return {name.partition("/")[2] for name in names if name.startswith(f"{stack}/")}


# --- before ----------------------------------------------------------------------------------------------------------


def preflight(account: Account, stage: str, parameters: Mapping[str, str]) -> StackState:
    """Prints who deploys where, and exits on problems that CloudFormation would report only after minutes."""
    if not account.region:
        raise _stop("no region is set: export AWS_REGION, or set one in the profile")
    who = account.client("sts").get_caller_identity()
    name = stack_name(stage)
    _say(f"{name} in account {who['Account']}, {account.region}, as {who['Arn']}")
    stack = account.stack(name)
    if stack.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
        raise _stop(
            f"the first deployment of {name} failed, so it can only be deleted: make destroy STAGE={stage}, then again"
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise _stop(
            f"a deployment of {name} failed and could not be undone: mend what its events in CloudFormation name, "
            f"aws cloudformation continue-update-rollback --stack-name {name}, then again"
        )
    if stack.status == "DELETE_FAILED":
        raise _stop(f"{name} is half deleted: make destroy STAGE={stage}, then again")
    if stack.status.endswith("_IN_PROGRESS"):
        raise _stop(f"{name} is being changed ({stack.status}): wait until that has finished")
    if not stack.status and (left := account.secret_names(name)):
        raise _stop(
            f"an earlier {name} left its secrets ({', '.join(sorted(left))}), and CloudFormation cannot create them "
            "again. docs/deployment.md, a stack that was there before, says how to keep or delete them"
        )
    _check_places(account, {**stack.parameters, **parameters})
    return stack


def _check_places(account: Account, parameters: Mapping[str, str]) -> None:
    try:
        places = account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        console.print(f"[yellow]![/] the account's Lambda concurrency quota could not be read ({code})")
        return
    if parameters.get("ReserveConcurrency") == "true" and places < PLACES_TO_RESERVE:
        raise _stop(
            f"this account may run {places} functions at once, and reserving concurrency needs at least "
            f"{PLACES_TO_RESERVE}: leave ReserveConcurrency=false, or request a higher quota"
        )
    if places <= 50:
        console.print(
            f"[yellow]![/] this account may run only {places} functions at once; bursts are answered with 429. "
            "Raise the quota in Service Quotas, Lambda, concurrent executions"
        )


def parameters_for(stage: str, stack: StackState, chosen: Mapping[str, str]) -> dict[str, str]:
    """The parameters for `sam deploy`: the chosen ones, and defaults of the stage for a new stack.

    Parameters that are not passed keep their value. PublicUrl and PortalUrl default to the address of the pages.
    """
    wanted = {"Stage": stage, **chosen}
    if not stack.status and stage == "prod":
        wanted.setdefault("Livemode", "true")
    pages = stack.outputs.get("PagesUrl", "")
    for name in ("PublicUrl", "PortalUrl"):
        if pages and name not in chosen and not stack.parameters.get(name):
            wanted[name] = pages
    return wanted


# --- the stack -------------------------------------------------------------------------------------------------------


def sam(*arguments: str) -> None:
    """Runs sam and shows its output. Exits if it fails."""
    done = subprocess.run(["sam", *arguments], cwd=ROOT, check=False, env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
    if done.returncode:
        raise _stop(f"sam {arguments[0]} failed; see its output above")


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Parameters as sam reads them: it undoes the quotes around a value, and the backslash before one within."""
    escaped = {name: value.replace('"', '\\"') for name, value in sorted(parameters.items())}
    return [f'{name}="{value}"' for name, value in escaped.items()]


def deploy_stack(stage: str, template: Path, parameters: Mapping[str, str], *, ask: bool) -> None:
    confirm = "--confirm-changeset" if ask else "--no-confirm-changeset"
    config = ("--config-file", str(ROOT / "samconfig.toml"), "--config-env", stage)
    sam("deploy", "--template-file", str(template), *config, confirm, "--parameter-overrides", *overrides(parameters))


# --- secrets ---------------------------------------------------------------------------------------------------------


class Secrets:
    """The stack's secrets. Only empty ones are written."""

    def __init__(self, account: Account, stack: str) -> None:
        self._client = account.client("secretsmanager")
        self._stack = stack

    def read(self, name: str) -> str:
        """The value; "" if the secret never had one."""
        try:
            return str(self._client.get_secret_value(SecretId=f"{self._stack}/{name}")["SecretString"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return ""
            raise

    def filled(self, name: str) -> bool:
        return bool(self.read(name))

    def fill(self, name: str, value: str) -> bool:
        """Stores the first value of a secret; False if it has one. The token makes a concurrent write an error."""
        if self.filled(name):
            return False
        token = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._stack}/{name}#first"))
        self._client.put_secret_value(SecretId=f"{self._stack}/{name}", SecretString=value, ClientRequestToken=token)
        return True


def public_half(private: str) -> str:
    return json.dumps(Verifier({"generated": private}).jwks())


def write_own_secrets(store: Secrets, stage: str, offered: Sequence[str]) -> list[str]:
    """Generates the secrets that come from no provider, if they are empty; returns the names of those written."""
    written = []
    if not store.filled("TOKEN_SIGNING_KEYS"):
        if store.filled("TOKEN_PUBLIC_KEYS"):
            raise _stop(
                "TOKEN_PUBLIC_KEYS has a value and TOKEN_SIGNING_KEYS has none: store the private keys that match it"
            )
        store.fill("TOKEN_SIGNING_KEYS", generate_key_set(datetime.now(UTC).strftime("key-%Y%m%d")))
        written.append("TOKEN_SIGNING_KEYS")
    if store.fill("TOKEN_PUBLIC_KEYS", public_half(store.read("TOKEN_SIGNING_KEYS"))):
        written.append("TOKEN_PUBLIC_KEYS")
    random = ["IDENTITY_PEPPER", "ENDPOINT_SECRETS_KEY", "VOUCHER_SECRET"]
    if stage != "prod" and "mock" in offered:
        random.append("BILLING_WEBHOOK_SECRET")
    return written + [name for name in random if store.fill(name, secrets.token_urlsafe(32))]


# --- the pages -------------------------------------------------------------------------------------------------------


def page_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file of the built pages with its Cache-Control, in upload order.

    Assets, whose names contain a hash, come first and HTML last, so that index.html never refers to a missing file.
    """
    files = sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))
    for file in sorted(files, key=lambda f: (f.suffix == ".html", "assets" not in f.parts)):
        hashed = file.relative_to(folder).parts[0] == "assets"
        yield file, "public, max-age=31536000, immutable" if hashed else "no-cache"


def upload_pages(account: Account, bucket: str, folder: Path) -> list[str]:
    """Uploads changed files; returns the paths whose older version CloudFront may have cached."""
    s3 = account.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {o["Key"]: o["ETag"].strip('"') for page in pages for o in page.get("Contents", [])}
    stale = []
    for file, cache in page_files(folder):
        key, body = file.relative_to(folder).as_posix(), file.read_bytes()
        if there.get(key) == hashlib.md5(body, usedforsecurity=False).hexdigest():
            continue
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind, CacheControl=cache)
        if cache == "no-cache" and key in there:
            stale.append(f"/{key}")
    return [*stale, *(["/"] if "/index.html" in stale else [])]


def invalidate(account: Account, distribution: str, paths: Sequence[str]) -> None:
    account.client("cloudfront").create_invalidation(
        DistributionId=distribution,
        InvalidationBatch={
            "Paths": {"Quantity": len(paths), "Items": list(paths)},
            "CallerReference": uuid.uuid4().hex,
        },
    )


# --- the commands ----------------------------------------------------------------------------------------------------


def deploy(
    stage: Annotated[str, typer.Argument(help="dev, staging or prod.")],
    parameters: Annotated[list[str] | None, typer.Argument(help="Parameters of the stack: Name=Value …")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before prod is changed.")] = False,
    built: Annotated[
        Path | None, typer.Option("--built", help="Deploy this output folder of sam build instead of building.")
    ] = None,
) -> None:
    """Build and deploy a stage with its keys, pages and plans, and check it. A second run changes nothing."""
    if stage not in STAGES:
        raise _stop(f"{stage} is not a stage; use one of {', '.join(STAGES)}")
    if not (PAGES / "index.html").exists():
        raise _stop("the pages are not built: run `make setup`, or deploy with `make deploy`")
    wanted, account, name = chosen(parameters or []), Account(), stack_name(stage)
    state = preflight(account, stage, wanted)
    if built is None:
        _say("Building")
        sam("build")
    template = (built or ROOT / ".aws-sam" / "build") / "template.yaml"
    ask = stage == "prod" and not yes
    _say("Deploying the stack" if state.status else "Creating the stack: about ten minutes, most of it for CloudFront")
    open_before = account.open_changes(name) if ask else set()
    deploy_stack(stage, template, parameters_for(stage, state, wanted), ask=ask)
    if ask and account.open_changes(name) - open_before:  # sam succeeds whatever the answer was
        raise _stop(f"the change set was not executed, so {name} was not changed")
    state = account.stack(name)
    if not (state.parameters.get("PublicUrl") and state.parameters.get("PortalUrl")):
        _say(f"Setting the stack's own address, {state.outputs['PagesUrl']}")
        deploy_stack(stage, template, parameters_for(stage, state, wanted), ask=False)
        state = account.stack(name)
    _done(f"{name} is {state.status}")
    offered = [part.strip() for part in state.parameters["ProviderMode"].split(",")]
    store = Secrets(account, name)
    written = write_own_secrets(store, stage, offered)
    _done(f"wrote {', '.join(written)}" if written else "generated secrets exist already")
    stale = upload_pages(account, state.outputs["PagesBucketName"], PAGES)
    if stale:
        invalidate(account, state.outputs["PagesDistributionId"], stale)
    _done(f"pages uploaded{'; older versions are removed from the CDN cache' if stale else ''}")
    stack = Stack(name)
    empty = [name for provider in offered for name in NEEDED[provider] if not store.filled(name)]
    import_plans(stack, offered, empty)
    summary(stack, state, offered, empty)


def import_plans(stack: Stack, offered: Sequence[str], empty: Sequence[str]) -> None:
    """Imports the seed plans into an empty catalogue. With Stripe this creates prices there and needs its key."""
    if stack.wire.plans.catalogue(fresh=True).plans:
        _done("the catalogue has plans and is not changed")
    elif "stripe" in offered and "STRIPE_SECRET_KEY" in empty:
        console.print("[yellow]![/] no plans imported: this creates prices at Stripe and needs its key first")
    else:
        plans.import_file(stack, SEEDS)


def summary(stack: Stack, state: StackState, offered: Sequence[str], empty: Sequence[str]) -> None:
    """Prints addresses, the checks of the Stripe account, and what a person has to do next."""
    public = state.parameters["PublicUrl"]
    console.print(f"\n[bold]Pages[/]  {state.parameters['PortalUrl']}/pricing")
    console.print(f"[bold]API[/]    {public}  [dim](behind it {state.outputs['ApiUrl']})[/]", soft_wrap=True)
    console.print(f"[bold]Admin[/]  {state.parameters['PortalUrl']}/console")
    if "stripe" in offered and "STRIPE_SECRET_KEY" not in empty:
        console.print("\n[bold]Stripe[/]")
        print_checks(stripe.checks(stack))
    console.print("\n[bold]Next[/]")
    steps = [f"let {provider} send its webhooks to {public}/billing/webhook/{provider}" for provider in offered]
    steps += [f"ops/billing --stack {stack.name} secrets put {name}" for name in empty]
    if empty:
        steps.append(f"then run again: make deploy STAGE={state.parameters['Stage']}")
    if not state.parameters.get("AdminUsers") and not state.parameters.get("OidcIssuer"):
        steps.append("name an admin, as in docs/identity.md: there is none yet")
    steps.append("subscribe an address to the stack's SNS topic Alarms")
    for step in steps:
        console.print(f"  {step}", markup=False, soft_wrap=True)


def destroy(
    stage: Annotated[str, typer.Argument(help="dev, staging or prod.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Empty the pages' bucket and delete the stack. Its tables and secrets are kept."""
    if stage not in STAGES:
        raise _stop(f"{stage} is not a stage; use one of {', '.join(STAGES)}")
    account, name = Account(), stack_name(stage)
    state = account.stack(name)
    if not state.status:
        raise _stop(f"there is no stack {name} in {account.region}")
    if not yes and typer.prompt(f"Type {name} to delete it") != name:
        raise _stop("nothing was deleted")
    if bucket := state.outputs.get("PagesBucketName"):
        _empty(account, bucket)
        _done("the pages' bucket is empty")
    _say("Deleting the stack: about ten minutes, most of it for CloudFront")
    client = account.client("cloudformation")
    client.delete_stack(StackName=name)
    try:
        client.get_waiter("stack_delete_complete").wait(StackName=name)
    except WaiterError as error:
        refused(f"{name} was not deleted; its events in CloudFormation say why:", error)
        raise typer.Exit(1) from error
    _done(f"{name} is deleted; its tables and secrets are kept")


def _empty(account: Account, bucket: str) -> None:
    s3 = account.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if keys := [{"Key": o["Key"]} for o in page.get("Contents", [])]:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
