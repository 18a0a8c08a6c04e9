"""Vouchers through their functions: made, handed out, redeemed, taken back, and the ways in which that is refused."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from billing.rules.records import Redemption
from billing.rules.vouchers import Voucher
from billing.store.vouchers import VoucherStore
from samples import PLUS, USER
from tests.functions.conftest import Answer, Cloud, recorded

Call = Callable[..., Answer]
Load = Callable[[str], ModuleType]
BODY: dict[str, Any] = {"plan_id": "plus-month", "count": 3, "note": "for the meetup", "idempotency_key": "batch-one"}
OTHER = "usr_other"


@pytest.fixture(autouse=True)
def _plans(cloud: Cloud) -> None:
    cloud.seed_plans()


def make(call: Call, **changes: Any) -> Answer:
    return call("admin_vouchers.make", body={**BODY, **changes})


def batch(call: Call, **changes: Any) -> str:
    answer = make(call, **changes)
    assert answer.status == 201, answer.text
    return str(answer.json["batch_id"])


def test_a_key_stands_for_one_batch(call: Call, cloud: Cloud) -> None:
    first = make(call)
    assert make(call).json == first.json
    cloud.plans.add_version(replace(PLUS, version=2, price_cents=1200))
    assert make(call).json == first.json, "also when its plan has a new version"
    for other in (
        {"count": 4},
        {"plan_id": None, "credits": {"feature": "ai.chat", "amount": 5}},
    ):
        answer = make(call, **other)
        assert (answer.status, answer.problem) == (409, "idempotency_key_reused")


def codes(call: Call, batch_id: str) -> list[str]:
    answer = call("admin_vouchers.codes", path={"batch_id": batch_id})
    assert answer.status == 200, answer.text
    return [line["code"] for line in answer.json["codes"]]


def shown(call: Call, batch_id: str) -> Any:
    return call("admin_vouchers.show", path={"batch_id": batch_id}).json


def redeem(call: Call, code: str, user: str = USER) -> Answer:
    return call("vouchers.redeem", body={"code": code}, user=user)


def redemptions(cloud: Cloud, user: str = USER) -> list[Redemption]:
    return list(cloud.accounts.load(user).redemptions)


def test_a_batch_is_made_once_however_often_it_is_asked_for(call: Call) -> None:
    first, second = make(call), make(call, note="told again")
    assert first.json == second.json
    assert first.json["counts"] == {"ready": 3, "redeemed": 0, "expired": 0, "revoked": 0}
    assert [b["batch_id"] for b in call("admin_vouchers.list").json["batches"]] == [first.json["batch_id"]]


def test_an_interrupted_batch_is_finished_and_nothing_that_was_redeemed_is_made_anew(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    code, *_ = codes(call, batch_id)
    redeem(call, code)
    for record in (f"batch#{batch_id}", f"ids#{batch_id}"):
        key = {"user_id": {"S": "vouchers"}, "record": {"S": record}}
        cloud.aws.call("dynamodb", "delete_item", TableName=cloud.tables["AccountsTable"], Key=key)
    assert make(call).json["counts"]["redeemed"] == 1


def test_a_voucher_works_for_somebody_who_never_bought_anything_and_once(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    code, *_ = codes(call, batch_id)
    looked = call("vouchers.preview", body={"code": code}).json
    assert (looked["plan_name"], looked["already"]) == ("Plus", False)
    assert redemptions(cloud) == []
    answer = redeem(call, code)
    assert (answer.status, answer.json["open"]) == (200, True)
    assert len(redemptions(cloud)) == 1
    again = redeem(call, code)
    assert (again.status, again.json["already"]) == (200, True)
    assert len(redemptions(cloud)) == 1
    refused = redeem(call, code, OTHER)
    assert (refused.status, refused.problem) == (409, "voucher_used")
    assert shown(call, batch_id)["counts"] == {"ready": 2, "redeemed": 1, "expired": 0, "revoked": 0}


def test_what_was_redeemed_shows_in_the_status_and_says_why(call: Call) -> None:
    code, *_ = codes(call, batch(call, intervals=2))
    redeem(call, code)
    status = call("subscription_status").json
    (voucher,) = status["vouchers"]
    assert (voucher["plan_id"], voucher["intervals"], voucher["open"]) == ("plus-month", 2, True)
    assert status["plan_id"] == "plus-month"
    assert status["access_until"] == voucher["ends_at"]
    why = call("admin_users.show", path={"user_id": USER}).json
    sources = {s["kind"] for e in why["entitlements"] for s in e["sources"] if e["feature"] == "ai.insights"}
    assert sources == {"voucher"}
    assert [c["kind"] for moment in why["timeline"] for c in moment.get("changes", [moment]) if c.get("kind")]


def test_credits_are_given_without_a_plan(call: Call) -> None:
    given = {"plan_id": None, "credits": {"feature": "ai.chat", "amount": 40}}
    code, *_ = codes(call, batch(call, **given))
    assert redeem(call, code).json["features"] == {"ai.chat": {"credits": 40}}


def test_the_codes_are_a_table_for_a_spreadsheet_and_each_look_is_noted(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    first, *_ = codes(call, batch_id)
    redeem(call, first)
    answer = call("admin_vouchers.codes", path={"batch_id": batch_id}, query={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["number"] for row in rows] == ["2", "3"], "what is redeemed is worth nothing to anybody"
    assert rows[0]["url"] == f"https://portal.example/redeem#{rows[0]['code']}"
    noted = [entry["action"] for entry in call("admin_audit").json["entries"]]
    assert sorted(noted) == ["make_vouchers", "show_voucher_codes", "show_voucher_codes"]


def test_no_code_lies_in_the_table(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    made = codes(call, batch_id)
    redeem(call, made[0])
    stored = json.dumps(cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"])
    for code in made:
        assert code not in stored
        assert code.replace("-", "") not in stored
    everything = cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"]
    held = [stored for stored in everything if "holder" in stored]
    assert len(held) == 1
    assert USER not in json.dumps(held), "who redeemed it is sealed"


def test_after_a_change_of_the_secret_codes_still_open_and_the_old_one_still_shows_them(
    call: Call, load: Load, cloud: Cloud
) -> None:
    batch_id = batch(call)
    made = codes(call, batch_id)

    def asked(secret: str, function: str, event: str, body: Any = None) -> Answer:
        cloud.aws.call("secretsmanager", "put_secret_value", SecretId="VoucherSecret", SecretString=secret)
        again = recorded(f"api/{event}")
        again["pathParameters"], again["body"] = {"batch_id": batch_id}, json.dumps(body)
        return Answer(load(function).handler(again, None))

    both = asked("a-new-one,secret-of-VoucherSecret", "admin_vouchers", "admin_vouchers.codes")
    assert [line["code"] for line in both.json["codes"]] == made
    gone = asked("a-new-one", "admin_vouchers", "admin_vouchers.codes")
    assert (gone.status, gone.problem) == (409, "voucher_secret_gone")
    assert asked("a-new-one", "vouchers", "vouchers.redeem", {"code": made[0]}).status == 200


def test_what_is_unused_is_revoked_and_what_is_used_stays(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    used, other, _ = codes(call, batch_id)
    redeem(call, used)
    answer = call("admin_vouchers.revoke", path={"batch_id": batch_id}, body={"reason": "lost on the way"})
    assert (answer.status, answer.json["revoked"]) == (200, 2)
    assert answer.json["counts"] == {"ready": 0, "redeemed": 1, "expired": 0, "revoked": 2}
    refused = redeem(call, other, OTHER)
    assert (refused.status, refused.problem) == (409, "voucher_void")
    assert redemptions(cloud)[0].closed is None


def test_a_used_one_is_revoked_with_its_access_and_the_money_when_it_went_back(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call, sold_cents=700)
    code, *_ = codes(call, batch_id)
    redeem(call, code)
    body = {"reason": "sold twice", "numbers": [1], "used": True}
    assert call("admin_vouchers.revoke", path={"batch_id": batch_id}, body=body).json["revoked"] == 1
    assert redemptions(cloud)[0].closed == "revoked"
    assert cloud.accounts.snapshot(USER).sources[0].reason == "revoked"
    money = [line["amount_cents"] for line in cloud.accounts.past(USER, "~ledger#", 9)]
    assert money == [700]
    back = {**body, "returned": True}
    assert call("admin_vouchers.revoke", path={"batch_id": batch_id}, body=back).json["revoked"] == 1
    assert call("admin_vouchers.revoke", path={"batch_id": batch_id}, body=back).json["revoked"] == 0
    assert sorted(line["amount_cents"] for line in cloud.accounts.past(USER, "~ledger#", 9)) == [-700, 700]


def test_a_number_that_the_batch_does_not_have_revokes_nothing(call: Call) -> None:
    batch_id = batch(call)
    body = {"reason": "a typing error", "numbers": [1, 4]}
    assert call("admin_vouchers.revoke", path={"batch_id": batch_id}, body=body).status == 404
    assert shown(call, batch_id)["counts"]["ready"] == 3


def test_an_expired_voucher_is_told_from_a_used_one(call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    code, *_ = codes(call, batch_id)
    found = cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"]
    for stored in found:
        if stored["record"]["S"] == "voucher":
            stored["expires_at"] = {"N": "1700000000"}
            cloud.aws.call("dynamodb", "put_item", TableName=cloud.tables["AccountsTable"], Item=stored)
    refused = redeem(call, code)
    assert (refused.status, refused.problem) == (409, "voucher_expired")
    assert shown(call, batch_id)["counts"]["expired"] == 3


def test_what_somebody_owns_for_good_is_not_taken_from_the_voucher(call: Call) -> None:
    first, second, _ = codes(call, batch(call, plan_id="tax-2026"))
    redeem(call, first)
    refused = redeem(call, second)
    assert (refused.status, refused.problem) == (409, "already_purchased")
    assert redeem(call, second, OTHER).status == 200


@pytest.mark.parametrize("typed", ["7Q4XK-00000-00000-00000", "hello", "0" * 60])
def test_a_typing_error_is_told_as_one(call: Call, typed: str) -> None:
    answer = redeem(call, typed)
    assert (answer.status, answer.problem) == (400, "voucher_malformed")


def test_guessing_ends_soon(call: Call) -> None:
    answers = [redeem(call, "0" * 20).status for _ in range(22)]
    assert answers == [404] * 20 + [429] * 2


def test_guessing_with_new_keys_ends_at_the_address_and_before_anything_is_looked_up(
    call: Call, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, *_ = codes(call, batch(call))
    for n in range(60):
        call("vouchers.preview", body={"code": "0" * 20}, user=f"usr_guess_{n}")

    def looked(*_: object) -> None:
        pytest.fail("somebody over the limit is not looked up for")

    monkeypatch.setattr(VoucherStore, "get", looked)
    for event in ("vouchers.preview", "vouchers.redeem"):
        refused = call(event, body={"code": code}, user="usr_guess_new")
        assert (refused.status, refused.problem) == (429, "too_many_requests")


def test_a_code_as_people_type_it_opens_what_it_is_for(call: Call) -> None:
    code, *_ = codes(call, batch(call))
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert redeem(call, f" {typed}\n").status == 200
    assert redeem(call, code).json["already"] is True


def test_one_that_is_redeemed_while_it_is_revoked_stays_with_who_has_it(
    call: Call, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = batch(call)
    code, *_ = codes(call, batch_id)
    close = VoucherStore.close_unused

    def meanwhile(store: VoucherStore, vouchers: Sequence[Voucher]) -> set[str]:
        assert redeem(call, code).status == 200
        return close(store, vouchers)

    monkeypatch.setattr(VoucherStore, "close_unused", meanwhile)
    answer = call("admin_vouchers.revoke", path={"batch_id": batch_id}, body={"reason": "lost on the way"})
    assert answer.json["revoked"] == 2
    assert answer.json["counts"] == {"ready": 0, "redeemed": 1, "expired": 0, "revoked": 2}
    assert redemptions(cloud)[0].closed is None


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"plan_id": "no-such-plan"}, "plan_id"),
        ({"plan_id": "free"}, "plan_id"),
        ({"plan_id": None}, "plan_id"),
        ({"credits": {"feature": "ai.chat", "amount": 5}}, "plan_id"),
        ({"plan_id": None, "credits": {"feature": "wallets.max", "amount": 5}}, "credits/feature"),
        ({"plan_id": "tax-2026", "intervals": 2}, "intervals"),
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"sold_cents": -1}, "sold_cents"),
        ({"currency": "EUR", "sold_cents": 5}, "currency"),
        ({"expires_at": 1_700_000_000}, "expires_at"),
        ({"note": ""}, "note"),
    ],
)
def test_what_makes_no_vouchers_is_refused_with_the_place_of_the_fault(
    call: Call, changes: dict[str, Any], path: str
) -> None:
    answer = make(call, **changes)
    assert (answer.status, answer.problem) == (400, "invalid_request")
    assert path in [fault["path"] for fault in answer.json["errors"]]


@pytest.mark.parametrize(
    ("event", "role", "allowed"),
    [("list", "viewer", True), ("make", "support", False), ("codes", "support", False), ("revoke", "support", False)],
)
def test_codes_are_worth_money_so_they_are_an_admins(load: Load, event: str, role: str, allowed: bool) -> None:
    called = recorded(f"api/admin_vouchers.{event}")
    called["requestContext"]["authorizer"]["lambda"]["role"] = role
    assert (Answer(load("admin_vouchers").handler(called, None)).status == 200) == allowed


def test_a_voucher_that_changed_is_followed_from_the_stream(load: Load, call: Call, cloud: Cloud) -> None:
    code, *_ = codes(call, batch(call))
    redeem(call, code)
    table = cloud.tables["AccountsTable"]
    held = next(i for i in cloud.aws.call("dynamodb", "scan", TableName=table)["Items"] if "holder" in i)
    cloud.aws.call("dynamodb", "put_item", TableName=table, Item={**held, "closed": {"S": "refunded"}})
    event = recorded("stream/follow_vouchers")
    event["Records"][0]["dynamodb"]["Keys"]["user_id"] = held["user_id"]
    follow = load("follow_vouchers")
    for _ in range(2):
        assert follow.handler(event, None) == {"batchItemFailures": []}
    assert redemptions(cloud)[0].closed == "refunded"
    assert len(cloud.accounts.past(USER, "~history#", 9)) == 2


def test_the_stream_wakes_for_what_closes_a_voucher_or_opens_it_again_alone(
    call: Call, cloud: Cloud, template: dict[str, Any]
) -> None:
    source = template["Resources"]["FollowVouchersFunction"]["Properties"]["Events"]["Vouchers"]["Properties"]
    patterns = [json.loads(found["Pattern"]) for found in source["FilterCriteria"]["Filters"]]

    def image() -> dict[str, Any]:
        items = cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"]
        (voucher,) = (one for one in items if one["record"] == {"S": "voucher"})
        return voucher

    def woken(old: dict[str, Any], new: dict[str, Any]) -> bool:
        keys = {name: new[name] for name in ("user_id", "record")}
        record = {"eventName": "MODIFY", "dynamodb": {"Keys": keys, "OldImage": old, "NewImage": new}}
        return any(matches(pattern, record) for pattern in patterns)

    batch_id = batch(call, count=1)
    ready = image()
    redeem(call, codes(call, batch_id)[0])
    redeemed = image()
    call("admin_vouchers.revoke", path={"batch_id": batch_id}, body={"reason": "sold twice", "used": True})
    revoked = image()
    assert "holder" in redeemed
    assert not woken(ready, redeemed)
    assert woken(redeemed, revoked)
    assert woken(revoked, redeemed), "as when a dispute is won"


def matches(pattern: Any, found: Any) -> bool:
    """As Lambda filters a stream's records."""
    if isinstance(pattern, dict):
        return isinstance(found, dict) and all(matches(wanted, found.get(name)) for name, wanted in pattern.items())
    return any(found is not None if wanted == {"exists": True} else found == wanted for wanted in pattern)


def test_a_holder_who_was_erased_is_nobody_to_follow(load: Load, call: Call, cloud: Cloud) -> None:
    batch_id = batch(call)
    code, *_ = codes(call, batch_id)
    redeem(call, code)
    erase = recorded("api/admin_users.show")
    erase["routeKey"] = erase["requestContext"]["routeKey"] = "DELETE /admin/users/{user_id}"
    erase["pathParameters"] = {"user_id": USER}
    assert load("admin_users").handler(erase, None)["statusCode"] == 200
    again = redeem(call, code)
    assert (again.status, again.problem) == (409, "voucher_used"), "an erasure makes no second one of it"
    body = {"reason": "sold twice", "used": True}
    assert call("admin_vouchers.revoke", path={"batch_id": batch_id}, body=body).json["revoked"] == 3
    assert redemptions(cloud) == []


def test_a_key_that_moves_while_its_account_redeems_leaves_the_voucher(
    call: Call, cloud: Cloud, key_moves: Callable[[], None]
) -> None:
    code, *_ = codes(call, batch(call))
    key_moves()
    answer = redeem(call, code)
    assert (answer.status, answer.problem) == (409, "account_moved")
    assert redemptions(cloud) == []
    assert redeem(call, code, OTHER).status == 200
