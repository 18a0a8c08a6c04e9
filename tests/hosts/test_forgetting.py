"""Of somebody who was erased nothing is left of what hosts were told, or were to be told."""

import json

import pytest

from billing import deadline
from billing.aws import Aws
from billing.rules.host_events import alert_of, of_change
from billing.store.outbox import KEPT_SECONDS
from samples import NOW
from tests.hosts.conftest import Outbox, change


def kept(user: str) -> int:
    """Items that name a user, in their keys or in what they hold."""
    return sum(
        user in json.dumps(stored) for stored in Aws().call("dynamodb", "scan", TableName="HostEventsTable")["Items"]
    )


def test_what_was_told_what_waits_what_was_sent_again_and_what_is_left_of_a_deleted_endpoint(outbox: Outbox) -> None:
    for endpoint_id in ("ep_1", "ep_2", "ep_3"):
        outbox.endpoint(endpoint_id)
    outbox.answers["https://ep_2.example.com/"] = [500]
    outbox.take_in(*(change(n) for n in range(1, 53)), change(1, "usr_2"))
    outbox.deliver()
    outbox.deliver("ep_2#usr_1")
    (one,), _ = outbox.store.newest("ep_1", "delivered", 1)
    again = outbox.store.add_again(one, outbox.now)
    assert again is not None
    (twice,), _ = outbox.store.newest("ep_1", "waiting", 1)
    assert outbox.store.add_again(twice, outbox.now + 1) == again
    outbox.store.delete_endpoint("ep_3", outbox.now)
    dispute = {"user_id": "usr_1", "account_version": 53, "kind": "dispute", "entry_id": "e_1"}
    line = of_change("LedgerEntryWritten", "~ledger#1#e", NOW, dispute)
    event = alert_of(line)
    assert event is not None
    outbox.take_in(event)
    assert kept("usr_1") > 3 * 52
    of_another = kept("usr_2")
    assert outbox.hosts.forget("usr_1")
    assert kept("usr_1") == 0
    assert kept("usr_2") == of_another == 6
    assert not [lane for lane in outbox.store.due(outbox.now + 10**6, 100) if not lane.endswith("#usr_2")]
    assert outbox.hosts.forget("usr_1"), "a second time there is nothing to do"


def test_who_delivers_just_then_leaves_nothing_behind(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox.endpoint()
    outbox.take_in(change(1), change(2))
    following = outbox.store.following

    def erased_meanwhile(lane: str, place: str, limit: int) -> list[object]:
        page = following(lane, place, limit)
        outbox.hosts.forget("usr_1")
        return list(page)

    monkeypatch.setattr(outbox.store, "following", erased_meanwhile)
    outbox.deliver()
    assert kept("usr_1") == 0


def test_an_erasure_that_has_no_time_left_goes_on_when_it_comes_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.endpoint()
    outbox.take_in(*(change(n) for n in range(1, 53)))
    (one,), _ = outbox.store.newest("ep_1", "waiting", 1)
    outbox.store.add_again(one, outbox.now)
    whole, over = kept("usr_1"), iter([False, True])
    with monkeypatch.context() as short:
        short.setattr(deadline, "over", lambda: next(over))
        assert not outbox.hosts.forget("usr_1")
    assert 0 < kept("usr_1") < whole
    assert outbox.hosts.forget("usr_1")
    assert kept("usr_1") == 0


def test_what_is_gone_is_not_sent_again_and_what_is_sent_again_goes_no_later(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    outbox.deliver()
    (one,), _ = outbox.store.newest("ep_1", "delivered", 1)
    later = outbox.now + KEPT_SECONDS - 60
    assert outbox.store.add_again(one, later) is not None
    (again,), _ = outbox.store.newest("ep_1", "waiting", 1)
    assert (again.accepted_at, again.ttl) == (later, NOW + KEPT_SECONDS)
    outbox.hosts.forget("usr_1")
    assert outbox.store.add_again(one, later) is None
    assert kept("usr_1") == 0


def test_whoever_comes_back_is_told_of_again(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1), change(2))
    outbox.deliver()
    outbox.hosts.forget("usr_1")
    outbox.take_in(change(1))
    assert outbox.deliver() == 1
