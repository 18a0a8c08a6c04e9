"""Every code that the API can answer with has a text in every language of the pages."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from billing.rules.quotes import ChangeBlock, ObstacleCode

ROOT = Path(__file__).parents[1]
MESSAGES = ROOT / "frontend" / "packages" / "billing-react" / "src" / "messages"
# Answered to providers alone, who read no page.
TO_PROVIDERS = {"bad_webhook"}


@cache
def codes() -> set[str]:
    """The codes of errors.py, and those that a refusal is given where it is raised."""
    errors = ast.parse((ROOT / "layers/billing/billing/errors.py").read_text())
    kinds = {node.name for node in errors.body if isinstance(node, ast.ClassDef)}
    found = set()
    for path in (ROOT / "layers/billing/billing").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds:
                found |= {text for word in node.keywords if word.arg == "code" for text in _texts(word.value)}
    for node in errors.body:
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in kinds for base in node.bases):
            for line in node.body:
                if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "code":
                    found |= set(_texts(line.value))
    return (found | {*get_args(ObstacleCode), *get_args(ChangeBlock)}) - TO_PROVIDERS


def _texts(value: ast.expr) -> list[str]:
    return [n.value for n in ast.walk(value) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


@pytest.mark.parametrize("language", sorted(path.stem for path in MESSAGES.glob("*.ts")))
def test_every_code_has_a_text(language: str) -> None:
    known = set(re.findall(r'^  "error\.([a-z_]+)":', (MESSAGES / f"{language}.ts").read_text(), re.M))
    assert len(codes()) > 25
    assert codes() - known == set()
