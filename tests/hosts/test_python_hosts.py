"""Hosts in Python, each in a process of its own with the package alone; and a token checked by openssl."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests
import starlette.requests
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.responses import Response, StreamingResponse

from billing.identity.tokens import Signer, generate_key_set
from billing.rules.host_signatures import headers_of, secret_of
from bitsleuth_billing_gate import Caller, Event, Gate, Receiver, Refusal, Use, asgi
from bitsleuth_billing_gate.tokens import Verifier
from fakes.base import Answer, App, Request, Server, html_answer, json_answer, redirect

PYTHON = Path(__file__).parents[2] / "python"
SESSION = "session-1"
KEYS = generate_key_set("k1")
SIGNER = Signer({"bitsleuth-billing": KEYS}, "bitsleuth-billing")
JWKS = SIGNER.jwks()
PAYWALL = {"code": "feature_locked", "scenario": "expired", "status": 402, "offers": [{"plan_id": "pro-month"}]}
LOCKED_FIELDS = {"type", "title", "status", "code", "detail", "feature", "scenario", "offers", "sources", "upgrade_url"}


def token(
    features: dict[str, Any], *, life: int = 300, now: int | None = None, signer: Signer = SIGNER, version: int = 1
) -> str:
    began = int(time.time()) if now is None else now
    return signer.sign_entitlements("usr_1", "pro", features, version, began, began + life)


class Api(App):
    """The billing API on loopback: `features` are what the session has; `state` is up or garbled."""

    def __init__(self) -> None:
        super().__init__()
        self.features: dict[str, Any] = {}
        self.version = 1
        self.state = "up"
        self.expired = False
        self.asked: list[str] = []
        self.used: list[dict[str, Any]] = []

    def handle(self, request: Request) -> Answer:
        self.asked.append(f"{request.method} {request.target}")
        status, document = self.say(request.target, request.headers.get("authorization"), request.json)
        return html_answer("<html>", status) if self.state == "garbled" else json_answer(document, status)

    def say(self, path: str, authorization: str | None, body: dict[str, Any]) -> tuple[int, object]:
        if path == "/.well-known/jwks.json":
            return 200, JWKS
        if authorization != f"Bearer {SESSION}":
            return 401, {"code": "not_authenticated"}
        if path == "/billing/entitlements":
            return 200, {"token": token(self.features, version=self.version)}
        if path == "/billing/usage":
            if self.expired and body["action"] in ("settle", "release"):
                return 404, {"code": "not_found"}
            self.used.append(body)
            if body["action"] == "reserve" and not self.features.get(body["feature"]):
                return 402, PAYWALL
            return 200, {"reservation_id": "rsv_1"}
        return (200, {}) if self.features.get(urlsplit(path).path.rsplit("/", 1)[1]) else (402, PAYWALL)


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()
    with Server(served):
        yield served


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


@pytest.mark.parametrize(
    "others",
    [
        'prefs={"a":1}',
        "novalue",
        "path=/x",
        "expires=soon",
        "a=b c",
        "a[b]=c",
        'q="open',
        "name=Jos\xe9",
        "theme=light,dark",
    ],
)
def test_whatever_other_cookies_there_are_ours_is_read(others: str) -> None:
    ours = "__Host-bitsleuth_session=s; __Host-bitsleuth_entitlements=t"
    assert Caller.of(None, f"{others}; {ours}") == Caller.of(None, f"{ours};{others}") == Caller("s", "t")


def test_a_cookie_without_the_prefix_counts_only_where_there_is_none_with_it() -> None:
    planted = "bitsleuth_session=planted"
    assert Caller.of(None, f"{planted}; __Host-bitsleuth_session=s; {planted}") == Caller("s")
    assert Caller.of(None, "bitsleuth_session=s") == Caller("s")
    assert Caller.of(None, "bitsleuth") == Caller.of(None, None) == Caller()


def test_a_session_of_another_issuer_is_read_as_a_host_in_python_set_it() -> None:
    answer = Response()
    answer.set_cookie("bitsleuth_session", "a+b/c==")  # in quotes, for its "/" and "="
    assert Caller.of(None, answer.headers["set-cookie"].partition(";")[0]) == Caller("a+b/c==")


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


def test_what_was_given_for_longer_than_its_reservation_was_held_is_taken(api: Api) -> None:
    api.features, api.expired = {"ai.chat": {"limit": 5, "remaining": 5}}, True
    gate = Gate(api.url, keys=JWKS)
    for good in (True, False):
        use = gate.decide("ai.chat", Caller(SESSION), meter=True)
        assert isinstance(use, Use)
        use.end(good)
    gate._afterwards.shutdown()
    assert sorted(used["action"] for used in api.used) == ["consume", "reserve", "reserve"]


class Counted(Gate):
    """Lets everybody in, and keeps how each use ended."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.ended: list[bool] = []

    def decide(self, *_: Any, **__: Any) -> Use:
        return Use(self.ended.append)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: on this one Playwright's loop may run."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_a_metered_stream_is_judged_when_it_has_ended() -> None:
    async def words(fault: bool) -> AsyncIterator[bytes]:
        yield b"0.0042"
        if fault:
            raise ConnectionError("the model hung up")
        yield b" BTC"

    class Events(Response):
        """As the `EventSourceResponse` of sse-starlette, which is no `StreamingResponse`."""

        def __init__(self, parts: AsyncIterator[bytes]) -> None:
            super().__init__()
            self.body_iterator = parts

    async def heard(fault: bool, most: int = 9, kind: type[Response] = StreamingResponse) -> list[bool]:
        gate = Counted()

        async def chat(request: starlette.requests.Request) -> Response:
            return kind(words(fault))

        answer = await asgi.requires_feature(gate, "ai.chat", meter=True)(chat)(
            starlette.requests.Request({"type": "http", "headers": []})
        )
        assert gate.ended == []
        parts = cast(AsyncGenerator[bytes], answer.body_iterator)
        with suppress(ConnectionError):
            for _ in range(most):
                if await anext(parts, None) is None:
                    break
        await parts.aclose()
        return gate.ended

    assert run(heard(fault=False)) == [True]
    assert run(heard(fault=True)) == run(heard(fault=True, kind=Events)) == [False]
    assert run(heard(fault=True, most=1)) == [True], "who stops listening has used it"


