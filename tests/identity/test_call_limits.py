"""Who calls too often is told to wait, alone: neither the others nor the providers' webhooks wait with them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from billing import origin
from billing.api.http import Request, Response
from billing.aws import Aws
from billing.errors import NotAllowed, ProviderUnavailable, TooManyRequests
from billing.identity.call_limits import PROVIDER_CALLS_PER_MINUTE, ROUTES, limited
from billing.store.limits import Limits

NOW = 1_800_000_000
CONFIRM = "POST /billing/checkout-sessions/{checkout_id}/confirm"


@pytest.fixture
def aws(tables: dict[str, str]) -> Aws:
    return Aws()


@pytest.fixture
def serve(aws: Aws) -> Callable[..., object]:
    served = limited({route: lambda _: Response(None) for route in ROUTES}, Limits(aws, "AccountsTable"))

    def serve(route: str = CONFIRM, user: str = "usr_1", address: str = "203.0.113.7", now: int = NOW) -> object:
        request = Request(route=route, path={}, query={}, headers={}, body=b"", now=now, user_id=user, address=address)
        return served[route](request)

    return serve


def passed(serve: Callable[..., object], times: int, **named: Any) -> int:
    count = 0
    for _ in range(times):
        try:
            serve(**named)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_one_user_is_stopped_and_the_others_are_not(serve: Callable[..., object]) -> None:
    assert passed(serve, 80) == ROUTES[CONFIRM].user
    assert passed(serve, 1, user="usr_2") == 1
    assert passed(serve, 1, now=NOW + 60) == 1


def test_fresh_keys_of_one_place_share_its_limit_and_other_places_do_not(serve: Callable[..., object]) -> None:
    limit = ROUTES["POST /auth/nostr"]
    sign_in: dict[str, Any] = {"route": "POST /auth/nostr", "user": ""}
    assert sum(passed(serve, 1, **sign_in, address=f"203.0.113.{n}") for n in range(200)) == limit.prefix
    assert passed(serve, 1, **sign_in, address="203.0.114.1") == 1
    assert sum(passed(serve, 1, **sign_in, address=f"2001:db8:7:{n:x}::1") for n in range(200)) == limit.prefix
    assert passed(serve, 1, **sign_in, address="2001:db8:8::1") == 1


def test_a_renewal_invoice_is_a_checkout(serve: Callable[..., object]) -> None:
    assert passed(serve, 30, route="POST /billing/create-checkout-session") == 30
    with pytest.raises(TooManyRequests) as refused:
        serve(route="POST /billing/renewals/{group}/invoice")
    assert refused.value.extensions["retry_after"] == 3600 - NOW % 3600


def test_all_buyers_together_leave_the_provider_room_for_its_webhooks(serve: Callable[..., object]) -> None:
    served, refused, waits = 0, 0, set()
    for n in range(PROVIDER_CALLS_PER_MINUTE):
        try:
            serve(user=f"usr_{n}", address="")
            served += 1
        except ProviderUnavailable as busy:
            refused += 1
            waits.add(busy.extensions["retry_after"])
    assert served == PROVIDER_CALLS_PER_MINUTE // ROUTES[CONFIRM].provider
    assert (refused > 0, waits) == (True, {60 - NOW % 60})
    serve(user="usr_0", address="", now=NOW + 60)


def test_a_flood_from_one_place_costs_no_write_for_each_call(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    served = limited({CONFIRM: lambda _: Response(None)}, Limits(aws, "AccountsTable"))[CONFIRM]
    calls: list[str] = []
    real = aws.call
    monkeypatch.setattr(
        aws, "call", lambda service, name, **given: (calls.append(name), real(service, name, **given))[1]
    )
    request = Request(route=CONFIRM, path={}, query={}, headers={}, body=b"", now=NOW, user_id="usr_1", address="")
    for _ in range(200):
        with suppress(TooManyRequests):
            served(request)
    assert len(calls) <= 2 * ROUTES[CONFIRM].user + 1


def test_no_address_is_stored_and_the_days_salt_does_not_stay(aws: Aws, serve: Callable[..., object]) -> None:
    serve(address="203.0.113.7")
    serve(address="203.0.113.7", now=NOW + 86_400)
    items = aws.call("dynamodb", "scan", TableName="AccountsTable")["Items"]
    assert "203.0.113" not in str(items)
    assert all(int(item["ttl"]["N"]) <= NOW + 3 * 86_400 for item in items)
    places = {item["user_id"]["S"] for item in items if "#from-" in item["user_id"]["S"]}
    assert len(places) == 2, "the same place has another name on the next day"


# --- where a call came from ------------------------------------------------------------------------------------------


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> str:
    key = "k" * 32
    monkeypatch.setenv("ORIGIN_KEY", key)
    return key


def test_a_closed_api_answers_its_front_alone(closed: str) -> None:
    origin.check({"x-origin-key": closed})
    for headers in ({}, {"x-origin-key": ""}, {"x-origin-key": closed[:-1]}, {"x-origin-key": "é\udcff"}):
        with pytest.raises(NotAllowed):
            origin.check(headers)


def test_an_open_api_answers_everybody() -> None:
    origin.check({})


EDGE, BUYER = "198.51.100.9", "203.0.113.7"


@pytest.mark.parametrize("forwarded", [f"1.2.3.4, {BUYER}, {EDGE}", f"1.2.3.4, {BUYER}", f"{BUYER}, {EDGE}", BUYER])
def test_behind_a_closed_front_the_address_is_the_one_that_it_saw(closed: str, forwarded: str) -> None:
    event = {"requestContext": {"http": {"sourceIp": EDGE}}}
    assert origin.address_of(event, {"x-forwarded-for": forwarded}) == BUYER


def test_without_the_key_nobody_is_taken_for_cloudfronts_address() -> None:
    event = {"requestContext": {"http": {"sourceIp": EDGE}}}
    assert origin.address_of(event, {"x-amz-cf-id": "abc", "x-forwarded-for": f"{BUYER}, {EDGE}"}) == ""
    assert origin.address_of(event, {"x-forwarded-for": "1.2.3.4"}) == EDGE


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:7:1::1", "2001:db8:7::/48"),
        ("", ""),
        ("unknown", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
    ],
)
def test_a_prefix_is_what_one_place_has(address: str, prefix: str) -> None:
    assert origin.prefix_of(address) == prefix
