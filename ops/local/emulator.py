"""The AWS services: one ministack process on loopback, in its own virtual environment; it ends when we end."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import botocore.session

from .host import LOOPBACK, WORK, EngineError, is_taken

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}

# Ministack's own main. It saves its state and ends as soon as our end of the pipe closes, even if we were killed.
_LAUNCHER = """
import os, signal, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
from ministack.app import main
sys.argv[1:] = []
main()
"""


class Emulator:
    """Ministack, listening on `port`.

    `state`: a folder to which it saves its data at a clean stop, or None to keep nothing.
    `enforce_policies`: checks every call against the caller's IAM policies, as AWS does.
    """

    def __init__(self, port: int, log: Path, *, state: Path | None = None, enforce_policies: bool = False) -> None:
        self.endpoint_url = f"http://{LOOPBACK}:{port}"
        self._session = botocore.session.Session()
        self._clients: dict[str, Any] = {}
        self._log = log
        if is_taken(port):
            raise EngineError(f"Port {port} of the AWS emulator is taken.")
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": os.environ.get("HOME", ""),
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "WARNING",
            "AUTH": "true" if enforce_policies else "false",
        }
        if state:
            state.mkdir(parents=True, exist_ok=True)
            environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(state)}
        python = WORK / "emulator" / "bin" / "python"
        if not python.exists():
            raise EngineError("The AWS emulator is not installed: run `make setup`.")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [python, "-c", _LAUNCHER],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_until_it_listens(port)

    def _wait_until_it_listens(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while not is_taken(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
                raise EngineError(f"The AWS emulator did not start:\n{tail}")
            time.sleep(0.02)

    @property
    def owner(self) -> dict[str, str]:
        """The environment variables with which a process calls it with the account owner's rights."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint_url}

    def client(self, service: str) -> Any:
        """A botocore client of the emulator, with the account owner's rights."""
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def stop(self) -> None:
        """Waits until the process has saved its state and ended; kills it after 15 seconds."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
