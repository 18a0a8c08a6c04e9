"""Every act that is written into the audit log has its words on the page, in each language."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "frontend" / "portal" / "src" / "admin"


def acts() -> set[str]:
    """What the code names as an act: `action="…"`, and the first text that the notes of functions and commands take."""
    found = set()
    sources = [*(ROOT / "layers" / "billing").rglob("*.py"), *(ROOT / "functions").glob("*.py")]
    sources += (ROOT / "ops" / "billing_cli").glob("*.py")
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call):
                continue
            values = [word.value for word in node.keywords if word.arg == "action"]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "note" and "obj" in ast.unparse(node.func):
                values += node.args[:1]
            if ast.unparse(node.func) == "_noted":
                values += node.args[1:2]
            if ast.unparse(node.func) == "self._note":
                values += node.args[:1]
            if ast.unparse(node.func) == "_Acting":
                values += node.args[3:4]
            texts = [leaf for value in values for leaf in ast.walk(value) if isinstance(leaf, ast.Constant)]
            found |= {leaf.value for leaf in texts if isinstance(leaf.value, str)}
    return found


def test_every_act_has_its_words_in_each_language() -> None:
    known = acts()
    assert {
        "grant",
        "refund",
        "update_plan",
        "archive_plan",
        "set_aside",
        "move_subscribers",
        "replay",
        "change_plan",
        "create_endpoint",
    } <= known
    page = (PAGES / "AuditPage.tsx").read_text()
    assert {act for act in known if f'  {act}: "did.{act}"' not in page} == set()
    for language in ("en", "de", "es"):
        texts = (PAGES / "messages" / f"{language}.ts").read_text()
        assert {act for act in known if f'"did.{act}":' not in texts} == set()
