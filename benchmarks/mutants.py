"""Mutation tests of the rules: `make mutants`, or `make mutants ARGS="--count 500 --seed 7"`; `--since COMMIT`: of the
lines that were changed since.

Each mutant is one change (another comparison, a number one higher, a negated condition …) in a copy of the repository.
It is killed if a test that reaches it fails or does not end. A survivor means a missing test, or an equivalent change.
"""

import argparse
import ast
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

# Imported once here for all child processes: libraries that tests need, but none of the mutated modules.
import boto3  # noqa: F401
import hypothesis  # noqa: F401
import moto.server  # noqa: F401
import pydantic  # noqa: F401
import pytest
import requests  # noqa: F401
import stripe  # noqa: F401

ROOT = Path(__file__).parents[1]
PACKAGE = Path("layers/billing/billing")
# The mutated code and the tests to run. For each mutant those run that reach its line, the fastest first.
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
# A mutant may loop or wait for ever: limits of a test in CPU seconds and in seconds.
CPU_SECONDS, SECONDS = 60, 600
# A mutant is tested for at most this many seconds of tests, so that the slowest tests may be left out.
TESTED_SECONDS = 90
# Removed from sys.path, so that a child imports the mutated copy and not the original.
_ORIGINALS = {"", *(str(ROOT / place) for place in ("", "layers/billing", "functions", "ops", "python/src", "tests"))}
# The number of fastest tests that must pass without a mutant before mutants are tested.
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
    """One changed expression: the source text before and after, between two offsets of the file."""

    path: Path
    line: int
    before: str
    after: str
    start: int
    end: int

    @property
    def last(self) -> int:
        """The last line of the expression."""
        return self.line + self.before.count("\n")


def changed(node: ast.expr) -> Iterator[ast.expr]:
    """The mutations of an expression."""
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
    """All nodes but annotations, decorators and the parts of f-strings, which have no exact position."""
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
    """Which tests reach which line, and how many seconds each takes; measured without mutants."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that reach the change, the fastest first.

        For code that runs on import: those that reach its module, and those that run no line of any, which can still
        look at what it defines.
        """
        lines = self.lines.get(str(mutant.path), {})
        reaching = {test for line in range(mutant.line, mutant.last + 1) for test in lines.get(str(line), ())}
        if reaching <= {""}:
            reaching = {test for tests in lines.values() for test in tests} | (self.seconds.keys() - self._reaching())
        chosen, left = [], float(TESTED_SECONDS)
        for test in sorted(reaching - {""}, key=self.seconds.__getitem__):
            left -= self.seconds[test]
            if left < 0:
                break
            chosen.append(test)
        return chosen

    def fastest(self, count: int) -> list[str]:
        return sorted(self._reaching(), key=self.seconds.__getitem__)[:count]

    def _reaching(self) -> set[str]:
        """The tests that reach any line that is changed."""
        return {test for lines in self.lines.values() for tests in lines.values() for test in tests} - {""}


def reach(copy: Path) -> Reach:
    """Runs the tests once in the copy. Without PYTHONPATH, which would point to the original."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"MUTATED": ":".join(map(str, MUTATED)), "REACHED": str(copy / "reached.json")}
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "benchmarks.reached", *QUIETLY]
    # Some tests need files that are not copied, such as the front end's modules; tests that fail here are not used.
    done = subprocess.run([*command, *TESTS], cwd=copy, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"The tests did not run:\n{done.stdout[-2000:]}")
    return Reach(**json.loads((copy / "reached.json").read_text()))


def killed(mutant: Mutant, copy: Path, reached: Reach) -> bool:
    target = copy / mutant.path
    source = target.read_bytes()
    tests = reached.tests(mutant)
    if not tests:
        return False
    target.write_bytes(source[: mutant.start] + mutant.after.encode() + source[mutant.end :])
    try:
        code = run(copy, tests)
    finally:
        target.write_bytes(source)
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        # The mutant may have broken an import. It counts as killed only if the tests run and pass without it.
        return run(copy, tests) == pytest.ExitCode.OK
    return code != pytest.ExitCode.OK


class Limits:
    """Kills the process if a test exceeds its time limits."""

    @staticmethod
    def pytest_runtest_logstart() -> None:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(SECONDS)


def run(copy: Path, tests: list[str]) -> int:
    """Runs tests in the copy and returns pytest's exit code, or a negative number if a test took too long (`Limits`).

    It forks this process, which has already imported the libraries.
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


def judge(chosen: Sequence[Mutant], copy: Path, reached: Reach, verdicts: Verdicts) -> None:
    for mutant in chosen:
        verdicts.put((mutant, killed(mutant, copy, reached)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--since", default="", metavar="COMMIT", help="only in lines that were changed since")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tested at once")
    arguments = parser.parse_args()
    paths = [p for place in MUTATED for p in ((ROOT / place).rglob("*.py") if place.suffix == "" else [ROOT / place])]
    every = [mutant for path in sorted(paths) for mutant in mutants(path.relative_to(ROOT))]
    if arguments.since:
        new = changed_lines(arguments.since)
        every = [m for m in every if not new[str(m.path)].isdisjoint(range(m.line, m.last + 1))]
    chosen = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))  # noqa: S311 a sample
    survivors, began = [], time.monotonic()
    # Bytecode is matched by the source's size and second, so it could hide a mutant.
    sys.dont_write_bytecode = True
    processes = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as directory:
        copies = [Path(directory) / str(job) for job in range(arguments.jobs)]
        for copy in copies:
            copy_sources(copy)
        reached = reach(copies[0])
        if run(copies[0], reached.fastest(CONTROLS)):
            sys.exit("The tests fail without a mutant: run them by hand and fix them first.")
        verdicts: Verdicts = processes.SimpleQueue()
        for job, copy in enumerate(copies):
            processes.Process(target=judge, args=(chosen[job :: len(copies)], copy, reached, verdicts)).start()
        for number in range(1, len(chosen) + 1):
            mutant, dead = verdicts.get()
            if not dead:
                survivors.append(mutant)
                print(f"survived  {mutant.path}:{mutant.line}  {mutant.before}  →  {mutant.after}", flush=True)
            if number % 10 == 0:
                print(f"{number} of {len(chosen)}", flush=True)
    killed_ones = len(chosen) - len(survivors)
    share = f"{killed_ones / len(chosen):.1%}"
    print(f"{killed_ones} of {len(chosen)} killed ({share}), {len(every)} possible; {time.monotonic() - began:.0f} s")
    return 0


def changed_lines(commit: str) -> Mapping[str, set[int]]:
    """The numbers of the lines, by file, that are new since a commit."""
    command = ["git", "diff", "--unified=0", "--no-color", commit, "--", *map(str, MUTATED)]
    found: defaultdict[str, set[int]] = defaultdict(set)
    path = ""
    for line in subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ \S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found[path] |= {*range(first, first + count)}
    return found


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
