"""`make deploy` at the emulator, each call recorded: it makes a stage whole, and a second run leaves it alone."""

import http.client
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer
from samcli.cli.types import CfnParameterOverridesType
from werkzeug import Request, Response

from billing_cli import deploy
from local.build import build
from local.emulator import CREDENTIALS, Emulator
from local.host import LOOPBACK, free_port
from local.server import Server

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
NAME = "bitsleuth-billing-dev"
# What only looks, and the change set that turns out to be empty.
LOOKS = re.compile(r"(Get|List|Describe|Head|Query|BatchGet|Validate)|(Create|Delete)ChangeSet$|^(GET|HEAD) ")


class Recorder:
    """A proxy before the emulator that notes the name of each call."""

    def __init__(self, port: int) -> None:
        self.calls: list[str] = []
        self._port = port
        self._server = Server(Request.application(self._answer))
        self.url = self._server.url

    def _answer(self, request: Request) -> Response:
        body = request.get_data()
        self.calls.append(_name(request.method, request.path, request.headers.get("X-Amz-Target"), body))
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=60)) as emulator:
            emulator.request(request.method, request.full_path.rstrip("?"), body, dict(request.headers))
            answer = emulator.getresponse()
            headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in ("transfer-encoding", "connection")]
            return Response(answer.read(), answer.status, headers)

    def stop(self) -> None:
        self._server.stop()


def _name(method: str, path: str, target: str | None, body: bytes) -> str:
    """GetItem, CreateChangeSet, or PUT /bucket/key for the services that speak REST."""
    if target:
        return target.rpartition(".")[2]
    action = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action")
    return action[0] if action else f"{method} {path.partition('?')[0]}"


