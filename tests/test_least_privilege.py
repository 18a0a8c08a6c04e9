"""Nothing is granted that no line of a function could ask for; that all it asks for is granted, the engine enforces.

Static: a definition counts as reachable when something reachable says its name, in the modules that the function
imports. That errs on the side of use: a grant that fails here is asked for by nothing. By function and action; which
tables a function may use is held in tests/test_template.py.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_template import FUNCTIONS, statements

# What one process has read of the sources, the next would read again.
pytestmark = pytest.mark.xdist_group("least_privilege")
ROOT = Path(__file__).parents[1]
LAYER, HANDLERS = ROOT / "layers" / "billing", ROOT / "functions"
# As our code writes them: operations, and the parts of a transaction.
ACTIONS = {
    **{
        name: f"dynamodb:{name.title().replace('_', '')}"
        for name in ("get_item", "put_item", "update_item", "delete_item", "query", "scan", "batch_get_item")
    },
    **{part: f"dynamodb:{part}Item" for part in ("Put", "Update", "Delete")},
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    **{
        name: f"sqs:{name.title().replace('_', '')}"
        for name in ("send_message", "receive_message", "delete_message", "change_message_visibility")
    },
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "put_events": "events:PutEvents",
    "generate_data_key": "kms:GenerateDataKey",
    "decrypt": "kms:Decrypt",
}
# Asked for by Lambda itself under the function's role, when it gives up on a part of the stream.
BY_LAMBDA = {name: {"sqs:SendMessage"} for name in ("PublishChangesFunction", "FollowVouchersFunction")}
_Def = ast.FunctionDef | ast.ClassDef


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def file_of(module: str) -> Path | None:
    path = LAYER / Path(*module.split("."))
    return next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.exists()), None)


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules of ours that a file names anywhere, in a function too."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


@cache
def modules(function: Path) -> frozenset[Path]:
    """The files of the layer that a handler may load; the transport is the door, not somebody who asks."""
    found, waiting = set(), [*imported(function)]
    while waiting:
        module = waiting.pop()
        path = file_of(module) if module.startswith("billing") else None
        if path is not None and path not in found and "aws" not in path.parts:
            found.add(path)
            waiting += imported(path)
    return frozenset(found)


def said(node: ast.AST) -> set[str]:
    """The names and texts in a piece of code, without what it defines inside."""
    names: set[str] = set()
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            waiting += each.decorator_list
            continue
        if isinstance(each, ast.Name):
            names.add(each.id)
        elif isinstance(each, ast.Attribute):
            names.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            names.add(each.value)
        waiting += ast.iter_child_nodes(each)
    return names


@cache
def said_outside(path: Path) -> frozenset[str]:
    """The same of a file, outside all that it defines."""
    return frozenset(said(parsed(path)))


@cache
def defined(path: Path) -> tuple[tuple[str, frozenset[str]], ...]:
    """Every function, method and class of a file with what it says; a class says what its dunder methods say."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef):
            inner = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name.startswith("__")]
            found.append((node.name, frozenset(said(node).union(*map(said, inner)))))
        elif isinstance(node, ast.FunctionDef):
            within = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n is not node]
            found.append((node.name, frozenset(said(node).union(*map(said, within)))))
    return tuple(found)


def asked_for(function: Path) -> set[str]:
    """The actions that some reachable line names."""
    files = modules(function)
    definitions = [pair for path in files for pair in defined(path)]
    reached = set().union(said_outside(function), *(names for _, names in defined(function)))
    reached |= set().union(*map(said_outside, files))
    while True:
        more = set().union(*(names for name, names in definitions if name in reached))
        if more <= reached:
            return {ACTIONS[name] for name in reached if name in ACTIONS}
        reached |= more


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_is_granted_that_is_not_asked_for(function: str) -> None:
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
    granted = {action for actions, _ in statements(function) for action in actions}
    granted -= {"secretsmanager:GetSecretValue"}  # by name, in tests/test_template.py
    assert granted - BY_LAMBDA.get(function, set()) <= asked_for(HANDLERS / f"{module}.py")
