"""The HTTP API answers as API Gateway does: authorizers and their cache, payload 2.0, errors, CORS."""

import time
import uuid

import pytest
import requests

SHOP = "http://shop.example"


@pytest.fixture
def token():
    return f"good {uuid.uuid4().hex}"


@pytest.fixture
def get(probe_engine):
    def get(path, token=None, **headers):
        headers |= {"Authorization": token} if token else {}
        return requests.get(probe_engine.api_url + path, headers=headers, timeout=30)

    return get


@pytest.fixture
def asked(probe_engine):
    """How often the authorizer was asked about a token."""
    return lambda token: probe_engine.logs("AuthorizerFunction").count(f"ASKED {token}")


def test_a_yes_is_kept_for_all_routes_of_the_authorizer(get, asked, token):
    assert [get(path, token).status_code for path in ("/one/a", "/one/b", "/two")] == [201, 201, 201]
    assert asked(token) == 1


def test_a_no_is_kept_as_well(get, asked):
    token = f"bad {uuid.uuid4().hex}"
    answers = [get(path, token) for path in ("/one/a", "/two")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(403, {"message": "Forbidden"})] * 2
    assert asked(token) == 1


def test_a_kept_answer_ends_with_its_time_to_live(get, asked, token):
    get("/brief", token)
    time.sleep(1.1)
    get("/brief", token)
    assert asked(token) == 2


def test_an_authorizer_without_a_time_to_live_is_asked_each_time(get, asked, token):
    get("/asked", token)
    get("/asked", token)
    assert asked(token) == 2


def test_without_a_token_nobody_is_asked(probe_engine, get):
    before = probe_engine.logs("AuthorizerFunction")
    answer = get("/two", Origin=SHOP)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert probe_engine.logs("AuthorizerFunction") == before


def test_an_authorizer_that_answers_nonsense_is_our_fault_and_is_not_kept(get, asked):
    before = asked("broken")
    assert [get("/two", "broken").status_code for _ in range(2)] == [500, 500]
    assert asked("broken") == before + 2


def test_the_event_is_payload_2_0(get, token):
    answer = get("/one/a%20b?x=1&x=2&y=", token, Cookie="k=1; l=2")
    event = answer.json()["event"]
    assert event["routeKey"] == "GET /one/{name}"
    assert event["pathParameters"] == {"name": "a b"}
    assert event["rawQueryString"] == "x=1&x=2&y="
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert event["cookies"] == ["k=1", "l=2"]
    assert "cookie" not in event["headers"]
    assert event["requestContext"]["authorizer"] == {"lambda": {"sub": token}}
    assert event["requestContext"]["http"]["method"] == "GET"
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["apigw-requestid"] == event["requestContext"]["requestId"]


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json", b'{"a": 1}', False),
        ("application/problem+json; charset=utf-8", "ü".encode(), False),
        ("application/json", b"\xff", True),
        ("application/octet-stream", b"text", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
    ],
)
def test_a_body_arrives_as_text_or_as_base64(probe_engine, content_type, body, encoded):
    url = f"{probe_engine.api_url}/open/a"
    event = requests.post(url, body, headers={"Content-Type": content_type}, timeout=30).json()["event"]
    assert event["isBase64Encoded"] == encoded


def test_an_exact_route_wins_over_one_with_a_variable(probe_engine):
    event = requests.post(f"{probe_engine.api_url}/open/exact", timeout=30).json()["event"]
    assert event["routeKey"] == "POST /open/exact"


def test_a_function_that_fails_is_a_500_that_tells_nothing(get, token):
    answer = get("/one/raise", token)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize("path", ["/nothing", "/one", "/open/a", "/two/"])
def test_what_no_route_matches_is_a_404(get, token, path):
    assert (get(path, token).status_code, get(path, token).json()) == (404, {"message": "Not Found"})


def test_a_preflight_is_answered_for_an_allowed_origin_alone(probe_engine):
    def preflight(origin):
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = requests.options(f"{probe_engine.api_url}/two", headers=headers, timeout=30)
        return answer.status_code, {
            name: value for name, value in answer.headers.items() if name.startswith("Access-Control")
        }

    assert preflight(SHOP) == (
        204,
        {
            "Access-Control-Allow-Origin": SHOP,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": "GET,POST",
            "Access-Control-Allow-Headers": "authorization",
            "Access-Control-Max-Age": "600",
        },
    )
    assert preflight("http://stranger.example") == (204, {})
