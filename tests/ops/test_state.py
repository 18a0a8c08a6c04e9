"""What `make run` keeps between runs outlives a start that fails."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import demo.run
from local.engine import Engine
from local.host import LOOPBACK, EngineError


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of an earlier run."""
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "tables").write_text("kept")
    return tmp_path


@pytest.fixture
def running(state: Path) -> Iterator[Path]:
    """The state of a run that goes on in another terminal."""
    with socket.create_server((LOOPBACK, 0)) as emulator:
        (state / "emulator-port").write_text(str(emulator.getsockname()[1]))
        yield state


def kept(state: Path) -> bool:
    return (state / "aws" / "tables").exists()


def test_a_second_start_leaves_the_first_ones_state_alone(running: Path) -> None:
    for _ in range(2):
        with pytest.raises(EngineError, match="running in another terminal"):
            Engine.start(state=running)
        assert kept(running)


def test_what_another_terminal_uses_is_not_deleted(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.run, "STATE", running)
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    with pytest.raises(SystemExit):
        demo.run.main(fresh=True)
    assert kept(running)


@pytest.mark.engine
@pytest.mark.parametrize("step", ["Starting the AWS emulator", "Building with sam build"])
def test_a_start_that_is_stopped_before_the_deployment_loses_nothing(state: Path, step: str) -> None:
    def progress(begun: str) -> None:
        if begun == step:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Engine.start(state=state, progress=progress)
        assert kept(state)