def test_an_endpoint_that_does_not_take_the_request_is_told_so() -> None:
    with pytest.raises(TypeError, match="has to take the Request"):
        run(asgi.requires_feature(Counted(), "ai.chat")(lambda: None)())


def test_an_endpoint_that_yields_is_told_so_when_it_is_defined() -> None:
    async def words(request: starlette.requests.Request) -> AsyncIterator[str]:
        yield "0.0042"

    def numbers(request: starlette.requests.Request) -> Iterator[int]:
        yield 1

    for endpoint in (words, numbers):
        with pytest.raises(TypeError, match="has to return a StreamingResponse"):
            asgi.requires_feature(Counted(), "ai.chat")(endpoint)


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


def test_a_session_is_not_sent_on_to_where_somebody_redirects(api: Api) -> None:
    class Elsewhere(App):
        def handle(self, request: Request) -> Answer:
            return redirect(f"{api.url}{request.target}")

    with Server(Elsewhere()) as server:
        gate = Gate(server.url, keys=JWKS)
        assert status(gate.decide("tax.enhanced", Caller(SESSION))) == 503
    assert api.asked == []


def test_keys_that_were_never_read_make_no_token_a_bad_one(api: Api) -> None:
    clock = Clock()
    api.state = "garbled"
    gate = Gate(api.url, now=clock)
    held = Caller(token=token({"tax.enhanced": True}))
    assert [status(gate.decide("tax.enhanced", held)) for _ in range(2)] == [503, 503]
    api.state = "up"
    clock.now += 10
    assert status(gate.decide("tax.enhanced", held)) == 200


def test_a_key_that_is_taken_away_takes_with_it_what_was_verified_with_it(api: Api) -> None:
    clock, published = Clock(), [JWKS]
    names = {"published": None, "issuer": "bitsleuth-billing", "audience": "bitsleuth-analyzer"}
    verifier = Verifier(lambda: published[0], clock, **names)  # type: ignore[arg-type]
    forged = token({"tax.enhanced": True}, life=10**8)
    assert verifier.claims(forged)
    published[0] = Signer({"bitsleuth-billing": generate_key_set("k2")}, "bitsleuth-billing").jwks()
    clock.now += 301
    deadline = time.monotonic() + 10
    while verifier.claims(forged):  # the set is read beside it
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_must_not_wait_looks_no_key_up(api: Api) -> None:
    gate, caller = Gate(api.url), Caller(token=token({"tax.enhanced": True}))
    assert not gate.opens_from_memory("tax.enhanced", caller)
    assert api.asked == []
    assert status(gate.decide("tax.enhanced", caller)) == 200
    assert gate.opens_from_memory("tax.enhanced", caller)


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
    held = token(features)
    answers = {feature: verified(held, feature, api) for feature in [*features, "other"]}
    assert answers == {
        "tax.enhanced": "open",
        "ai.chat": "locked",
        "wallets.max": "open",
        "off": "locked",
        "other": "locked",
    }
    for _ in range(8):  # r and s differ in length each time
        assert verified(token(features), "tax.enhanced", api) == "open"


# --- told at once -----------------------------------------------------------------------------------------------------

SECRET = secret_of("the-stacks-own-key", "ep_1", "a")


def signed_event(version: int, *, event_id: str = "", type_: str = "EntitlementsChanged", by: str = SECRET) -> Any:
    body = json.dumps(
        {"type": type_, "timestamp": "2026-11-28T21:00:00Z", "data": {"user_id": "usr_1", "account_version": version}}
    ).encode()
    return headers_of([by], event_id or f"evt_{version}", body, int(time.time())), body


