"""The gate through the deployed stack: signing in, being sold to, using what was bought, and being shut out again."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests

from billing.aws import Aws
from billing.errors import FeatureLocked, TooManyRequests
from billing.gate.gate import Gate
from billing.gate.usage import Usage
from billing.rules.plans import Allowance, Catalogue, Plan
from billing.store.accounts import AccountStore
from billing.store.counters import CounterStore
from demo.shop import Shop
from person import Person

FEATURE = "tax.enhanced"


@pytest.fixture
def person(shop_engine: Shop) -> Person:
    signed_in = Person(shop_engine)
    assert signed_in.sign_in().status_code == 200
    return signed_in


def test_a_key_signs_in_and_its_session_is_known_to_the_api(person: Person) -> None:
    answer = person.call("GET", "/billing/entitlements")
    assert answer.json()["user_id"] == person.tokens["user_id"]


def test_the_same_signature_does_not_sign_in_twice(shop_engine: Shop) -> None:
    somebody = Person(shop_engine)
    proof = somebody.proof(b"{}")
    assert somebody.sign_in(proof=proof).status_code == 200
    again = somebody.sign_in(proof=proof)
    assert (again.status_code, again.json()["code"]) == (401, "not_authenticated")


def test_a_second_key_is_linked_and_opens_the_same_account(person: Person) -> None:
    second = Person(person.shop)
    body = json.dumps({"link_to": person.tokens["session_token"]}).encode()
    assert second.sign_in(body).json()["user_id"] == person.tokens["user_id"]
    assert Person(person.shop, second.key).sign_in().json()["user_id"] == person.tokens["user_id"]


def test_a_session_is_refreshed_and_ended(person: Person) -> None:
    def post(path: str, token: str) -> requests.Response:
        return requests.post(person.shop.url + path, json={"refresh_token": token}, timeout=30)

    renewed = post("/auth/refresh", person.tokens["refresh_token"])
    assert renewed.status_code == 200
    assert post("/auth/sign-out", renewed.json()["refresh_token"]).status_code == 204
    assert post("/auth/refresh", renewed.json()["refresh_token"]).status_code == 401


def test_a_purchase_opens_the_feature_at_once_although_a_no_was_cached(person: Person) -> None:
    locked = person.call("GET", f"/billing/entitlements/{FEATURE}")
    assert (locked.status_code, locked.json()["scenario"]) == (402, "not_in_plan")
    person.buy("pro-month")
    opened = person.call("GET", f"/billing/entitlements/{FEATURE}")
    assert opened.status_code == 200, opened.text
    assert [s["kind"] for s in opened.json()["sources"]] == ["subscription"]


def test_the_entitlement_token_verifies_with_the_published_keys(person: Person) -> None:
    published = requests.get(f"{person.shop.url}/.well-known/jwks.json", timeout=30)
    assert "max-age=300" in published.headers["cache-control"]
    unchanged = {"if-none-match": published.headers["etag"]}
    assert requests.get(published.url, headers=unchanged, timeout=30).status_code == 304
    answer = person.call("GET", "/billing/entitlements")
    key = jwt.PyJWKSet.from_dict(published.json()).keys[0]
    claims = jwt.decode(answer.json()["token"], key, audience="bitsleuth-analyzer", issuer="bitsleuth-billing")
    assert claims["sub"] == person.tokens["user_id"]
    assert claims["f"]["ai.chat"]["remaining"] == claims["f"]["ai.chat"]["limit"]


def test_an_unchanged_list_of_entitlements_is_not_sent_again(person: Person) -> None:
    tag = person.call("GET", "/billing/entitlements").headers["etag"]
    known = {"if-none-match": tag}
    answers = {person.call("GET", "/billing/entitlements", **known).status_code for _ in range(2)}
    assert 304 in answers
    person.call("POST", "/billing/usage", {"feature": "ai.chat"})
    assert person.call("GET", "/billing/entitlements", **known).status_code == 200


def test_usage_runs_out_and_says_what_to_buy(person: Person) -> None:
    limit = next(
        e for e in person.call("GET", "/billing/entitlements").json()["entitlements"] if e["feature"] == "ai.chat"
    )
    used = person.call("POST", "/billing/usage", {"feature": "ai.chat", "amount": limit["remaining"]})
    assert used.json()["remaining"] == 0
    refused = person.call("POST", "/billing/usage", {"feature": "ai.chat"})
    assert (refused.status_code, refused.json()["scenario"]) == (402, "limit_reached")
    assert person.call("GET", "/billing/entitlements/ai.chat").status_code == 402
    batch = person.call("POST", "/billing/usage/batch", {"items": [{"feature": "ai.chat"}, {"feature": FEATURE}]})
    assert [item["allowed"] for item in batch.json()["items"]] == [False, False]


def test_a_reservation_is_held_and_settled(person: Person) -> None:
    reserved = person.call("POST", "/billing/usage", {"feature": "ai.chat", "action": "reserve", "amount": 3}).json()
    settle = {"feature": "ai.chat", "action": "settle", "reservation_id": reserved["reservation_id"]}
    assert person.call("POST", "/billing/usage", settle).json()["used"] == 1


def test_the_rollout_document_is_the_same_for_everybody_and_cacheable(shop_engine: Shop) -> None:
    answer = requests.get(f"{shop_engine.url}/billing/config", timeout=30)
    assert answer.json()["sign_in"] == ["nostr", "oidc", "development"]
    again = requests.get(answer.url, headers={"if-none-match": answer.headers["etag"]}, timeout=30)
    assert again.status_code == 304


def test_a_thousand_calls_at_once_for_one_unit_give_exactly_one_success(
    shop_engine: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the emulator's DynamoDB, whose conditional writes are atomic as AWS's are."""
    engine = shop_engine.engine
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    free = Plan(
        plan_id="free",
        version=1,
        name="Free",
        price_cents=0,
        currency="USD",
        interval="month",
        features={"ai.chat": Allowance(3)},
    )
    writes: list[str] = []
    aws = Aws("dynamodb", on_call=lambda service, operation: writes.append(operation))
    table = engine.resource("AccountsTable")
    usage = Usage(Gate(AccountStore(aws, table), ""), CounterStore(aws, table))
    user, now = f"usr_{uuid.uuid4().hex}", int(time.time())
    call = {"feature": "ai.chat", "action": "consume", "amount": 1}

    def use(_: int) -> str:
        try:
            usage.use(user, call, Catalogue((free,)), now, ())
        except (FeatureLocked, TooManyRequests) as refused:
            return refused.code
        return "used"

    for _ in range(2):
        usage.use(user, call, Catalogue((free,)), now, ())
    writes.clear()
    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(use, range(1000)))
    assert outcomes.count("used") == 1
    assert outcomes.count("feature_locked") == 999
    assert writes.count("update_item") == 1000
    assert CounterStore(aws, table).read(user, "ai.chat").counter.used == 3


