"""What the engine needs of this machine: folders, ports, and programs that say why they failed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".local"
LOOPBACK = "127.0.0.1"


class EngineError(Exception):
    """The local engine cannot start or was asked for something it does not have; the message says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def kept_port(state: Path | None, name: str) -> int:
    """A free port; with a state folder the same one at every start, because addresses with it are part of the state."""
    if state is None:
        return free_port()
    memory = state / f"{name}-port"
    if not memory.exists():
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(str(free_port()))
    return int(memory.read_text())


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def run(command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str]) -> None:
    """Runs a program of our virtual environment. Raises EngineError with the end of its output when it fails."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, **environment, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [tools / command[0], *command[1:]],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EngineError(f"{' '.join(map(str, command[:2]))} failed:\n" + "\n".join(done.stdout.splitlines()[-30:]))