class Operator:
    """Somebody who runs the command at a recorded account."""

    def __init__(self, recorder: Recorder) -> None:
        self.calls = recorder.calls
        self._url = recorder.url

    def client(self, service: str) -> Any:
        session = botocore.session.Session()
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return session.create_client(service, endpoint_url=self._url, **credentials)

    def run(self, command: str, *arguments: str, built: bool = True) -> subprocess.CompletedProcess[str]:
        self.calls.clear()
        environment = {**os.environ, **CREDENTIALS, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": self._url}
        environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        options = ["--built", str(build().template.parent)] if built else []
        return subprocess.run(
            [ROOT / "ops" / "billing", command, "dev", *arguments, *options],
            env=environment | {"SAM_CLI_POLL_DELAY": "0.1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def secret(self, name: str) -> str:
        return str(self.client("secretsmanager").get_secret_value(SecretId=f"{NAME}/{name}")["SecretString"])


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    port = free_port()
    emulator = Emulator(port, tmp_path_factory.mktemp("deploy") / "emulator.log")
    recorder = Recorder(port)
    try:
        yield Operator(recorder)
    finally:
        recorder.stop()
        emulator.stop()


@pytest.mark.sweep
def test_a_stage_is_made_repeated_and_taken_down(operator: Operator) -> None:
    """One story, since each part of it takes CloudFormation's time."""
    first = operator.run("deploy", "ProviderMode=mock", "HostOrigin=https://app.example.com/")
    assert first.returncode == 0, first.stdout + first.stderr
    stack = deploy.Account.stack(_as_account(operator), NAME)
    pages = stack.outputs["PagesUrl"]
    assert (stack.parameters["PublicUrl"], stack.parameters["PortalUrl"]) == (pages, pages)
    assert stack.parameters["HostOrigin"] == "https://app.example.com"
    assert f"{pages}/pricing" in first.stdout
    uploads = [call.partition("/")[2] for call in operator.calls if call.startswith("PUT ") and "/assets/" in call]
    assert uploads
    uploaded = [call for call in operator.calls if call.startswith(f"PUT /{stack.outputs['PagesBucketName']}/")]
    assert uploaded[-1].endswith("/index.html"), "the page comes after what it names"
    keys = {name: operator.secret(name) for name in ("TOKEN_SIGNING_KEYS", "TOKEN_PUBLIC_KEYS", "IDENTITY_PEPPER")}
    assert all(keys.values())
    assert '"d"' in keys["TOKEN_SIGNING_KEYS"]
    assert '"d"' not in keys["TOKEN_PUBLIC_KEYS"]
    assert not any(value in first.stdout + first.stderr for value in keys.values())

    second = operator.run("deploy")
    assert second.returncode == 0, second.stdout + second.stderr
    assert [call for call in operator.calls if not LOOKS.search(call)] == []
    assert keys == {name: operator.secret(name) for name in keys}

    gone = operator.run("destroy", "--yes", built=False)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert deploy.Account.stack(_as_account(operator), NAME).status in ("", "DELETE_COMPLETE")


def _as_account(operator: Operator) -> Any:
    class There(deploy.Account):
        def client(self, service: str) -> Any:
            return operator.client(service)

    return There()


# --- what is said before anything is changed -------------------------------------------------------------------------


class Cloud(deploy.Account):
    """An account by its answers."""

    region = "eu-central-1"  # type: ignore[assignment] # a property there, a fact here

    def __init__(self, status: str = "", left: frozenset[str] = frozenset(), places: int = 1000) -> None:
        self._found = deploy.StackState(status, {}, {})
        self._left = left
        self._places = places

    def client(self, service: str) -> Any:
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:user/operator"}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": self._places}}

    def stack(self, name: str) -> deploy.StackState:
        return self._found

    def secret_names(self, stack: str) -> set[str]:
        return set(self._left)

    def open_changes(self, name: str) -> set[str]:
        return set()


@pytest.mark.parametrize(
    ("account", "parameters", "said"),
    [
        (Cloud("ROLLBACK_COMPLETE"), {}, "make destroy STAGE=dev"),
        (Cloud("DELETE_FAILED"), {}, "make destroy STAGE=dev"),
        (Cloud("UPDATE_ROLLBACK_FAILED"), {}, "continue-update-rollback --stack-name bitsleuth-billing-dev"),
        (Cloud("UPDATE_IN_PROGRESS"), {}, "wait until that has finished"),
        (Cloud(left=frozenset({"IDENTITY_PEPPER"})), {}, "left its secrets (IDENTITY_PEPPER)"),
        (Cloud(places=10), {"ReserveConcurrency": "true"}, "this account may run 10 functions at once"),
    ],
)
def test_what_would_fail_after_minutes_is_said_at_once(
    account: Cloud, parameters: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        deploy.preflight(account, "dev", parameters)
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("status", ["", "UPDATE_COMPLETE"])
def test_whoever_says_no_to_the_changes_changes_nothing(
    status: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """sam succeeds whatever the answer is; what it leaves is a change set that nobody executed."""
    open_changes = {"an older one"}
    account = Cloud(status)
    monkeypatch.setattr(account, "open_changes", lambda name: set(open_changes))
    monkeypatch.setattr(deploy, "Account", lambda: account)
    monkeypatch.setattr(deploy, "sam", lambda *arguments: open_changes.add("declined"))
    monkeypatch.setattr(deploy, "write_own_secrets", lambda *arguments: pytest.fail("went on"))
    with pytest.raises(typer.Exit):
        deploy.deploy("prod", built=Path("built"))
    assert "bitsleuth-billing-prod was not changed" in " ".join(capsys.readouterr().out.split())


def test_a_stage_is_not_deployed_without_its_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "PAGES", tmp_path)
    monkeypatch.setattr(deploy, "Account", lambda: pytest.fail("AWS was asked"))
    with pytest.raises(typer.Exit):
        deploy.deploy("dev")
    assert "the pages are not built" in capsys.readouterr().out


def test_a_stack_whose_first_changes_were_declined_can_be_created(operator: Operator) -> None:
    account, client = _as_account(operator), operator.client("cloudformation")
    client.create_change_set(
        StackName="declined",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    client.get_waiter("change_set_create_complete").wait(StackName="declined", ChangeSetName="first")
    assert client.describe_stacks(StackName="declined")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert account.stack("declined").status == ""
    assert len(account.open_changes("declined")) == 1
    assert account.open_changes("never-made") == set()


def test_a_secret_whose_deletion_is_scheduled_still_has_its_name(operator: Operator) -> None:
    client = operator.client("secretsmanager")
    client.create_secret(Name="gone/IDENTITY_PEPPER", SecretString="x")
    client.delete_secret(SecretId="gone/IDENTITY_PEPPER", RecoveryWindowInDays=7)
    assert _as_account(operator).secret_names("gone") == {"IDENTITY_PEPPER"}


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_what_the_shell_lacks_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    for lacks, said in ({}, "region"), ({"AWS_REGION": "eu-west-1"}, "Unable to locate credentials"):
        done = subprocess.run(
            [ROOT / "ops" / "billing", command, "dev"],
            env=environment | lacks,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert said in done.stdout + done.stderr
        assert len((done.stdout + done.stderr).splitlines()) == 1


PROXY = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".corp"}
SHELL = {"AWS_PROFILE": "work", **PROXY}


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("deploy", SHELL),
        ("destroy", SHELL),
        ("run", {**PROXY, "AWS_DEFAULT_REGION": "us-east-1", "no_proxy": "127.0.0.1,localhost,,.corp"}),
    ],
)
def test_a_stage_is_that_of_the_shell_and_everything_else_is_on_this_machine(
    goal: str, expected: dict[str, str]
) -> None:
    names = (*SHELL, "AWS_REGION", "AWS_DEFAULT_REGION", "no_proxy")
    rest = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in names}
    done = subprocess.run(
        ["make", "-f", "-", goal],
        cwd=ROOT,
        env=rest | SHELL,
        input=f"include Makefile\nsetup: ;\n{goal}: ; @env\n",
        capture_output=True,
        text=True,
        check=True,
    )
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.partition("=")[0] in names)
    assert shown == expected


