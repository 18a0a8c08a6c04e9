"""Arrows point one way, and an entry point imports no more than it needs: read from the sources, not from a diagram."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.environment import FUNCTIONS, of_a_process
from billing.providers import PROVIDERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "layers" / "billing" / "billing"

# The table of docs/architecture.md: what each folder holds, and what it may import. It is read, not repeated here.
_ROW = re.compile(
    r"^\| `(?P<place>[a-z_]+)(?:/|\.py)` \| [^|]+ \| (?P<ours>[^|]*) \| (?P<others>[^|]*) \|$", re.MULTILINE
)


def _names(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`([A-Za-z0-9_]+)`", cell))


ALLOWED = {
    row["place"]: (_names(row["ours"]), _names(row["others"]))
    for row in _ROW.finditer((ROOT / "docs" / "architecture.md").read_text())
}
# Third-party packages that cost a cold start, and who may load them at import. Whoever is not listed loads none.
HEAVY = (
    "asyncio",
    "botocore",
    "coincurve",
    "cryptography",
    "httpx",
    "jwt",
    "pydantic",
    "requests",
    "stripe",
    "urllib3",
    "websockets",
)
LOADS = {
    "admin_endpoints": {"pydantic"},
    "admin_events": {"pydantic"},
    "admin_flags": {"pydantic"},
    "admin_vouchers": {"pydantic"},
    "admin_invoices": {"pydantic"},
    "admin_subscriptions": {"pydantic"},
    "admin_moves": {"pydantic"},
    "admin_plans": {"pydantic"},
    "admin_users": {"pydantic"},
    "auth": {"coincurve", "cryptography", "pydantic"},
    "authorizer": {"cryptography"},
    "cancel_subscription": {"pydantic"},
    "change_subscription": {"pydantic"},
    "create_checkout_session": {"pydantic"},
    "jwks": {"cryptography"},
    "messages": {"coincurve", "cryptography", "pydantic", "websockets"},
    "renewals": {"pydantic"},
    "renew_by_wallet": {"coincurve", "cryptography", "websockets"},
    "send_messages": {"coincurve", "cryptography", "websockets"},
    "track": {"pydantic"},
    "vouchers": {"pydantic"},
    "wallet": {"coincurve", "cryptography", "pydantic", "websockets"},
}


def modules() -> dict[str, Path]:
    """Every module of the package by its name without `billing.`; the package itself is "billing"."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__").replace("__init__", "billing")] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """What a source imports, also inside its functions, but not for type checking alone. Ours without `billing.`."""
    found: set[str] = set()
    for node in _code(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = str(node.module)
            inner = {f"{module}.{alias.name}" for alias in node.names}
            ours = {name for name in inner if name.removeprefix("billing.") in MODULES}
            found |= ours if ours and module == "billing" else {module, *ours}
    return {name.removeprefix("billing.") for name in found}


def _code(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _code(child)


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports; read when a test asks, not by every process that only collects this file."""
    return {name: imports(path) for name, path in MODULES.items()}


def ours(name: str) -> set[str]:
    return graph()[name] & MODULES.keys()


def third_party(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names - MODULES.keys()} - sys.stdlib_module_names


def kind(module: str) -> str:
    return module.partition(".")[0]


def uses(place: str) -> tuple[set[str], set[str]]:
    """What the modules of a folder, or a module beside the folders, import: places of ours, packages of others."""
    named = set().union(*(found for name, found in graph().items() if kind(name) == place))
    return {kind(name) for name in named & MODULES.keys()} - {place}, third_party(named)


@pytest.mark.parametrize("place", sorted({kind(name) for name in MODULES} - {"billing"}))
def test_each_folder_imports_what_its_row_allows(place: str) -> None:
    assert place in ALLOWED, f"docs/architecture.md has no row for {place}"
    ours, others = ALLOWED[place]
    used, packages = uses(place)
    assert used <= ours
    assert packages <= others


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_each_row_names_what_its_folder_really_imports(place: str) -> None:
    assert (set(ALLOWED[place][0]), set(ALLOWED[place][1])) == uses(place)


@pytest.mark.parametrize("module", [name for name in MODULES if kind(name) == "providers"])
def test_a_provider_knows_no_other_provider(module: str) -> None:
    named = {name.split(".")[1] for name in ours(module) if name.startswith("providers.")}
    assert named & PROVIDERS.keys() <= set(module.split(".")[1:2])


# Commands that set one provider up: each is about that one.
_SET_UP = ("deploy", "bitcoin", "stripe")


# In ours, and in what uses it: how providers differ is asked of the registry.
@pytest.mark.parametrize("folder", ["layers/billing/billing", "functions", "ops/billing_cli"])
def test_nobody_outside_tells_providers_apart_by_their_names(folder: str) -> None:
    told_apart = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        if "providers" not in path.parts and path.stem not in _SET_UP
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare) and _constants(node) & PROVIDERS.keys() - {"mock"}
    }
    assert not told_apart


def _constants(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@pytest.mark.parametrize("module", [name for name in MODULES if kind(name) != "providers"])
def test_what_a_provider_can_do_is_asked_of_the_registry_not_cast(module: str) -> None:
    casts = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cast" and "ProviderClient" in ast.unparse(node)
    ]
    assert not casts


def test_no_arrow_points_back() -> None:
    """The rows allow no circle between folders; this looks at the modules, too."""
    seen: dict[str, bool] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join((*path, name))
        if name not in seen:
            for other in ours(name):  # modules of one package may know each other
                if kind(other) != kind(name):
                    visit(other, (*path, name))
            seen[name] = True

    for module in MODULES:
        visit(module, ())


def test_a_log_line_is_written_in_one_way() -> None:
    """`logging` is only loaded to make a library quieter."""
    assert {name for name in MODULES if "logging" in imports(MODULES[name])} == {
        "nostr.relay",
        "providers.stripe.client",
    }


def test_nothing_in_the_package_reads_the_environment() -> None:
    readers = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    # As whom to call, which Lambda says there and nowhere else; and which front every function alike answers.
    assert readers == {"aws", "origin"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_wires_our_package_and_nothing_else(function: str) -> None:
    path = ROOT / "functions" / f"{function}.py"
    assert not third_party(imports(path))
    assert len(path.read_text().splitlines()) < 80


# Imports every function in a child of one interpreter that has loaded what all of them need.
_MEASURE = """
import json, os, sys
sys.modules["OpenSSL"] = None  # a developer's tools bring it, and urllib3 would load it: the layer has none
from billing.aws import Aws
Aws("dynamodb")
Aws.connect = lambda self, service: None
heavy, functions = json.loads(sys.argv[1])
for function in functions:
    reading, writing = os.pipe()
    if os.fork() == 0:
        __import__(function)
        os.write(writing, json.dumps([function, [h for h in heavy if h in sys.modules]]).encode())
        os._exit(0)
    os.close(writing)  # of a function that cannot be imported there is an end to read, and no wait
    os.wait()
    print(os.read(reading, 4096).decode() or json.dumps([function, ["cannot be imported"]]))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """What each function has loaded of the heavy modules once it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, json.dumps([HEAVY, FUNCTIONS])],
        env=of_a_process(ROOT / "layers" / "billing", ROOT / "functions") | {"BILLING_PROVIDER_MODE": "stripe"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {function: set(found) for function, found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_nothing_heavy_that_it_does_not_need(function: str, loaded: dict[str, set[str]]) -> None:
    assert loaded[function] == LOADS.get(function, set())