def test_checkouts_are_not_opened_without_end(person: Person) -> None:
    body = {"plan_id": "no-such-plan"}
    answers = [person.call("POST", "/billing/create-checkout-session", body).status_code for _ in range(31)]
    assert answers == [404] * 30 + [429]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer ", "Bearer x", "Bearer " + "x" * 7000, "Basic dTpw", "Nostr e30=", "Bearer eyJhbGciOiJub25lIn0.e30."],
)
def test_what_is_no_session_opens_nothing(shop_engine: Shop, authorization: str) -> None:
    headers = {"authorization": authorization}
    assert requests.get(f"{shop_engine.url}/billing/entitlements", headers=headers, timeout=30).status_code == 403


def test_an_entitlement_token_is_no_session(person: Person) -> None:
    token = person.call("GET", "/billing/entitlements").json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert requests.get(f"{person.shop.url}/billing/entitlements", headers=headers, timeout=30).status_code == 403


def test_somebody_elses_account_cannot_be_named(person: Person) -> None:
    assert person.call("GET", "/billing/entitlements?user_id=usr_other").status_code == 403


def test_a_user_is_kept_out_of_admin_routes_although_a_user_route_said_yes(person: Person) -> None:
    assert person.call("GET", "/billing/entitlements").status_code == 200
    assert person.call("GET", "/admin/plans").status_code == 403
