"""`make run`: the whole system on this machine until Ctrl-C. State is kept between runs in .local/state."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from .engine import Engine
from .host import WORK, EngineError
from .welcome import welcome

STATE = WORK / "state"
console = Console(highlight=False)


class Steps:
    """Prints each step when the next begins, with the seconds it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._status = console.status("")
        self._step = ""

    def __call__(self, step: str) -> None:
        self.done()
        self._began, self._step = time.monotonic(), step
        self._status.update(f"{step} …")
        self._status.start()

    def done(self) -> None:
        self._status.stop()
        if self._step:
            console.print(f"[green]✓[/] {self._step} [dim]{time.monotonic() - self._began:.1f} s[/]")
        self._step = ""


def main(
    port: Annotated[int, typer.Option(help="Where the API listens, on loopback.")] = 8000,
    fresh: Annotated[bool, typer.Option(help="Forget the state of earlier runs.")] = False,
    enforce_policies: Annotated[
        bool, typer.Option(help="Hold every function to its IAM policies, as AWS does.")
    ] = False,
) -> None:
    """Starts everything, prints where it is, and waits for Ctrl-C."""
    if fresh:
        shutil.rmtree(STATE, ignore_errors=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    steps = Steps()
    try:
        with Engine.start(port=port, state=STATE, enforce_policies=enforce_policies, progress=steps) as engine:
            steps.done()
            welcome(engine, console)
            console.print("Ctrl-C stops it.")
            _wait_for_interrupt()
            console.print("\nStopping …")
    except EngineError as error:
        steps.done()
        console.print(f"[red]✗[/] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped before it was up.")
        sys.exit(130)


def _wait_for_interrupt() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    typer.run(main)