@pytest.mark.parametrize("kind", ["fastapi", "wsgi"])
def test_a_host_that_is_told_closes_with_the_next_call(kind: str, api: Api) -> None:
    with host(kind, api.url, BILLING_EVENTS_SECRET=SECRET) as url:
        cookies = f"bitsleuth_session={SESSION}; bitsleuth_entitlements={token({'tax.enhanced': True})}"
        assert post(f"{url}/report", cookie=cookies).status_code == 200
        api.version = 2
        headers, body = signed_event(2)
        forged = requests.post(f"{url}/billing/events", data=body + b" ", headers=headers, timeout=20)
        assert forged.status_code == 401
        assert post(f"{url}/report", cookie=cookies).status_code == 200, "nobody else can close it"
        for _ in range(2):
            assert requests.post(f"{url}/billing/events", data=body, headers=headers, timeout=20).status_code == 200
        assert post(f"{url}/report", cookie=cookies).status_code == 402
        assert api.asked[-1] == "GET /billing/entitlements/tax.enhanced?fresh=true"
        huge = requests.post(f"{url}/billing/events", data=b"x" * 70_000, headers=headers, timeout=20)
        assert huge.status_code == 413


def test_what_stayed_opens_with_the_fresh_token_and_costs_one_call(api: Api) -> None:
    gate = Gate(api.url, keys=JWKS)
    caller = Caller(SESSION, token({"tax.enhanced": True}))
    api.features, api.version = {"tax.enhanced": True}, 5
    gate.changed("usr_1", 5)
    gate.changed("usr_1", 4)
    assert [status(gate.decide("tax.enhanced", caller)) for _ in range(3)] == [200] * 3
    assert api.asked.count("GET /billing/entitlements") == 1


def test_an_event_is_handled_once_and_again_only_when_that_failed() -> None:
    handled: list[str] = []

    def handle(event: Event) -> None:
        handled.append(event.event_id)
        if len(handled) == 1:
            raise OSError("the database is away")

    receiver = Receiver([SECRET], handle)
    headers, body = signed_event(3)
    with pytest.raises(OSError, match="away"):
        receiver.receive(headers, body)
    assert [receiver.receive(headers, body) for _ in range(3)] == [200] * 3
    assert handled == ["evt_3", "evt_3"]


def test_the_receivers_judge_as_the_specifications_library_does() -> None:
    headers, body = signed_event(1)
    strange, _ = signed_event(1, by=secret_of("another", "ep_1", "a"))
    late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    for given, good in ((headers, True), (strange, False), (late, False), ({}, False)):
        try:
            Webhook(SECRET).verify(body, dict(given))
            theirs = True
        except WebhookVerificationError:
            theirs = False
        assert theirs is good
        assert (Receiver([SECRET], lambda event: None).receive(given, body) == 200) is good


def test_without_a_secret_nothing_is_received() -> None:
    with pytest.raises(ValueError, match="secret"):
        Receiver([], lambda event: None)
    with pytest.raises(ValueError, match="whsec_"):
        Receiver(["hunter2"], lambda event: None).receive(*signed_event(1))


def test_what_one_process_hears_closes_in_another_where_they_share_what_changed(api: Api) -> None:
    class Shared:
        """Stands for a store that all processes read."""

        def __init__(self) -> None:
            self.versions: dict[str, int] = {}
            self.ids: set[str] = set()

        def version_of(self, user_id: str) -> int | None:
            return self.versions.get(user_id)

        def note(self, user_id: str, version: int) -> None:
            self.versions[user_id] = max(version, self.versions.get(user_id, 0))

        def has(self, event_id: str) -> bool:
            return event_id in self.ids

        def add(self, event_id: str) -> None:
            self.ids.add(event_id)

    shared = Shared()
    old = Caller(SESSION, token({"ai.chat": True}, version=1))
    heard: list[str] = []
    one, two = (Gate(api.url, changes=shared) for _ in range(2))
    alone = Gate(api.url)
    receivers = [
        gate.receiver([SECRET], lambda event: heard.append(event.event_id), handled=shared) for gate in (one, two)
    ]
    assert all(isinstance(gate.decide("ai.chat", old), Use) for gate in (one, two, alone))

    api.version = 2  # of which the feature is no part
    assert [receiver.receive(*signed_event(2)) for receiver in receivers] == [200, 200]
    assert heard == ["evt_2"]
    assert all(isinstance(gate.decide("ai.chat", old), Refusal) for gate in (one, two))
    assert not one.opens_from_memory("ai.chat", Caller(SESSION, token({"ai.chat": True}, version=2)))
    # One that was not told believes its token to the end.
    assert isinstance(alone.decide("ai.chat", old), Use)
    assert alone.opens_from_memory("ai.chat", old)


def test_changes_of_a_host_that_answer_at_once_are_asked_without_a_thread(api: Api) -> None:
    class AtHand(dict[str, int]):
        answers_at_once = True

        def version_of(self, user_id: str) -> int | None:
            return self.get(user_id)

        def note(self, user_id: str, version: int) -> None:
            self[user_id] = version

    gate, old = Gate(api.url, changes=AtHand()), Caller(SESSION, token({"ai.chat": True}, version=1))
    assert isinstance(gate.decide("ai.chat", old), Use)
    assert gate.opens_from_memory("ai.chat", old)
    gate.changed("usr_1", 2)
    assert not gate.opens_from_memory("ai.chat", old)
