"""Creates only the tables of template.yaml, for tests and measurements that need no more of the stack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from .host import ROOT


class _Plain(yaml.CSafeLoader):
    """Reads each of CloudFormation's short tags as its plain argument; the tables use none of them."""


def _argument(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Plain.add_multi_constructor("!", _argument)


def read_template() -> dict[str, Any]:
    """template.yaml as data, each intrinsic function replaced by its argument."""
    template: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Plain)  # noqa: S506 a SafeLoader
    return template


def create_tables(client: Any, template: Mapping[str, Any], names: Collection[str] = ()) -> dict[str, str]:
    """Creates the template's tables with keys and indexes, all or those in `names`; each is named by its logical id."""
    created = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table" or (names and logical_id not in names):
            continue
        properties = resource["Properties"]
        wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        client.create_table(TableName=logical_id, **{k: properties[k] for k in wanted if k in properties})
        created[logical_id] = logical_id
    return created
