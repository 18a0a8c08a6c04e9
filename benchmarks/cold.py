"""Cold starts: what the initialisation of each function costs, beside a frozen naive variant of its kind.

Ours are the functions as they are deployed: the built layers, on an interpreter that finds nothing else. The naive ones
have the same libraries as pip installs them, compiled.
"""

import functools
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import FUNCTIONS, ROOT, of_a_process
from local.build import build
from local.host import WORK

# After the runtime's own client, which every Python function on Lambda loads before ours.
_CHILD = """
import sys
sys.modules["OpenSSL"] = sys.modules["awscrt"] = None  # a developer's tools bring them; no layer has them
import awslambdaric.bootstrap
import importlib, json, time
before, began = len(sys.modules), time.process_time()
importlib.import_module(sys.argv[1])
cpu = (time.process_time() - began) * 1e3
print(json.dumps([cpu, len(sys.modules) - before]))
"""


def kind(function: str) -> str:
    """The naive variant that does the same work."""
    if function == "authorizer":
        return "authorizer"
    if function.startswith("webhook_"):
        return "webhook"
    behind = ("process_", "publish_", "poll_", "send_", "book_", "move_", "reconcile")
    return "consumer" if function.startswith(behind) else "api"


def measure(module: str) -> tuple[float, int]:
    """CPU milliseconds and modules of importing a module first of all."""
    naive = module.startswith("benchmarks.")
    folders = [ROOT] if naive else [*_layers(), ROOT / "functions", WORK / "runtime"]
    alone = [] if naive else ["-S"]  # no site-packages: the layers must bring everything
    done = subprocess.run(
        [sys.executable, *alone, "-c", _CHILD, module],
        env=of_a_process(*folders),
        cwd=ROOT / "benchmarks",  # a folder that holds no package of ours
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} does not start:\n{done.stderr}")
    cpu, modules = json.loads(done.stdout)
    return cpu, modules


@functools.cache
def _layers() -> list[Path]:
    built = build()
    return [built.artifact(layer) / "python" for layer in ("DependenciesLayer", "BillingLayer")]


def report(rounds: int, functions: Sequence[str] = FUNCTIONS) -> None:
    naive = {name: f"benchmarks.naive.{name}" for name in ("authorizer", "webhook", "consumer", "api")}
    for module in [*functions, *naive.values()]:
        measure(module)  # compiles what is not compiled yet
    seen: dict[str, list[tuple[float, int]]] = {module: [] for module in [*functions, *naive.values()]}
    for _ in range(rounds):
        for module, measured in seen.items():
            measured.append(measure(module))
    print(f"Cold start: initialisation after the runtime client, median of {rounds} rounds")
    print(f"{'':28}{'CPU ms':>8}{'naive':>8}{'ratio':>7}{'modules':>9}{'naive':>7}")
    for function in functions:
        ours, other = seen[function], seen[naive[kind(function)]]
        ratio = statistics.median(n[0] / o[0] for o, n in zip(ours, other, strict=True))
        cpu, modules = (statistics.median(column) for column in zip(*ours, strict=True))
        ncpu, nmodules = (statistics.median(column) for column in zip(*other, strict=True))
        print(f"{function:28}{cpu:8.0f}{ncpu:8.0f}{ratio:6.1f}×{modules:9.0f}{nmodules:7.0f}")
