"""The example host in production mode, with a shop whose buyers return to it, and the model that costs it money."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from demo.shop import ADMIN, Shop, open_shop
from fakes.base import Answer, App, Request, Server
from local.engine import Engine
from tests.browser.built import FRONTEND, build_packages, run

SOURCE = FRONTEND / "examples" / "next-host"
TOKEN_SECONDS = 6
# Of a host that is told of changes: what closes sooner was closed by what it was told.
LONG_TOKEN_SECONDS = 60
# The API's address is built into the pages: this one, which the browser finds wherever the shop happens to be.
API = "http://billing.example"


class Model(App):
    """The expensive function behind the host, and how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def handle(self, request: Request) -> Answer:
        self.calls += 1
        return Answer(200, b"You spent 0.0042 BTC.", {})


@dataclass(frozen=True, slots=True)
class Host:
    url: str
    shop: Shop
    model: Model

    @property
    def resolver(self) -> str:
        """Chromium's flag by which the pages find the API."""
        return f"--host-resolver-rules=MAP {API.removeprefix('http://')}:80 {self.shop.url.removeprefix('http://')}"

    @property
    def engine(self) -> Engine:
        return self.shop.engine


@contextmanager
def open_host() -> Iterator[Host]:
    _build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    parameters = {"EntitlementTokenSeconds": str(LONG_TOKEN_SECONDS), "PublicUrl": API, "PortalUrl": url}
    model = Model()
    with open_shop(enforce_policies=True, parameters=parameters) as shop, Server(model):
        server = _serve(port, shop.url, model.url, _endpoint(shop, url)["secret"])
        try:
            wait_for(f"{url}/api/billing/session")
            yield Host(url, shop, model)
        finally:
            server.terminate()
            server.wait(timeout=20)


def _endpoint(shop: Shop, url: str) -> dict[str, str]:
    """Where the host is told what happens; it chose what changes access, as most hosts will."""
    body = {"url": f"{url}/api/billing/events", "event_types": ["EntitlementsChanged"]}
    answer = shop.call("POST", "/admin/endpoints", body, user=ADMIN, admin=True)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def _serve(port: int, api: str, model: str, secret: str) -> "subprocess.Popen[bytes]":
    """The production server, which knows the billing API's address, and the secret by which it is told of changes."""
    environment = {
        **os.environ,
        "BILLING_API_URL": api,
        "BILLING_EVENTS_SECRET": secret,
        "AI_URL": model,
        "BILLING_INSECURE_COOKIES": "1",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    command = ["node", FRONTEND / "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(port)]
    return subprocess.Popen(command, cwd=SOURCE, env=environment, stdout=subprocess.DEVNULL)


def _build() -> None:
    """Builds the packages and the host, unless they are newer than their sources."""
    built, routes = SOURCE / ".next" / "BUILD_ID", SOURCE / ".next" / "routes-manifest.json"
    sources = [path for name in ("app", "lib", "public") for path in (SOURCE / name).rglob("*.*")]
    newest = max(build_packages(), *(path.stat().st_mtime for path in [*sources, SOURCE / "next.config.ts"]))
    if built.exists() and built.stat().st_mtime > newest and API in routes.read_text():
        return
    run(FRONTEND, "npm", "run", "build:host", "-w", "@bitsleuth/example-next-host", NEXT_PUBLIC_BILLING_API_URL=API)


def packed(package: str) -> set[str]:
    """The files that `npm pack` would publish."""
    listed = json.loads(run(FRONTEND, "npm", "pack", "--dry-run", "--json", "--silent", "-w", f"packages/{package}"))
    return {file["path"] for file in listed[0]["files"]}


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=30).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    pytest.fail(f"nothing answers at {url}")
