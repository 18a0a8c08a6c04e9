"""A function that is stopped while it works: what was in flight ends, quietly, and nothing is started any more."""

import threading
from pathlib import Path
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.engine import Engine
from local.supervisor import Function, FunctionConfig, Supervisor
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


def test_a_function_at_rest_is_started_by_no_trigger(tmp_path: Path) -> None:
    asked: list[str] = []
    supervisor = Supervisor("http://127.0.0.1:1", lambda role, session: {"asked": asked.append(role) or ""}, tmp_path)
    supervisor.load([FunctionConfig("Echo", "echo", "arn", "echo.handler", "role", 3, 128, {}, tmp_path, ())])
    supervisor.resting = frozenset({"Echo"})
    answer = supervisor.answer(Request(EnvironBuilder(path="/echo", method="POST", data=b"{}").get_environ()))
    supervisor.stop()
    assert (answer.status_code, answer.get_data()) == (200, b"null")
    assert asked == []


def test_what_runs_by_the_clock_rests_while_the_shop_lives_at_another_time(engine: Engine) -> None:
    with engine.without_schedules():
        assert engine._supervisor.resting == {
            *("PollCryptoInvoicesFunction", "SendRenewalRemindersFunction", "BookLapsedTermsFunction"),
            *(
                "ReconcileFunction",
                "MoveSubscribersFunction",
                "FinishErasuresFunction",
                *("WatchHostEventsFunction", "RenewByWalletFunction", "SendMessagesFunction"),
            ),
        }
    assert not engine._supervisor.resting
