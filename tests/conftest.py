"""Fixtures for every test: tables made from template.yaml; the local engine comes from its plugin."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from hypothesis import settings
from moto import mock_aws

from billing.aws import Aws
from demo.shop import Shop, open_shop
from local.engine import Engine

pytest_plugins = ["local.pytest_plugin"]
ROOT = Path(__file__).parents[1]
# Reads the models of each service once for all tests.
SESSION = botocore.session.get_session()
# A busy machine is no fault of the code: how long a test may take is the run's affair.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain data: the tables need none of them."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml as data; an intrinsic function is its argument."""
    return yaml.load((ROOT / "template.yaml").read_text(), _Template)  # noqa: S506 a SafeLoader


def create_tables(client: Any, template: Mapping[str, Any]) -> dict[str, str]:
    """Every table of the template with its keys and indexes, named and listed by its logical id."""
    names = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        properties = resource["Properties"]
        create = {k: properties[k] for k in ("AttributeDefinitions", "KeySchema", "BillingMode")}
        if "GlobalSecondaryIndexes" in properties:
            create["GlobalSecondaryIndexes"] = properties["GlobalSecondaryIndexes"]
        client.create_table(TableName=logical_id, **create)
        names[logical_id] = logical_id
    return names


@pytest.fixture
def tables(template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Every table of the template in moto, by logical id; for one thread only, moto loses races."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    os.environ.pop("AWS_ENDPOINT_URL", None)
    monkeypatch.setattr(botocore.session, "get_session", lambda: SESSION)
    # What lies in moto's queue is seen at once.
    monkeypatch.setattr("billing.intake.dead_letters._WAIT_SECONDS", 0)
    with mock_aws():
        names = create_tables(Aws().client("dynamodb"), template)
        yield names


@pytest.fixture(scope="session")
def shop_engine() -> Iterator[Shop]:
    """A whole shop on the local engine, every function held to its IAM policies. Tests use user ids of their own.

    Its entitlement tokens live for seconds, so that a test can wait for their end.
    """
    with open_shop(enforce_policies=True, parameters={"EntitlementTokenSeconds": "6"}) as shop:
        yield shop


@pytest.fixture(scope="session")
def engine(shop_engine: Shop) -> Engine:
    """The shop's engine, for tests that need the tables and nothing of the shop."""
    return shop_engine.engine
