"""Reminders under real concurrency: six rounds at once write one message, and a feed that is renewed and ended at once
has one end."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests

from billing.nostr.gift_wrap import WRAP
from billing.nostr.keys import plain
from billing.rules.times import DAY
from demo.passing import pass_time
from demo.shop import Shop
from fakes.nostr.reader import Reader

pytestmark = pytest.mark.engine
Eventually = Callable[..., Any]


def call(shop: Shop, user: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = shop.call(method, path, body, user=user)
    assert answer.ok, answer.text
    return answer.json()


def buy_a_term(shop: Shop, user: str, eventually: Eventually) -> None:
    """In bitcoin, paid at the stand-in."""
    call(shop, user, "POST", "/billing/create-checkout-session", {"plan_id": "pro-month", "provider": "btcpay"})
    invoice = next(i for i in shop.btcpay.invoices.values() if i.metadata.get("user_id") == user)
    for act in ("pay", "settle"):
        requests.post(f"{shop.btcpay.url}/i/{invoice.id}", data={"act": act}, timeout=10).raise_for_status()
    eventually(lambda: call(shop, user, "GET", "/billing/subscription-status")["renewals"], 60)


def end_of(shop: Shop, user: str) -> int:
    (renewal,) = call(shop, user, "GET", "/billing/subscription-status")["renewals"]
    return int(datetime.fromisoformat(renewal["ends_at"]).timestamp())


def test_six_rounds_at_once_write_one_reminder(shop_engine: Shop, eventually: Eventually) -> None:
    shop, user, reader = shop_engine, f"usr_reminded_{uuid.uuid4().hex}", Reader(shop_engine.relay)
    buy_a_term(shop, user, eventually)
    wanted = {"days": [7], "language": "en"}
    assert call(shop, user, "POST", "/billing/messages", {"key": reader.npub, **wanted})["outcome"] == "sent"
    call(shop, user, "POST", "/billing/messages/confirm", {"code": reader.code})
    # Seven days before the end falls after the wish, a few seconds from now.
    pass_time(shop, user, end_of(shop, user) - 7 * DAY - int(time.time()) - 3)
    call(shop, user, "PUT", "/billing/messages", wanted)
    eventually(lambda: time.time() > end_of(shop, user) - 7 * DAY + 1)
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(shop.engine.invoke, "SendMessagesFunction", {}) for _ in range(6)]:
            done.result()
    key = plain(reader.npub, "npub")
    wraps = [event for event in shop.relay.passed if event.kind == WRAP and event.values("p") == [key]]
    assert len(wraps) == 2, "the code, and one reminder"
    assert reader.messages[0].text.startswith("What you have paid for ends on")
    assert call(shop, user, "GET", "/billing/messages")["on"]["last"]["outcome"] == "sent"


@pytest.mark.parametrize("turn", range(3))
def test_a_feed_that_is_renewed_and_ended_at_once_has_one_end(shop_engine: Shop, turn: int) -> None:
    shop, user = shop_engine, f"usr_calendar_{turn}_{uuid.uuid4().hex}"
    first = call(shop, user, "POST", "/billing/calendar/feed", {"language": "en"})["address"]
    acts = [("POST", {"language": "en"}), ("DELETE", None)] * 3

    def do(act: tuple[str, dict[str, Any] | None]) -> requests.Response:
        return shop.call(act[0], "/billing/calendar/feed", act[1], user=user)

    with ThreadPoolExecutor(len(acts)) as pool:
        answers = list(pool.map(do, acts))
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 409, 503}, [a.text for a in answers]
    made = [answer.json()["address"] for answer in answers if answer.ok and answer.status_code != 204]
    assert made, "somebody was first"
    alive = [address for address in [first, *made] if requests.get(address, timeout=10).status_code == 200]
    there = call(shop, user, "GET", "/billing/calendar")["feed"]
    assert len(alive) == (0 if there is None else 1)
    assert first not in alive
