"""Functions as Lambda loads them: with the template's variables, on moto's tables, queue, bus and secrets."""

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from billing.aws import Aws
from billing.identity.tokens import DEV_ISSUER, Signer, Verifier, generate_key_set
from billing.intake.webhook import encode
from billing.providers.interface import Notification
from billing.store.accounts import AccountStore
from billing.store.identities import IdentityStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from fakes.base import Server
from fakes.mock import MockProvider
from samples import CATALOGUE, NOW, USER

ROOT = Path(__file__).parents[2]
SECRET = "mock-secret-of-the-tests"
PARAMETERS = {
    "Stage": "test",
    "Livemode": "false",
    "ProviderMode": "mock",
    "PublicUrl": "https://billing.example",
    "PortalUrl": "https://portal.example",
    "BtcpayUrl": "https://btcpay.example",
    "BtcpayStoreId": "store_1",
}


OWN, DEVELOPMENT = generate_key_set("own-1"), generate_key_set("dev-1")
SECRETS = {
    "TokenSigningKeys": OWN,
    "TokenPublicKeys": json.dumps(Verifier({"own": OWN}).jwks()),
    "DevTokenKeys": DEVELOPMENT,
    "BillingWebhookSecret": f"an-older-secret,{SECRET}",
}


class Cloud:
    """What the functions find in AWS, and the mock provider beside it."""

    def __init__(self, template: dict[str, Any], tables: dict[str, str], provider: MockProvider) -> None:
        self._template = template
        self.tables = tables
        self.provider = provider
        self.aws = Aws("dynamodb", "sqs")
        self.queue_url = self.aws.call("sqs", "create_queue", QueueName="payment-events")["QueueUrl"]
        self.dlq_url = self.aws.call("sqs", "create_queue", QueueName="payment-events-dlq")["QueueUrl"]
        self.host_events_url = self.aws.call("sqs", "create_queue", QueueName="host-events")["QueueUrl"]
        self.bus = "billing-events"
        self.aws.call("events", "create_event_bus", Name=self.bus)
        self.accounts = AccountStore(self.aws, tables["AccountsTable"], tables["PaymentEventsTable"])
        self.events = PaymentEventStore(self.aws, tables["PaymentEventsTable"])
        self.plans = PlanStore(self.aws, tables["PlansTable"])
        self.signer = Signer({DEV_ISSUER: DEVELOPMENT}, DEV_ISSUER)
        self._known: set[str] = set()

    def environment(self, function: str) -> dict[str, str]:
        """The variables the template gives a function, with references resolved."""
        known = self._template["Globals"]["Function"]["Environment"]["Variables"]
        own = self._template["Resources"][function]["Properties"].get("Environment", {}).get("Variables", {})
        return {name: self._resolved(value) for name, value in {**known, **own}.items()}

    def _resolved(self, value: Any) -> str:
        if isinstance(value, list):  # an !If: the branch of every stage but prod, and of an API that is open
            return self._resolved(value[2] if value[0] == "ApiIsClosed" else value[1])
        defaults = {name: p.get("Default", "") for name, p in self._template["Parameters"].items()}
        places = {
            **defaults,
            **PARAMETERS,
            **self.tables,
            "PaymentEventsQueue": self.queue_url,
            "PaymentEventsDlq": self.dlq_url,
            "ChangesDlq": self.dlq_url,
            "HostEventsQueue": self.host_events_url,
            "EventBus": self.bus,
            "MockUrl": self.provider.url,
        }
        text = str(value)
        if text.startswith("secretsmanager:"):
            self._fill(re.findall(r"\$\{(\w+)", text)[0])
        return str(places[text]) if text in places else re.sub(r"\$\{(\w+)[^}]*\}", r"\1", text)

    def _fill(self, secret: str) -> None:
        if secret not in self._known:
            self._known.add(secret)
            value = SECRETS.get(secret, f"secret-of-{secret}")
            self.aws.call("secretsmanager", "create_secret", Name=secret, SecretString=value)

    def seed_plans(self) -> None:
        for plan in CATALOGUE.plans:
            self.plans.add_version(plan)

    def messages(self) -> list[dict[str, Any]]:
        """Everything that lies in the queue now, taken out of it."""
        found: list[dict[str, Any]] = []
        while batch := self.aws.call("sqs", "receive_message", QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"]) for message in batch]
        return found


@pytest.fixture
def cloud(template: dict[str, Any], tables: dict[str, str]) -> Iterator[Cloud]:
    provider = MockProvider(SECRET)
    with Server(provider):
        yield Cloud(template, tables, provider)


@pytest.fixture
def load(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function's module, fresh as in a new environment."""

    def load(name: str) -> ModuleType:
        logical_id = "".join(part.capitalize() for part in name.split("_")) + "Function"
        for key, value in cloud.environment(logical_id).items():
            monkeypatch.setenv(key, value)
        spec = importlib.util.spec_from_file_location(f"function_{name}", ROOT / "functions" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class Answer:
    def __init__(self, answer: dict[str, Any]) -> None:
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.text: str = answer["body"]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The code of a problem document, which is complete."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["type"] == f"urn:bitsleuth:{self.json['code']}"
        assert self.json["title"]
        assert self.json["detail"]
        return str(self.json["code"])


def recorded(path: str) -> dict[str, Any]:
    """A recorded invocation: events/<path>.json."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{path}.json").read_text())
    return event


@pytest.fixture
def call(load: Callable[[str], ModuleType]) -> Callable[..., Answer]:
    """Calls a function with a recorded event, changed where a test says so."""
    modules: dict[str, ModuleType] = {}

    def call(
        event: str,
        *,
        body: Any = ...,
        raw: str | None = None,
        path: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        user: str | None = USER,
    ) -> Answer:
        recorded_event = recorded(f"api/{event}")
        if body is not ...:
            recorded_event["body"] = json.dumps(body)
        if raw is not None:
            recorded_event["body"] = raw
        if path:
            recorded_event["pathParameters"] = path
        if query:
            recorded_event["queryStringParameters"] = query
        authorizer = recorded_event["requestContext"].get("authorizer")
        if authorizer and user and authorizer["lambda"]["role"] == "":
            authorizer["lambda"]["user_id"] = user
        name = event.partition(".")[0]
        if name not in modules:
            modules[name] = load(name)
        return Answer(modules[name].handler(recorded_event, None))

    return call


def queued(*notifications: Notification) -> dict[str, Any]:
    """An SQS event with these notifications."""
    return {
        "Records": [
            {"messageId": f"m{n}", "body": encode(notification, NOW, "1", "hash")}
            for n, notification in enumerate(notifications)
        ]
    }


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of the log since it was last asked."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


@pytest.fixture
def key_moves(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, USER's key opens another account just after somebody looked at what it opens."""
    looked = IdentityStore.opened_by

    def opened_by(self: IdentityStore, user_id: str) -> str | None:
        found = looked(self, user_id)
        if user_id == USER and found == USER:
            self.link(USER, "usr_desktop", 1)
        return found

    return lambda: monkeypatch.setattr(IdentityStore, "opened_by", opened_by)
