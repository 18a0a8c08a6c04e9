"""moto's DynamoDB copies a whole table for each item of a transaction, to put it back if one is refused. Here it keeps
what the transaction touches, and puts that back: the same outcome, at a cost that does not grow with the table.

And at each request moto reads its own folders, lists the methods of a class and looks whose the key is; here once.
For each member of an answer it tries several spellings; DynamoDB's answers have one.
At each query it sorts the whole table, and works out what two keys are worth at each comparison; here once per key."""

import copy
import functools
from types import SimpleNamespace
from typing import Any

import moto.iam.models
import pytest
from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID, responses
from moto.core.serialize import ResponseSerializer
from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table


def make_cheap(patch: pytest.MonkeyPatch) -> None:
    """For as long as the patch holds. moto's own answer to a refused transaction stays what decides."""
    whole = models.DynamoDBBackend.transact_write_items

    def transact(self: Any, transact_items: list[dict[str, Any]]) -> None:
        touched = [place for each in transact_items for place in _places(self, each)]
        before = [(held, key, copy.deepcopy(held.get(key))) for held, key in touched]
        try:
            whole(self, transact_items)
        except Exception:
            for held, key, kept in before:
                if kept is None:
                    held.pop(key, None)
                else:
                    held[key] = kept
            raise

    def copied(value: Any, *memo: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value, *memo)

    def all_items(self: Table) -> list[Any]:
        found = [item for held in self.items.values() for item in (held.values() if self.range_key_attr else (held,))]
        return sorted(found, key=_place)

    modules = tuple(backends.list_of_moto_modules())
    patch.setattr(backends, "list_of_moto_modules", lambda: modules)
    patch.setattr(responses, "method_names_from_class", functools.cache(responses.method_names_from_class))
    patch.setattr(moto.iam.models, "get_account_id_from", lambda access_key: DEFAULT_ACCOUNT_ID)
    patch.setattr(models, "copy", SimpleNamespace(deepcopy=copied))
    patch.setattr(models.DynamoDBBackend, "transact_write_items", transact)
    patch.setattr(Table, "all_items", all_items)
    worth = DynamoType.cast_value.fget
    patch.setattr(ResponseSerializer, "get_value", _value)
    patch.setattr(DynamoType, "cast_value", property(lambda self: self.value if self.type == "S" else worth(self)))


def _place(item: Any) -> tuple[Any, ...]:
    keys = (item.hash_key, item.range_key) if item.range_key else (item.hash_key,)
    return tuple(key.cast_value for key in keys)


def _places(backend: Any, item: dict[str, Any]) -> list[tuple[dict[DynamoType, Any], DynamoType]]:
    """Where the item is held that a part of a transaction is about: none where moto will say that it is malformed."""
    (operation,) = list(item.values())[:1]
    table = backend.tables.get(operation.get("TableName"))
    values = operation.get("Key") or operation.get("Item") or {}
    if table is None or not {table.hash_key_attr, table.range_key_attr or table.hash_key_attr} <= values.keys():
        return []
    key = DynamoType(values[table.hash_key_attr])
    if table.range_key_attr is None:
        return [(table.items, key)]
    return [(table.items[key], DynamoType(values[table.range_key_attr]))]


def _value(self: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """A member of an answer. DynamoDB's are dictionaries in the words of the API: no other spelling is to be tried."""
    if type(value) is dict and self.operation_model.service_model.service_name == "dynamodb":
        return value.get(key)
    return _SPELLED(self, value, key, shape)


_SPELLED = ResponseSerializer.get_value
