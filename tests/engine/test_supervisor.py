"""A function that is stopped while it works: what was in flight ends, quietly, and nothing is started any more."""

import threading
from pathlib import Path
from typing import Any

from local.supervisor import Function, FunctionConfig
from local.worker import Invocation, Outcome


class Slow:
    """An environment that works until it is killed."""

    def __init__(self) -> None:
        self.began, self.killed = threading.Event(), threading.Event()

    @property
    def alive(self) -> bool:
        return not self.killed.is_set()

    def invoke(self, invocation: Invocation) -> Outcome:
        self.began.set()
        assert self.killed.wait(10)
        return Outcome.failure("Runtime.ExitError", "killed")

    def kill(self) -> None:
        self.killed.set()


def test_stopping_in_the_middle_of_an_invocation_fails_it_and_refuses_the_next(tmp_path: Path) -> None:
    spawned: list[Slow] = []

    def spawn(*_: object) -> Any:
        spawned.append(Slow())
        return spawned[-1]

    config = FunctionConfig("Echo", "echo", "arn", "echo.handler", "role", 3, 128, {}, tmp_path, ())
    function = Function(config, spawn, tmp_path / "echo.log")
    outcomes: list[Outcome] = []
    flying = threading.Thread(target=lambda: outcomes.append(function.invoke(b"{}", "first")))
    flying.start()
    while not spawned or not spawned[0].began.wait(0.01):
        pass
    function.stop()
    flying.join(10)
    outcomes.append(function.invoke(b"{}", "second"))
    assert [outcome.failed for outcome in outcomes] == [True, True]
    assert len(spawned) == 1
