"""`make test`: runs the checks, prints one line for each, and the output of those that fail."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from .host import ROOT

console = Console(highlight=False)
# Without bytecode files, every test process compiles the tests and our modules anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    command: str
    where: Path = ROOT

    def run(self) -> bool:
        """Runs the command and prints one line; on failure, its output first. Returns whether it passed."""
        began = time.monotonic()
        done = subprocess.run(
            shlex.split(self.command),
            cwd=self.where,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
        seconds = f"[dim]{time.monotonic() - began:.1f} s[/]"
        if done.returncode:
            console.print(done.stdout, markup=False, soft_wrap=True)
            console.print(f"[red]✗ {self.name}[/] {seconds}")
            return False
        console.print(f"[green]✓[/] {self.name} {seconds} [dim]{_last_line(done.stdout)}[/]")
        return True


def _last_line(output: str) -> str:
    lines = [line.strip(" =") for line in output.splitlines() if line.strip(" =")]
    return lines[-1][:80].replace("[", "\\[") if lines else ""


# One more than the cores: tests spend a third of their time waiting, for timeouts above all.
PROCESSES = (os.cpu_count() or 1) + 1
# The lanes run in parallel.
LANES = [
    [
        Check("Tests", f"pytest -q -n {PROCESSES} --dist loadgroup -m 'not sweep'"),
    ],
    [
        Check("Lint", "ruff check ."),
        Check("Format", "ruff format --check ."),
        Check("Types", "mypy"),
        Check("Template", "sam validate --lint"),
        Check("Front end", "npm run --silent verify", ROOT / "frontend"),
    ],
]


def main() -> None:
    began = time.monotonic()
    with console.status("The tests take a few minutes …"), ThreadPoolExecutor(len(LANES)) as pool:
        results = list(pool.map(lambda lane: [(check.name, check.run()) for check in lane], LANES))
    failed = [name for lane in results for name, passed in lane if not passed]
    seconds = f"{time.monotonic() - began:.0f} s"
    if failed:
        console.print(f"\n[red]Failed:[/] {', '.join(failed)} [dim]({seconds})[/]")
        sys.exit(1)
    console.print(f"\n[green]All {sum(map(len, LANES))} checks passed[/] [dim]({seconds})[/]")


if __name__ == "__main__":
    main()
