"""Words that the API documents are words that something says; and the other way round where a list is kept twice."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import billing
from billing.admin import timeline
from billing.api.answers.users import TimelineEntry
from billing.rules.history import Code, changes
from billing.rules.records import Account, Gift, Grant, Purchase, Redemption, Subscription, Term

PACKAGE = Path(billing.__file__).parent
DOCUMENTS = set((PACKAGE / "api" / "answers").glob("*.py"))
MODULES = [import_module(f"billing.api.answers.{path.stem}") for path in sorted(DOCUMENTS)]


@cache
def said() -> set[str]:
    """Every text that code outside the documents mentions, docstrings aside."""
    found: set[str] = set()
    for path in set(PACKAGE.rglob("*.py")) - DOCUMENTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                found.add(node.value)
    return found


def words(annotation: Any) -> set[str]:
    inner = {word for part in get_args(annotation) for word in words(part)}
    return inner | {part for part in get_args(annotation) if isinstance(part, str)}


FIELDS = [
    (model.__name__, name, field.annotation)
    for module in MODULES
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    for name, field in model.model_fields.items()
    if words(field.annotation)
]


@pytest.mark.parametrize(("model", "name", "annotation"), FIELDS, ids=[f"{m}.{n}" for m, n, _ in FIELDS])
def test_every_documented_word_is_said_somewhere(model: str, name: str, annotation: Any) -> None:
    assert words(annotation) <= said()


def test_the_timeline_has_just_the_kinds_that_are_documented() -> None:
    money: dict[str, Any] = {"provider": "stripe", "plan_id": "p", "plan_version": 1, "observed_at": 1, "created_at": 1}
    bought: dict[str, Any] = {**money, "purchase_id": "i", "state": "paid", "amount_cents": 1, "currency": "USD"}
    records = [
        Subscription(**money, subscription_id="s", status="active", current_period_start=1, current_period_end=2),
        Purchase(**bought),
        Term(**bought),
        Gift(**bought),
        Redemption(redemption_id="r", redeemed_at=1),
        Grant(grant_id="g", features={}, granted_by="a", reason="r", granted_at=1),
    ]
    of_records = {change.kind for change in changes(Account("usr_1"), Account("usr_1").put(*records))}
    of_money = {kind for kind, _ in timeline.MONEY.values()}
    assert of_records | of_money == words(TimelineEntry.model_fields["kind"].annotation)
    codes = words(TimelineEntry.model_fields["code"].annotation)
    assert codes == words(Code) | {word for _, word in timeline.MONEY.values()}