def test_a_value_reaches_cloudformation_as_it_was_typed() -> None:
    typed = {
        "Seller": 'A "B" Ltd | 1 Street & Co',
        "OidcAudience": "a=b, c",
        "ContactUrl": r"back\slash's",
        "Stage": "",
    }
    assert CfnParameterOverridesType().convert(tuple(deploy.overrides(typed)), None, None) == typed


def test_a_small_account_is_warned_and_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.preflight(Cloud(places=10), "dev", {}).status == ""
    assert "10 functions at once" in " ".join(capsys.readouterr().out.split())


def test_an_origin_loses_its_slash_and_anything_else_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.chosen(["HostOrigin=https://App.example.com/", "OidcAudience=a=b"]) == {
        "HostOrigin": "https://app.example.com",
        "OidcAudience": "a=b",
    }
    with pytest.raises(typer.Exit):
        deploy.chosen(["HostOrigin"])
    assert "Name=Value" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("HostOrgin=https://a.example", "is it HostOrigin?"),
        ("Stage=prod", "Stage is no parameter"),
        ("[/x]=1", "[/x] is no parameter"),
    ],
)
def test_a_parameter_that_sam_would_ignore_is_refused(pair: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        deploy.chosen([pair])
    assert said in capsys.readouterr().out


def test_the_parameters_are_those_of_the_template(template: dict[str, Any]) -> None:
    assert ["Stage", *deploy.declared()] == list(template["Parameters"])


def test_the_first_prod_takes_real_money_and_a_later_one_keeps_what_it_has() -> None:
    fresh, there = deploy.StackState("", {}, {}), deploy.StackState("UPDATE_COMPLETE", {"Livemode": "false"}, {})
    assert deploy.parameters_for("prod", fresh, {})["Livemode"] == "true"
    assert "Livemode" not in deploy.parameters_for("prod", there, {})
    assert deploy.parameters_for("prod", fresh, {"Livemode": "false"})["Livemode"] == "false"


def test_an_address_of_ones_own_is_kept() -> None:
    found = deploy.StackState(
        "CREATE_COMPLETE", {"PublicUrl": "https://b.example", "PortalUrl": ""}, {"PagesUrl": "https://p"}
    )
    assert deploy.parameters_for("dev", found, {}) == {"Stage": "dev", "PortalUrl": "https://p"}
