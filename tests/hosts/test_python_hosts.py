"""Hosts in Python, each in a process of its own with the package alone; and a token checked by openssl."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from billing.identity.tokens import Signer, generate_key_set
from bitsleuth_billing_gate import Caller, Gate, Refusal, Use

PYTHON = Path(__file__).parents[2] / "python"
SESSION = "session-1"
KEYS = generate_key_set("k1")
SIGNER = Signer({"bitsleuth-billing": KEYS}, "bitsleuth-billing")
JWKS = SIGNER.jwks()
PAYWALL = {"code": "feature_locked", "scenario": "expired", "status": 402, "offers": [{"plan_id": "pro-month"}]}
LOCKED_FIELDS = {"type", "title", "status", "code", "detail", "feature", "scenario", "offers", "sources", "upgrade_url"}


def token(features: dict[str, Any], *, life: int = 300, now: int | None = None, signer: Signer = SIGNER) -> str:
    began = int(time.time()) if now is None else now
    return signer.sign_entitlements("usr_1", "pro", features, 1, began, began + life)


class Api:
    """The billing API on loopback: `features` are what the session has; `state` is up or garbled."""

    def __init__(self) -> None:
        self.features: dict[str, Any] = {}
        self.state = "up"
        self.asked: list[str] = []
        self.used: list[dict[str, Any]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                api.asked.append(f"{self.command} {self.path}")
                status, said = api.say(self.path, self.headers.get("authorization"), json.loads(body or b"{}"))
                content = b"<html>" if api.state == "garbled" else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def say(self, path: str, authorization: str | None, body: dict[str, Any]) -> tuple[int, object]:
        if path == "/.well-known/jwks.json":
            return 200, JWKS
        if authorization != f"Bearer {SESSION}":
            return 401, {"code": "not_authenticated"}
        if path == "/billing/entitlements":
            return 200, {"token": token(self.features)}
        if path == "/billing/usage":
            self.used.append(body)
            if body["action"] == "reserve" and not self.features.get(body["feature"]):
                return 402, PAYWALL
            return 200, {"reservation_id": "rsv_1"}
        return (200, {}) if self.features.get(path.rsplit("/", 1)[1]) else (402, PAYWALL)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def host(kind: str, api_url: str, **environment: str) -> Iterator[str]:
    port = free_port()
    command = {
        "fastapi": ["-m", "uvicorn", "fastapi_host:app", "--port", str(port), "--log-level", "warning"],
        "wsgi": ["wsgi_host.py", str(port)],
    }[kind]
    # Nothing of this repository but the package: what it needs, it has to bring.
    alone = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PYTHON / "src"), "BILLING_API_URL": api_url, **environment}
    process = subprocess.Popen(
        [sys.executable, *command], cwd=PYTHON / "examples", env=alone, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def post(url: str, **headers: str) -> requests.Response:
    return requests.post(url, headers=headers, timeout=20)


BEARER = {"authorization": f"Bearer {SESSION}"}


@pytest.mark.parametrize("kind", ["fastapi", "wsgi"])
def test_a_host_refuses_opens_and_says_when_it_cannot_know(kind: str, api: Api) -> None:
    with host(kind, api.url) as url:
        stranger = post(f"{url}/report")
        assert (stranger.status_code, stranger.headers["content-type"]) == (402, "application/problem+json")
        assert stranger.json().keys() == LOCKED_FIELDS
        assert api.asked == []
        refused = post(f"{url}/report", **BEARER)
        assert (refused.status_code, refused.json()) == (402, PAYWALL)
        api.features = {"tax.enhanced": True}
        assert post(f"{url}/report", **BEARER).status_code == 200
        before = len(api.asked)
        assert post(f"{url}/report", **BEARER).status_code == 200
        assert len(api.asked) == before, "a yes costs no call"
        cookies = f"__Host-bitsleuth_session=other; __Host-bitsleuth_entitlements={token({'tax.enhanced': True})}"
        assert post(f"{url}/report", cookie=cookies).status_code == 200
        api.state = "garbled"
        unknown = post(f"{url}/report", authorization="Bearer other")
        assert (unknown.status_code, unknown.json()["code"]) == (503, "billing_unavailable")


def test_a_host_that_was_given_the_keys_needs_no_network_for_a_yes() -> None:
    with host("fastapi", "http://127.0.0.1:9", BILLING_KEYS=json.dumps(JWKS)) as url:
        cookies = f"bitsleuth_entitlements={token({'tax.enhanced': True})}"
        assert post(f"{url}/report", cookie=cookies).status_code == 200
        assert post(f"{url}/report", **BEARER).status_code == 503


def test_a_metered_endpoint_holds_and_settles(api: Api) -> None:
    api.features = {"ai.chat": {"limit": 5, "remaining": 5}}
    with host("fastapi", api.url) as url:
        assert post(f"{url}/chat", **BEARER).status_code == 200
        deadline = time.monotonic() + 10
        while len(api.used) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [used["action"] for used in api.used] == ["reserve", "settle"]


def test_the_package_brings_nothing_of_aws() -> None:
    script = "import sys, bitsleuth_billing_gate.asgi, bitsleuth_billing_gate.wsgi; print(*sys.modules)"
    alone = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PYTHON / "src")}
    done = subprocess.run([sys.executable, "-c", script], env=alone, capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in done.stdout.split()} & {
        "boto3",
        "botocore",
        "billing",
        "aws_xray_sdk",
    } == set()


class Clock:
    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


def status(verdict: Use | Refusal) -> int:
    return verdict.status if isinstance(verdict, Refusal) else 200


def test_an_api_that_is_away_is_waited_for_once_and_then_tried_by_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        silent.listen()
        clock = Clock()
        gate = Gate(f"http://127.0.0.1:{silent.getsockname()[1]}", keys=JWKS, now=clock)
        began = time.monotonic()
        answers = [status(gate.decide("tax.enhanced", Caller(SESSION))) for _ in range(5)]
        assert answers == [503] * 5
        assert time.monotonic() - began < 2 * 3


def test_keys_that_were_never_read_make_no_token_a_bad_one(api: Api) -> None:
    clock = Clock()
    api.state = "garbled"
    gate = Gate(api.url, now=clock)
    held = Caller(token=token({"tax.enhanced": True}))
    assert [status(gate.decide("tax.enhanced", held)) for _ in range(2)] == [503, 503]
    api.state = "up"
    clock.now += 10
    assert status(gate.decide("tax.enhanced", held)) == 200


def other_key() -> str:
    return token(
        {"tax.enhanced": True}, signer=Signer({"bitsleuth-billing": generate_key_set("k1")}, "bitsleuth-billing")
    )


def session_token() -> str:
    return SIGNER.sign_session("usr_1", False, int(time.time()), 300)


@pytest.mark.parametrize(
    "made",
    [
        other_key,
        session_token,
        lambda: token({"tax.enhanced": True}, life=-1, now=int(time.time()) - 10),
        lambda: token({"tax.enhanced": True}, now=int(time.time()) + 60),
        lambda: token({"tax.enhanced": False}),
        lambda: token({"ai.chat": True}),
        lambda: "a.b.c",
    ],
    ids=["another key", "another kind", "ended", "not yet", "not given", "another feature", "no token"],
)
def test_a_token_that_does_not_open(api: Api, made: Callable[[], str]) -> None:
    held = made()
    assert status(Gate(api.url, keys=JWKS).decide("tax.enhanced", Caller(token=held))) == 402
    assert verified(held, "tax.enhanced", api) != "open"


def verified(held: str, feature: str, api: Api) -> str:
    """What the script of openssl and jq makes of a token."""
    keys = Path(os.environ.get("TMPDIR", "/tmp")) / f"keys-{os.getpid()}.json"  # noqa: S108  a public key set
    keys.write_text(json.dumps(JWKS))
    script = PYTHON / "examples" / "verify.sh"
    done = subprocess.run([script, feature, keys], input=held, capture_output=True, text=True, check=False)
    keys.unlink()
    return done.stdout.strip()


def test_openssl_agrees(api: Api) -> None:
    features = {"tax.enhanced": True, "ai.chat": {"limit": 5, "remaining": 0}, "wallets.max": 5, "off": False}
    for _ in range(8):  # r and s differ in length each time
        held = token(features)
        answers = {feature: verified(held, feature, api) for feature in [*features, "other"]}
        assert answers == {
            "tax.enhanced": "open",
            "ai.chat": "locked",
            "wallets.max": "open",
            "off": "locked",
            "other": "locked",
        }
