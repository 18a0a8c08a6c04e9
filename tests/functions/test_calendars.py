"""A buyer's calendar through its function: saved, made, read by others, given another address, ended, gone."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import icalendar
import pytest

from billing.rules.consequences import consequences
from billing.rules.ends import ahead
from billing.rules.records import Account, Mandate, Record
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from billing.store.calendars import CALENDAR, CalendarStore
from billing.store.codec import item
from billing.store.erasure import ErasureStore
from samples import CATALOGUE, NOW, USER
from tests.functions.conftest import Answer, Cloud
from tests.rules.test_access import PERIOD_END, owed, subscription, term
from tests.rules.test_ends import mandate, renewal

Call = Callable[..., Answer]
END = add_interval(NOW, "month")
# Reads what is written to it, as a page would: ical.js.
READER = Path(__file__).parent / "read_calendar.mjs"


@pytest.fixture(autouse=True)
def _plans(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.seed_plans()
    monkeypatch.setattr("time.time", lambda: NOW + 60.5)


@pytest.fixture
def has(cloud: Cloud) -> Callable[..., None]:
    """Gives the user these records, in the place of those that they had."""

    def has(*records: Record, user: str = USER) -> None:
        def decide(account: Account) -> Any:
            return consequences(account, account.put(*records), CATALOGUE, NOW)

        cloud.accounts.change(user, decide)

    return has


def made(call: Call, language: str = "en", user: str = USER) -> str:
    answer = call("calendars.make", body={"language": language}, user=user)
    assert answer.status == 200, answer.text
    return str(answer.json["address"]).rpartition("/")[2]


def read(call: Call, file: str, **headers: str) -> Answer:
    return call("calendars.feed", path={"file": file})


def entries(text: str) -> dict[str, Any]:
    found = icalendar.Calendar.from_ical(text)
    return {str(event["SUMMARY"]): event for event in found.walk("VEVENT")}


def instants(text: str) -> dict[str, int]:
    return {summary: int(event["DTSTART"].dt.timestamp()) for summary, event in entries(text).items()}


def test_nothing_is_there_until_it_is_chosen(call: Call) -> None:
    assert call("calendars.show").json == {"feed": None}


def test_a_feed_has_the_end_the_day_of_the_renewal_and_its_price(call: Call, has: Callable[..., None]) -> None:
    has(term(), renewal())
    answer = read(call, made(call))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, max-age=300"
    assert instants(answer.text) == {"Plus ends": END, "Renew Plus: 9.00 USD": END - 7 * DAY}


CASES: dict[str, tuple[tuple[Record, ...], dict[str, int]]] = {
    "a wallet pays": (
        (term(), renewal(), mandate()),
        {"Plus ends": END, "Wallet is asked to renew Plus: 9.00 USD": END - 3 * DAY},
    ),
    "a wallet could not": (
        (term(), renewal(), mandate(trouble="budget_used_up")),
        {"Plus ends": END, "Renew Plus: 9.00 USD": END - 7 * DAY},
    ),
    "a card renews": ((subscription(),), {"Plus renews: 9.00 USD": PERIOD_END}),
    "a card ends": ((subscription(cancel_at_period_end=True),), {"Plus ends": PERIOD_END}),
    "a trial": ((subscription("trialing", trial_end=PERIOD_END),), {"Trial of Plus ends: 9.00 USD": PERIOD_END}),
    "a payment failed": (
        (subscription("past_due", unpaid=owed(next_attempt_at=NOW + DAY)),),
        {"Plus ends": NOW + 7 * DAY, "Card is tried again for Plus: 9.00 USD": NOW + DAY},
    ),
    "nothing": ((), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_running_thing_has_its_entries(call: Call, has: Callable[..., None], case: str) -> None:
    records, expected = CASES[case]
    if records:
        has(*records)
    text = read(call, made(call)).text
    assert instants(text) == expected
    ran = subprocess.run(["node", READER], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert {one["summary"]: one["at"] for one in json.loads(ran.stdout)} == expected


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_every_entry_has_words_in_every_language(call: Call, has: Callable[..., None], language: str) -> None:
    for records, expected in CASES.values():
        if records:
            has(*records)
        text = read(call, made(call, language)).text
        assert "{" not in text
        assert f"//{language.upper()}\r\n" in text
        assert len(entries(text)) >= len(expected)


def test_an_entry_stays_itself_while_it_moves(call: Call, has: Callable[..., None]) -> None:
    has(term(), renewal())
    file = made(call)
    before = entries(read(call, file).text)["Plus ends"]
    assert read(call, file).text == read(call, file).text
    has(renewal(ends_at=END + 30 * DAY))
    after = entries(read(call, file).text)["Plus ends"]
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert (after["DTSTART"].dt - before["DTSTART"].dt).days == 30
    saved = entries(call("calendars.file", query={"language": "en"}).json["content"])["Plus ends"]
    assert saved["UID"] == before["UID"]
    assert ("CLASS" in after, saved["CLASS"]) == (False, "PRIVATE")


def test_a_new_address_ends_the_old_one_and_an_ended_one_is_as_one_that_never_was(
    call: Call, has: Callable[..., None]
) -> None:
    has(term(), renewal())
    first = made(call)
    second = made(call)
    assert call("calendars.show").json["feed"]["language"] == "en"
    assert read(call, second).status == 200
    assert call("calendars.revoke").status == 204
    assert call("calendars.show").json == {"feed": None}
    never = "A" * 43 + ".ics"
    refused = [read(call, file) for file in (first, second, never, first.removesuffix(".ics"), "x.ics")]
    assert {answer.problem for answer in refused} == {"not_found"}
    assert len({(answer.status, answer.text, str(answer.headers)) for answer in refused}) == 1


def test_revoking_what_is_not_there_is_no_mistake(call: Call) -> None:
    assert call("calendars.revoke").status == 204
    assert call("calendars.revoke").status == 204


def test_who_has_it_already_is_told_so(load: Callable[[str], ModuleType], call: Call, cloud: Cloud) -> None:
    file = made(call)
    answer = read(call, file)
    event = json.loads((Path(__file__).parents[2] / "events/api/calendars.feed.json").read_text())
    event["pathParameters"] = {"file": file}
    event["headers"]["if-none-match"] = answer.headers["etag"]
    again = load("calendars").handler(event, None)
    assert (again["statusCode"], again["body"]) == (304, "")


def test_nothing_stored_is_the_address_and_nothing_read_leads_to_a_person(
    call: Call, cloud: Cloud, has: Callable[..., None]
) -> None:
    has(term(), renewal(), mandate())
    file = made(call)
    text = read(call, file).text
    secret = file.removesuffix(".ics")
    assert re.fullmatch(r"[\w-]{43}", secret)
    scanned = str(cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"])
    assert secret not in scanned
    assert hashlib.sha256(secret.encode()).hexdigest() in scanned
    for name in (USER, "pur_1", "wal_1", "btcpay", secret, "main"):
        assert name not in text, name


def test_two_people_who_have_the_same_share_no_name(call: Call, has: Callable[..., None]) -> None:
    uids = set()
    for user in (USER, "usr_2"):
        has(term(purchase_id=user), renewal(purchase_id=user), user=user)
        uids |= {event["UID"] for event in entries(read(call, made(call, user=user)).text).values()}
    assert len(uids) == 4


def test_it_goes_with_an_erasure_and_an_export_says_only_that_it_is_there(
    call: Call, cloud: Cloud, has: Callable[..., None]
) -> None:
    has(term(), renewal())
    file = made(call)
    erasure = ErasureStore(cloud.aws, cloud.tables["AccountsTable"], cloud.events)
    exported, _ = erasure.page(USER)
    (feed,) = (record for record in exported if record["record"] == CALENDAR)
    assert feed == {"user_id": USER, "record": CALENDAR, "language": "en", "made_at": NOW + 60}
    assert erasure.erase(USER, "usr_admin", NOW + 120).done
    assert read(call, file).problem == "not_found"
    scanned = str(cloud.aws.call("dynamodb", "scan", TableName=cloud.tables["AccountsTable"])["Items"])
    assert "calendar#" not in scanned


def test_no_address_is_made_while_its_account_is_erased(call: Call, cloud: Cloud, has: Callable[..., None]) -> None:
    has(term(), renewal())
    cloud.aws.call(
        "dynamodb",
        "update_item",
        TableName=cloud.tables["AccountsTable"],
        Key=item({"user_id": USER, "record": "entitlements"}),
        UpdateExpression="SET locked = :yes",
        ExpressionAttributeValues=item({":yes": True}),
    )
    assert call("calendars.make", body={"language": "en"}).status == 409
    assert CalendarStore(cloud.aws, cloud.tables["AccountsTable"]).find(USER) is None


def test_reading_an_account_never_meets_a_calendar(call: Call, cloud: Cloud, has: Callable[..., None]) -> None:
    has(term(), renewal())
    before = cloud.accounts.load(USER)
    made(call)
    assert cloud.accounts.load(USER) == before


def test_who_guesses_is_slowed_down(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [read(call, f"{number:043d}.ics").status for number in range(602)]
    assert (answers.count(404), answers[-1]) == (600, 429)


def test_the_calendar_and_the_page_speak_of_the_same(has: Callable[..., None], call: Call, cloud: Cloud) -> None:
    has(term(), renewal(), mandate())
    (one,) = ahead(cloud.accounts.load(USER), CATALOGUE, NOW + 60)
    assert isinstance(mandate(), Mandate)
    assert set(instants(read(call, made(call)).text).values()) == {one.ends_at, one.due_at}
