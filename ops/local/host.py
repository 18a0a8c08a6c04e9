"""Folders, ports, and a way to run programs that reports why they failed."""

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
    """The local engine cannot start or lacks what was requested; the message says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def kept_port(state: Path | None, name: str) -> int:
    """A free port. With a state folder it is the same at every start, because stored URLs contain it."""
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
    """Runs a program of our virtual environment. Raises EngineError with the last lines of its output if it fails."""
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
