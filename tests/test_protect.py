"""Another backend's handler, behind our authorizer, guarded with the decorator; the billing API is on loopback."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from billing.protect import AUTHORIZER_SECONDS, TRUST_SECONDS, Protection
from billing.rules.entitlements import Source, sources_to_json
from billing.rules.host_signatures import headers_of, secret_of
from billing.rules.plans import Allowance
from fakes.base import Answer, App, Request, Server, json_answer

NOW = 1_800_000_000
SECRET = secret_of("the-stacks-own-key", "ep_1", "a")


class Api(App):
    """Answers as the billing API does; `status` decides how."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.asked: list[tuple[str, str, str | None]] = []

    def handle(self, request: Request) -> Answer:
        self.asked.append((request.method, request.target, request.headers.get("authorization")))
        yes, no = {"allowed": True}, {"code": "feature_locked" if self.status == 402 else "", "offers": []}
        return json_answer(yes if self.status == 200 else no, self.status, {"location": "/elsewhere"})


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()
    with Server(served):
        yield served


class Backend:
    """The expensive function of somebody else, and how often it ran."""

    def __init__(self, api_url: str, **options: Any) -> None:
        self.now = NOW
        self.ran = 0
        protection = Protection(api_url, now=lambda: self.now)
        self.handled: list[str] = []
        self.receive = protection.on_billing_event([SECRET], lambda event_id, *_: self.handled.append(event_id))

        @protection.requires_feature("ai.chat", **options)
        def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
            self.ran += 1
            return {"statusCode": 200}

        self.handler = handler

    def call(self, **caller: str) -> tuple[int, str]:
        event = {"headers": {"authorization": "Bearer t"}, "requestContext": {"authorizer": {"lambda": caller}}}
        answer = self.handler(event, None)
        return answer["statusCode"], json.loads(answer.get("body", "{}")).get("code", "")


def bought(until: int | None = None) -> str:
    source = Source(
        kind="subscription",
        id="sub_1",
        plan_id="plus",
        plan_version=1,
        start=0,
        until=until,
        reason="active",
        features={"ai.chat": Allowance(5)},
    )
    return json.dumps(sources_to_json([source]))


def test_what_the_authorizer_says_is_believed_without_a_call(api: Api) -> None:
    backend = Backend(api.url)
    assert backend.call(user_id="usr_1", sources=bought()) == (200, "")
    assert api.asked == []


def test_a_no_is_asked_again_with_the_callers_own_token_and_refused_in_the_apis_words(api: Api) -> None:
    backend = Backend(api.url)
    api.status = 402
    assert backend.call(user_id="usr_1", sources=bought(until=NOW)) == (402, "feature_locked")
    assert api.asked == [("GET", "/billing/entitlements/ai.chat", "Bearer t")]
    assert backend.ran == 0


def test_a_purchase_opens_at_once_and_the_yes_is_kept_for_a_minute(api: Api) -> None:
    backend = Backend(api.url)
    api.status = 402
    backend.call(user_id="usr_1")
    api.status = 200
    assert [backend.call(user_id="usr_1")[0] for _ in range(3)] == [200] * 3
    assert len(api.asked) == 2
    api.status, backend.now = 402, NOW + TRUST_SECONDS
    assert backend.call(user_id="usr_1")[0] == 402


def test_one_users_yes_is_nobody_elses(api: Api) -> None:
    backend = Backend(api.url)
    backend.call(user_id="usr_1")
    api.status = 402
    assert backend.call(user_id="usr_2")[0] == 402


def test_a_metered_feature_takes_its_use_first(api: Api) -> None:
    backend = Backend(api.url, meter=True)
    backend.call(user_id="usr_1", sources=bought())
    assert api.asked == [("POST", "/billing/usage", "Bearer t")]
    api.status = 402
    assert backend.call(user_id="usr_1", sources=bought())[0] == 402
    assert backend.ran == 1


def test_without_the_authorizer_nobody_gets_in() -> None:
    backend = Backend("http://127.0.0.1:9")
    assert backend.call() == (401, "not_authenticated")
    assert backend.handler({}, None)["statusCode"] == 401
    assert backend.ran == 0


@pytest.mark.parametrize("status", [500, 404, 302, 307])
def test_an_api_that_fails_or_points_elsewhere_lets_nobody_in(api: Api, status: int) -> None:
    backend = Backend(api.url)
    api.status = status
    assert backend.call(user_id="usr_1") == (503, "billing_unavailable")
    assert (backend.ran, len(api.asked)) == (0, 1), "the token goes nowhere else"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 402 Payment Required\r\ncontent-length: 99\r\n\r\n{",
        b"SSH-2.0\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>Welcome</html>",
        b'HTTP/1.1 200 OK\r\n\r\n{"status": "ok"}',
        b"HTTP/1.1 200 OK\r\n\r\n[]",
    ],
    ids=repr,
)
def test_an_api_that_hangs_up_or_talks_nonsense_lets_nobody_in(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        backend = Backend(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert backend.call(user_id="usr_1") == (503, "billing_unavailable")
        assert backend.ran == 0
        thread.join()


def test_an_api_that_is_away_lets_nobody_in() -> None:
    assert Backend("http://127.0.0.1:9").call(user_id="usr_1") == (503, "billing_unavailable")


# --- told at once -----------------------------------------------------------------------------------------------------


def tell(backend: Backend, user_id: str = "usr_1", secret: str = SECRET, *, encoded: bool = False) -> int:
    body = json.dumps({"type": "EntitlementsChanged", "timestamp": "", "data": {"user_id": user_id}}).encode()
    event = {
        "headers": headers_of([secret], "evt_1", body, backend.now),
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }
    return int(backend.receive(event, None)["statusCode"])


@pytest.mark.parametrize("encoded", [False, True])
def test_of_an_account_that_changed_nothing_known_is_believed(api: Api, encoded: bool) -> None:
    backend = Backend(api.url)
    assert backend.call(user_id="usr_1", sources=bought())[0] == 200
    assert backend.call(user_id="usr_1")[0] == 200
    backend.now += 1
    assert tell(backend, encoded=encoded) == 200
    api.status = 402
    assert backend.call(user_id="usr_1", sources=bought())[0] == 402
    assert backend.call(user_id="usr_2", sources=bought())[0] == 200, "others are left alone"
    assert api.asked[-1][1] == "/billing/entitlements/ai.chat?fresh=true"
    assert backend.handled == ["evt_1"]


def test_a_yes_that_was_asked_for_after_the_change_holds_and_the_authorizer_is_believed_again(api: Api) -> None:
    backend = Backend(api.url)
    tell(backend)
    backend.now += 1
    assert [backend.call(user_id="usr_1", sources=bought())[0] for _ in range(3)] == [200] * 3
    assert len(api.asked) == 1
    backend.now += AUTHORIZER_SECONDS
    assert backend.call(user_id="usr_1", sources=bought())[0] == 200
    assert len(api.asked) == 1


def test_a_stranger_can_make_nobody_forget(api: Api) -> None:
    backend = Backend(api.url)
    assert tell(backend, secret=secret_of("another", "ep_1", "a")) == 401
    assert backend.call(user_id="usr_1", sources=bought())[0] == 200
    assert (api.asked, backend.handled) == ([], [])
    with pytest.raises(ValueError, match="secret"):
        Protection(api.url).on_billing_event([])
