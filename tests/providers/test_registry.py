"""A provider is known everywhere or nowhere: one that is half added fails here, with what is missing."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ops.local.deliveries import SIGNATURES

from billing.providers import PREPAID, PROVIDERS, load, prepaid_client, renewing_client
from billing.providers.interface import Client, PrepaidProviderClient, Provider, RecurringProviderClient
from billing.settings import Settings
from billing_cli.stack import NEEDED
from tests.acceptance.world import PLAYERS

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("name", PROVIDERS)
# Members of `RecurringProviderClient` that stand for an ability of their own.
_ABLE = {"sync_plan": "prices", "events": "events", "event": "events"}


class _Everything(dict[str, str]):
    """An environment in which every name is set."""

    def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
        return {"STAGE": "test", "LIVEMODE": "false", "BTCPAY_PROXY": "http://proxy.example"}.get(key, "1")


def client_of(name: str) -> Client:
    return load(name).connect(Settings(_Everything()))


def members(protocol: type) -> set[str]:
    return {member for member, value in vars(protocol).items() if inspect.isfunction(value) and member[0] != "_"}


@EACH
def test_a_provider_has_the_members_of_every_provider(name: str) -> None:
    module = load(name)
    assert name == module.NAME
    assert all(callable(getattr(module, member)) for member in members(Provider))


@EACH
def test_a_client_has_the_calls_that_its_abilities_promise_and_no_others(name: str) -> None:
    abilities, has = PROVIDERS[name], {member for member in dir(client_of(name)) if member[0] != "_"}
    assert members(Client) <= has
    able = {member for member in members(RecurringProviderClient) - members(Client) if member not in _ABLE}
    able |= {member for member, ability in _ABLE.items() if getattr(abilities, ability)}
    wanted = able if abilities.renews else members(PrepaidProviderClient)
    unwanted = (members(PrepaidProviderClient) | members(RecurringProviderClient)) - members(Client) - wanted
    assert wanted <= has
    assert not unwanted & has, "it can do what the table does not say"


@pytest.mark.parametrize(("kind", "names"), [(renewing_client, PREPAID), (prepaid_client, PROVIDERS.keys() - PREPAID)])
def test_nobody_is_asked_for_what_it_cannot_do(kind: Callable[..., object], names: frozenset[str]) -> None:
    for name in names:
        with pytest.raises(ValueError, match=name):
            kind(lambda _: pytest.fail("it was connected"), name)


@EACH
def test_a_provider_has_a_door_recorded_deliveries_and_a_stand_in(name: str) -> None:
    template = (ROOT / "template.yaml").read_text()
    assert f"Path: /billing/webhook/{name}," in template
    assert f"webhook_{name}.handler" in template
    for path in (f"functions/webhook_{name}.py", f"events/api/webhook_{name}.json"):
        assert (ROOT / path).is_file(), path
    assert list((ROOT / "events" / name).glob("*.json")), "no recorded deliveries"
    assert (ROOT / "ops" / "fakes" / f"{name}.py").is_file() or (ROOT / "ops" / "fakes" / name).is_dir()
    assert name in SIGNATURES, "the local engine cannot sign its deliveries"
    assert NEEDED.get(name), "deploying and the command line know no secret of it"


@EACH
def test_a_provider_goes_through_what_every_provider_must_pass(name: str) -> None:
    assert name in PLAYERS


@EACH
def test_a_provider_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "configuration.md").read_text()
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    choices = document["components"]["schemas"]["CreateCheckoutSession"]["properties"]["provider"]
    assert f'"{name}"' in json.dumps(choices)
    offered = next(line for line in (ROOT / "template.yaml").read_text().splitlines() if "Providers on offer" in line)
    assert name in offered
