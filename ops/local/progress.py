"""Prints the steps of a long start."""

import time

from rich.console import Console

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
