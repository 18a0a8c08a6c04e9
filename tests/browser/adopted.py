"""A host as `create-next-app` makes it, in a folder of its own, to which docs/adopt.md is applied."""

import difflib
import gzip
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

import requests

from tests.browser.built import FRONTEND, ROOT, build_packages, run
from tests.browser.host import wait_for

FRESH = Path(__file__).parent / "fresh_host"
PAGE = ROOT / "docs" / "adopt.md"


def blocks() -> dict[str, str]:
    """The files that the page shows, by their paths."""
    return dict(re.findall(r"^```tsx? (\S+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def added_lines() -> int:
    """What the page adds to a fresh host; lines that are only moved in count too."""
    count = 0
    for path, text in blocks().items():
        before = (FRESH / path).read_text().splitlines() if (FRESH / path).exists() else []
        changes = difflib.unified_diff(before, text.splitlines(), n=0, lineterm="")
        count += sum(line.startswith("+") and not line.startswith("+++") for line in changes)
    return count


def packages(out: Path) -> list[Path]:
    """The tarballs, as `make packages` makes them."""
    build_packages()
    run(FRONTEND, "node", "scripts/packages.mjs", str(out))
    return [next(out.glob(f"bitsleuth-{name}-*.tgz")) for name in ("entitlements", "billing-react")]


def fresh(folder: Path, tarballs: list[Path]) -> Path:
    """A new host with our packages: those of other makers are taken from here, so that no network is needed.

    npm really installs: whatever the packages ask for has to be there, and nothing that nobody asks for stays. Only
    peers are not looked up (that needs the registry): they are looked at afterwards.
    """
    shutil.copytree(FRESH, folder)
    _copy_modules(FRONTEND / "node_modules", folder / "node_modules")
    run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", *map(str, tarballs))
    run(folder, "npm", "ls")
    return folder


def adopt(host: Path) -> None:
    """Does what the page says."""
    for path, text in blocks().items():
        (host / path).parent.mkdir(parents=True, exist_ok=True)
        (host / path).write_text(text)


def build(host: Path, **environment: str) -> None:
    run(host, "node_modules/.bin/next", "build", **environment)


def weight(url: str) -> tuple[int, int]:
    """Bytes of script and of style that a page loads, compressed."""
    page = requests.get(url, timeout=10).text
    scripts, styles = (set(re.findall(rf"/_next/static/[\w./~-]+\.{kind}", page)) for kind in ("js", "css"))
    return _compressed(url, scripts), _compressed(url, styles)


def _compressed(url: str, paths: set[str]) -> int:
    return sum(len(gzip.compress(requests.get(urljoin(url, path), timeout=10).content)) for path in paths)


@contextmanager
def serve(host: Path, url: str, api: str, model: str) -> Iterator[None]:
    """The production server of a host, a new process each time."""
    environment = {
        "BILLING_API_URL": api,
        "AI_URL": model,
        "BILLING_INSECURE_COOKIES": "1",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    command = ["node", "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", url.rsplit(":", 1)[1]]
    server = subprocess.Popen(command, cwd=host, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"{url}/about")
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)


class Line:
    """The way to a server, which can be cut (`away`) or go silent (`hanging`), in the middle of what is open too."""

    def __init__(self, target: str) -> None:
        host, port = target.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self.state = "up"
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def be(self, state: str) -> None:
        self.state = state
        if state != "hanging":
            # What was silent has long been given up by whoever waited.
            for connection in tuple(self._open):
                self._end(connection)

    def close(self) -> None:
        self._listener.close()
        self.be("away")

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.state == "away":
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                while self.state == "hanging":
                    time.sleep(0.05)
                sink.sendall(data)
        except OSError:
            pass  # ended below, like one that was closed
        self._end(source)
        self._end(sink)

    def _end(self, connection: socket.socket) -> None:
        self._open.discard(connection)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _copy_modules(source: Path, target: Path) -> None:
    ours = ("@bitsleuth", ".cache", ".vite", ".package-lock.json", ".bin")
    shutil.copytree(source, target, copy_function=_link, symlinks=True, ignore=shutil.ignore_patterns(*ours))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
