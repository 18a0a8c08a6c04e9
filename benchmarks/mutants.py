"""How many small faults in the rules the fast tests notice: `make mutants`, or `ARGS="--count 500 --seed 7"`.

Each mutant is one change (another comparison, a number one higher, a condition turned round …) in a copy of the
repository; it is killed when a test that reaches it fails, or does not end. Whatever survives is a missing test, or a
change that means the same.
"""

import argparse
import ast
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

# Loaded once here, for all the children: what tests lean on, and none of what is changed.
import boto3  # noqa: F401
import hypothesis  # noqa: F401
import moto.server  # noqa: F401
import pydantic  # noqa: F401
import pytest
import requests  # noqa: F401
import stripe  # noqa: F401

ROOT = Path(__file__).parents[1]
PACKAGE = Path("layers/billing/billing")
# What is changed, and the tests that should notice: of each change those that reach its line, the fastest first.
MUTATED = (PACKAGE / "rules", PACKAGE / "gate" / "usage.py")
TESTS = (
    "tests/rules",
    "tests/gate",
    "tests/acceptance",
    "tests/scenarios",
    "tests/reporting",
    "tests/selling",
    "tests/admin",
    "tests/intake",
    "tests/store",
    "tests/catalogue",
)
COPIED = ("layers", "functions", "ops", "tests", "benchmarks", "events", "docs", "pyproject.toml", "template.yaml")
# A mutant may loop for ever, or wait: one test may take so much of the processor, and so long.
CPU_SECONDS, SECONDS = 60, 600
# A survivor runs all tests that reach it, up to so many seconds of them: the slowest may then not have been asked.
ASKED_SECONDS = 90
# From where this process loads what is to be changed; its packages, which may lie in the repository too, stay.
_ORIGINALS = {"", *(str(ROOT / place) for place in ("", "layers/billing", "functions", "ops", "python/src", "tests"))}
# So many tests have to pass without any change before a failure counts as a mutant that was noticed.
CONTROLS = 300
QUIETLY = ("-p", "no:cacheprovider", "-m", "not engine", "--assert=plain")

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
}
_CALLS = {"max": "min", "min": "max", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one expression, as source text between two offsets of a line (or of several)."""

    path: Path
    line: int
    before: str
    after: str
    start: int
    end: int


def changed(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression may wrongly have been."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        yield from node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        yield ast.Call(ast.Name(_CALLS[node.func.id]), node.args, node.keywords)


def mutants(path: Path) -> Iterator[Mutant]:
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _code(ast.parse(source)):
        if not isinstance(node, ast.expr) or node.end_lineno is None or node.end_col_offset is None:
            continue
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        for other in changed(node):
            yield Mutant(path, node.lineno, source[start:end].decode(), f"({ast.unparse(other)})", start, end)


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """What decides: no annotations, no options of a decorator, and nothing in an f-string: its parts have no place."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


Verdicts: TypeAlias = "multiprocessing.SimpleQueue[tuple[Mutant, bool]]"


@dataclass(frozen=True, slots=True)
class Reach:
    """Which tests reach which line, and what each of them takes (seconds); from one run without any change."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def tests(self, mutant: Mutant, source: bytes) -> list[str]:
        """Those that reach the change, the fastest first; of what runs on import those that reach its module."""
        lines = self.lines.get(str(mutant.path), {})
        last = mutant.line + source[mutant.start : mutant.end].count(b"\n")
        found = {test for line in range(mutant.line, last + 1) for test in lines.get(str(line), ())}
        if found <= {""}:
            found = {test for tests in lines.values() for test in tests}
        asked, left = [], float(ASKED_SECONDS)
        for test in sorted(found - {""}, key=self.seconds.__getitem__):
            left -= self.seconds[test]
            if left < 0:
                break
            asked.append(test)
        return asked

    def fastest(self, count: int) -> list[str]:
        reaching = {test for lines in self.lines.values() for tests in lines.values() for test in tests} - {""}
        return sorted(reaching, key=self.seconds.__getitem__)[:count]


def reach(copy: Path) -> Reach:
    """Runs the tests once, without the paths of whoever asked, which would lead back to the original."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"MUTATED": ":".join(map(str, MUTATED)), "REACHED": str(copy / "reached.json")}
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "benchmarks.reached", *QUIETLY]
    # Some need what is not copied, such as the front end's modules: what fails without any change judges none.
    done = subprocess.run([*command, *TESTS], cwd=copy, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"The tests did not run:\n{done.stdout[-2000:]}")
    return Reach(**json.loads((copy / "reached.json").read_text()))


def killed(mutant: Mutant, copy: Path, known: Reach) -> bool:
    target = copy / mutant.path
    source = target.read_bytes()
    tests = known.tests(mutant, source)
    if not tests:
        return False
    target.write_bytes(source[: mutant.start] + mutant.after.encode() + source[mutant.end :])
    try:
        code = run(copy, tests)
    finally:
        target.write_bytes(source)
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        # The change may have kept a module from loading; a test that is not found in any case judges nothing.
        return run(copy, tests) == pytest.ExitCode.OK
    return code != pytest.ExitCode.OK


class Limits:
    """Ends the process when one of its tests does not end."""

    @staticmethod
    def pytest_runtest_logstart() -> None:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(SECONDS)


def run(copy: Path, tests: list[str]) -> int:
    """How these tests end there; negative after a signal. In a child of this process: it has loaded what never changes.

    A signal is the end of a test that takes too long (`Limits`).
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            os.chdir(copy)
            sys.path[:] = [place for place in sys.path if place not in _ORIGINALS]
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            Limits.pytest_runtest_logstart()
            code = int(pytest.main(["-q", "-x", *QUIETLY, *tests], plugins=[Limits]))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def judge(chosen: Sequence[Mutant], copy: Path, known: Reach, verdicts: Verdicts) -> None:
    for mutant in chosen:
        verdicts.put((mutant, killed(mutant, copy, known)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are judged at once")
    arguments = parser.parse_args()
    paths = [p for place in MUTATED for p in ((ROOT / place).rglob("*.py") if place.suffix == "" else [ROOT / place])]
    every = [mutant for path in sorted(paths) for mutant in mutants(path.relative_to(ROOT))]
    chosen = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))  # noqa: S311 a sample
    survivors, began = [], time.monotonic()
    sys.dont_write_bytecode = True  # a changed source of the same size and second would be taken for the one before
    processes = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as directory:
        copies = [Path(directory) / str(job) for job in range(arguments.jobs)]
        for copy in copies:
            copy_sources(copy)
        known = reach(copies[0])
        if run(copies[0], known.fastest(CONTROLS)):
            sys.exit("The tests fail without any change: run them by hand before mutants are judged by them.")
        verdicts: Verdicts = processes.SimpleQueue()
        for job, copy in enumerate(copies):
            processes.Process(target=judge, args=(chosen[job :: len(copies)], copy, known, verdicts)).start()
        for number in range(1, len(chosen) + 1):
            mutant, dead = verdicts.get()
            if not dead:
                survivors.append(mutant)
                print(f"survived  {mutant.path}:{mutant.line}  {mutant.before}  →  {mutant.after}", flush=True)
            if number % 10 == 0:
                print(f"{number} of {len(chosen)}", flush=True)
    killed_ones = len(chosen) - len(survivors)
    share = f"{killed_ones / len(chosen):.1%}"
    print(
        f"{killed_ones} of {len(chosen)} killed ({share}), of {len(every)} there are; {time.monotonic() - began:.0f} s"
    )
    return 0


def copy_sources(copy: Path) -> None:
    copy.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)


if __name__ == "__main__":
    sys.exit(main())
