"""The base of the fake providers does what it is told to: faults, retries by the movable clock, order."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from fakes.base import Answer, App, Clock, Request, Server, Webhooks, json_answer


class Counter(App):
    def __init__(self, answers: list[int]) -> None:
        super().__init__(Clock(lambda: 1_000_000.0))
        self.count = 0
        self.sent: list[bytes] = []
        self.answers = answers
        self.webhooks = Webhooks(self.clock, self._render, retry_after=(10, 60), in_order=True, send=self._send)
        self.route("POST", "/count/{by}", self._count)

    def _count(self, request: Request) -> Answer:
        self.count += int(request.params["by"])
        return json_answer({"count": self.count})

    def _render(self, message: Any, tries: int, now: int) -> tuple[bytes, Mapping[str, str]]:
        return f"{message} try {tries} at {now}".encode(), {}

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.sent.append(body)
        return self.answers.pop(0)


@pytest.fixture
def counter() -> Counter:
    return Counter([])


@pytest.fixture
def server(counter: Counter) -> Iterator[Server]:
    with Server(counter) as running:
        yield running


def test_a_lost_answer_has_had_its_effect(counter: Counter, server: Server) -> None:
    requests.post(f"{server.url}/_fake/faults", json=[{"kind": "lose", "path": "/count"}], timeout=5)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{server.url}/count/2", timeout=5)
    assert requests.post(f"{server.url}/count/1", timeout=5).json() == {"count": 3}


def test_a_refused_call_has_no_effect(counter: Counter, server: Server) -> None:
    requests.post(f"{server.url}/_fake/faults", json=[{"kind": "refuse", "status": 429}], timeout=5)
    assert requests.post(f"{server.url}/count/2", timeout=5).status_code == 429
    assert counter.count == 0


def test_a_failing_delivery_holds_back_those_behind_it_until_the_clock_moves(counter: Counter) -> None:
    counter.answers = [500, 0, 200, 200]
    counter.webhooks.enqueue("http://hook", "first")
    counter.webhooks.enqueue("http://hook", "second")
    assert counter.webhooks.pump() == 1
    counter.advance(10)
    assert counter.webhooks.pump() == 1
    counter.advance(59)
    assert counter.webhooks.pump() == 0
    counter.advance(1)
    assert counter.webhooks.pump() == 2
    assert [body.split(b" at ")[0] for body in counter.sent] == [
        b"first try 0",
        b"first try 1",
        b"first try 2",
        b"second try 0",
    ]


def test_deliveries_are_given_up_after_the_last_retry(counter: Counter) -> None:
    counter.answers = [500, 500, 500]
    counter.webhooks.enqueue("http://hook", "first")
    for seconds in (0, 10, 60, 10_000):
        counter.advance(seconds)
        counter.webhooks.pump()
    assert counter.webhooks.deliveries[0].statuses == [500, 500, 500]
    assert counter.webhooks.deliveries[0].done


def test_held_deliveries_can_arrive_backwards_and_doubled(counter: Counter) -> None:
    counter.answers = [200] * 4
    counter.webhooks.hold, counter.webhooks.copies = True, 2
    counter.webhooks.enqueue("http://hook", "first")
    counter.webhooks.enqueue("http://hook", "second")
    assert counter.webhooks.pump() == 0
    counter.webhooks.release(backwards=True)
    assert counter.webhooks.pump() == 4
    assert [body[:5] for body in counter.sent] == [b"secon", b"secon", b"first", b"first"]
