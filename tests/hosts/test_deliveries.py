"""What hosts are told: in order per account, again for days, and no endpoint or account waits for another."""

import json

import pytest

from billing.aws import Aws
from billing.data import fields, replace
from billing.errors import NotConfigured
from billing.hosts.deliveries import LEASE_SECONDS
from billing.outgoing import Reply
from billing.rules.host_events import PAUSED_AFTER, TRIES, WAITS
from billing.rules.host_signatures import is_genuine, secret_of
from billing.rules.times import rfc3339
from billing.store.codec import item
from billing.store.outbox import ENDPOINTS, Endpoint
from samples import NOW
from tests.hosts.conftest import KEY, Outbox, change


def test_an_account_is_told_in_order_and_each_event_once(outbox: Outbox) -> None:
    outbox.endpoint()
    events = [change(n) for n in (1, 2, 10)]
    outbox.take_in(*events)
    outbox.take_in(*events[1:], change(11))  # the stream tells some of it again
    assert outbox.deliver() == 4
    assert outbox.order() == [e.event_id for e in (*events, change(11))]
    assert outbox.deliver() == 0
    delivered, _ = outbox.store.newest("ep_1", "delivered", 10)
    assert [(d.state, d.status, d.tries) for d in delivered] == [("delivered", 200, 1)] * 4


def test_what_is_sent_is_signed_and_says_what_happened(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    outbox.deliver()
    _, headers, body = outbox.sent[0]
    assert is_genuine([secret_of(KEY, "ep_1", "a")], headers, body, NOW)
    assert json.loads(body) == {
        "type": "EntitlementsChanged",
        "timestamp": rfc3339(NOW),
        "data": {"user_id": "usr_1", "account_version": 1},
    }
    assert headers["content-type"] == "application/json"


def test_while_a_secret_is_replaced_both_sign(outbox: Outbox) -> None:
    before = outbox.endpoint()
    outbox.store.put_endpoint(replace(before, generations=("b", "a"), version=2), expected=1)
    outbox.take_in(change(1))
    outbox.deliver()
    _, headers, body = outbox.sent[0]
    for generation, genuine in (("b", True), ("a", True), ("c", False)):
        assert is_genuine([secret_of(KEY, "ep_1", generation)], headers, body, NOW) is genuine


def test_an_endpoint_hears_only_what_it_chose(outbox: Outbox) -> None:
    outbox.endpoint(types=["GrantChanged"])
    outbox.endpoint("ep_2")
    outbox.take_in(change(1), change(1, type_="GrantChanged", record="grant#g_1"))
    outbox.deliver()
    outbox.deliver("ep_2#usr_1")
    assert len(outbox.order("ep_1")) == 1
    assert len(outbox.order("ep_2")) == 2


def test_a_failure_holds_back_its_account_and_nobody_else(outbox: Outbox) -> None:
    first = outbox.endpoint()
    outbox.endpoint("ep_2")
    outbox.answers[first.url] = [500, 200]
    outbox.take_in(change(1), change(2), change(1, "usr_2"))
    assert outbox.deliver() == 0
    assert outbox.deliver("ep_1#usr_2") == 1
    assert outbox.deliver("ep_2#usr_1") == 2
    outbox.now += WAITS[0] - 1
    assert outbox.deliver() == 0
    outbox.now += 1
    assert outbox.deliver() == 2
    assert outbox.order() == [change(1).event_id, change(1, "usr_2").event_id, change(1).event_id, change(2).event_id]


def test_the_next_try_is_woken_while_the_queue_can_wait_so_long_and_found_by_the_round_after(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = [500]
    outbox.take_in(change(1))
    outbox.queue.sent.clear()
    for wait in WAITS[:3]:
        outbox.deliver()
        outbox.now += wait
    assert outbox.queue.sent == [("ep_1#usr_1", 5), ("ep_1#usr_1", 300)]
    assert list(outbox.store.due(outbox.now, 10)) == ["ep_1#usr_1"]


def test_what_comes_while_a_lane_waits_does_not_shorten_the_wait(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = [500, 200]
    outbox.take_in(change(1))
    outbox.deliver()
    outbox.take_in(change(2))
    assert outbox.deliver() == 0
    outbox.now += 5
    assert outbox.deliver() == 2


def test_an_event_that_nobody_takes_is_given_up_when_others_are_taken(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.take_in(change(1), change(2))
    for number, wait in enumerate((*WAITS, 0), start=1):
        last = number == TRIES
        outbox.answers[endpoint.url] = [400, 200] if last else [400]
        outbox.deliver()
        outbox.answers[endpoint.url] = [200]
        outbox.take_in(change(number, "usr_2"))
        outbox.deliver("ep_1#usr_2")
        outbox.now += wait
    failed, _ = outbox.store.newest("ep_1", "failed", 10)
    assert [(d.event_id, d.tries, d.status, d.error) for d in failed] == [(change(1).event_id, TRIES, 400, "refused")]
    assert outbox.get().enabled
    assert change(2).event_id in outbox.order(), "what came behind it is told"


def test_an_endpoint_that_takes_nothing_for_days_is_paused_and_loses_nothing(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = ["timed_out"]
    outbox.take_in(change(1), change(2))
    while outbox.get().enabled:
        outbox.deliver_due()
        outbox.now += 600
        assert outbox.now < NOW + 2 * PAUSED_AFTER, "it is never paused"
    assert outbox.now - NOW >= PAUSED_AFTER
    paused = outbox.get()
    assert (paused.paused_for, paused.pause_reported) == ("failing", False)
    outbox.take_in(change(3))
    assert outbox.deliver() == 0
    outbox.answers[endpoint.url] = [200]
    outbox.store.put_endpoint(replace(paused, paused_for="", version=paused.version + 1), expected=paused.version)
    for lane in outbox.store.in_shard("paused#ep_1", 10**11, 10):
        outbox.store.awaken(lane, outbox.now)
    assert outbox.deliver_due() == 3
    assert outbox.order()[-3:] == [change(n).event_id for n in (1, 2, 3)]


def test_one_failure_after_days_without_a_call_pauses_nothing(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.take_in(change(1))
    for number, wait in enumerate((*WAITS, 0), start=1):
        outbox.answers[endpoint.url] = [200]
        outbox.take_in(change(number, "usr_2"))
        outbox.deliver("ep_1#usr_2")
        outbox.answers[endpoint.url] = [400]  # the last one is given up, and the last word of this endpoint
        outbox.deliver()
        outbox.now += wait
    outbox.now += 2 * PAUSED_AFTER
    outbox.take_in(change(1, "usr_3"))
    assert outbox.deliver("ep_1#usr_3") == 0
    assert outbox.get().enabled
    outbox.now += WAITS[0]
    outbox.answers[endpoint.url] = [200]
    assert outbox.deliver("ep_1#usr_3") == 1


def test_an_endpoint_is_read_under_the_names_that_it_was_written_with_before(outbox: Outbox) -> None:
    paused = replace(outbox.endpoint(), paused_for="failing", paused_at=NOW, pause_reported=False)
    stored = {f.name: getattr(paused, f.name) for f in fields(Endpoint)}
    stored["told"] = stored.pop("pause_reported")
    before = item({"lane": ENDPOINTS, "place": paused.endpoint_id, **stored})
    Aws().call("dynamodb", "put_item", TableName="HostEventsTable", Item=before)
    assert outbox.get() == paused


def test_an_endpoint_that_is_gone_is_paused_at_once(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = [410]
    outbox.take_in(change(1))
    outbox.deliver()
    assert outbox.get().paused_for == "gone"


def test_a_redirect_is_not_followed_and_not_an_answer(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = [302]
    outbox.take_in(change(1))
    outbox.deliver()
    waiting, _ = outbox.store.newest("ep_1", "waiting", 10)
    assert [(d.status, d.error) for d in waiting] == [(302, "redirected")]


def test_whoever_asks_for_time_gets_it_for_all_its_accounts(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = [Reply(429, 120), Reply(200, 0)]
    outbox.take_in(change(1), change(1, "usr_2"))
    outbox.deliver()
    outbox.deliver("ep_1#usr_2")
    assert len(outbox.sent) == 1
    outbox.now += 120
    assert outbox.deliver_due() == 2


def test_a_failure_that_was_on_its_way_does_not_shorten_the_time_that_was_asked_for(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.take_in(*(change(1, f"usr_{number}") for number in range(7)))
    outbox.answers[endpoint.url] = [500]
    for number in range(4):
        outbox.deliver(f"ep_1#usr_{number}")
    outbox.meanwhile = lambda: outbox.deliver("ep_1#usr_5")  # which is answered first
    outbox.answers[endpoint.url] = [Reply(429, 600), 500]
    outbox.deliver("ep_1#usr_4")
    before = len(outbox.sent)
    outbox.now += 590
    outbox.deliver("ep_1#usr_6")
    assert len(outbox.sent) == before


def test_an_endpoint_that_is_away_costs_a_few_tries_and_not_one_for_each_account(outbox: Outbox) -> None:
    endpoint = outbox.endpoint()
    outbox.answers[endpoint.url] = ["timed_out"]
    outbox.take_in(*(change(1, f"usr_{n}") for n in range(30)))
    for n in range(30):
        outbox.deliver(f"ep_1#usr_{n}")
    assert len(outbox.sent) == 5
    outbox.answers[endpoint.url] = [200]
    outbox.now += WAITS[1]
    assert outbox.deliver_due() == 30


def test_a_worker_that_dies_leaves_its_lane_to_the_next_round(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    claim = outbox.store.claim("ep_1#usr_1", "of-the-dead", outbox.now, outbox.now + 120)
    assert claim is not None
    assert outbox.deliver() == 0
    outbox.now += 120
    assert outbox.deliver_due() == 1
    assert not outbox.store.release(claim, "~"), "what it still writes is not believed"


def test_what_comes_in_while_a_lane_is_delivered_is_told_too(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    claim = outbox.store.claim("ep_1#usr_1", "mine", outbox.now, outbox.now + 120)
    assert claim is not None
    outbox.take_in(change(2))
    assert not outbox.store.release(claim, change(1).place)
    outbox.now += 120
    assert outbox.deliver_due() == 2


def test_what_comes_late_is_told_all_the_same(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(2))
    outbox.deliver()
    outbox.take_in(change(1))
    outbox.deliver()
    assert change(1).event_id in outbox.order()


@pytest.mark.parametrize("late", [1, 3], ids=["behind where it stood", "behind what it has just sent"])
@pytest.mark.parametrize("answer", [200, 500], ids=["taken", "not taken"])
def test_what_comes_late_while_its_lane_is_told_is_told_all_the_same(outbox: Outbox, late: int, answer: int) -> None:
    endpoint = outbox.endpoint()
    outbox.take_in(change(2))
    outbox.deliver()
    outbox.take_in(change(4), change(5))
    outbox.answers[endpoint.url] = [200, Reply(answer, 0), 200]
    outbox.meanwhile = lambda: outbox.take_in(change(late))
    outbox.deliver()
    outbox.now += WAITS[0]
    outbox.deliver_due()
    outbox.deliver_due()
    assert set(outbox.order()) == {change(n).event_id for n in (2, late, 4, 5)}
    waiting, _ = outbox.store.newest("ep_1", "waiting", 10)
    assert not waiting
    assert not list(outbox.store.due(outbox.now + 10**6, 10))


def test_a_second_hint_and_a_second_worker_find_a_lane_that_is_somebody_elses(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1), change(2))
    others: list[int] = []
    outbox.meanwhile = lambda: others.append(outbox.deliver())
    assert outbox.deliver() == 2
    assert others == [0]
    assert outbox.order() == [change(1).event_id, change(2).event_id]


def test_an_endpoint_that_hangs_holds_up_no_other(outbox: Outbox) -> None:
    hangs = outbox.endpoint()
    outbox.endpoint("ep_2")
    outbox.answers[hangs.url] = ["timed_out"]
    outbox.take_in(change(1), change(2))
    outbox.meanwhile = lambda: outbox.deliver("ep_2#usr_1")
    assert outbox.deliver() == 0
    assert outbox.order("ep_2") == [change(1).event_id, change(2).event_id]


def test_a_secret_that_is_replaced_while_a_lane_is_told_signs_from_the_next_time_on(outbox: Outbox) -> None:
    before = outbox.endpoint()
    outbox.take_in(change(1))
    after = replace(before, generations=("b", "a"), version=2)
    outbox.meanwhile = lambda: outbox.store.put_endpoint(after, expected=1)
    outbox.deliver()
    outbox.take_in(change(2))
    outbox.deliver()
    signed = [
        [is_genuine([secret_of(KEY, "ep_1", generation)], headers, body, outbox.now) for generation in "ab"]
        for _, headers, body in outbox.sent
    ]
    assert signed == [[True, False], [True, True]]


def test_one_that_is_sent_again_does_not_hold_up_or_repeat_what_is_newer(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    outbox.deliver()
    (delivered,), _ = outbox.store.newest("ep_1", "delivered", 1)
    outbox.take_in(change(2))
    again = outbox.store.add_again(delivered, outbox.now)
    assert again is not None
    assert outbox.deliver(again) == 1
    assert outbox.deliver() == 1
    assert outbox.order() == [change(n).event_id for n in (1, 1, 2)]


def test_all_since_a_moment_while_it_is_told_keeps_the_order_of_what_is_new(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1), change(2))
    outbox.deliver()
    (first, *_) = outbox.store.following("ep_1#usr_1", "event#", 10)
    outbox.take_in(change(3), change(4))
    outbox.meanwhile = lambda: outbox.store.rewind("ep_1#usr_1", first.place, outbox.now)
    outbox.deliver()
    outbox.deliver_due()
    order = outbox.order()
    assert order[-4:] == [change(n).event_id for n in (1, 2, 3, 4)]
    assert list(dict.fromkeys(order)) == [change(n).event_id for n in (1, 2, 3, 4)]


def test_more_than_a_page_is_told_at_once(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(*(change(n) for n in range(1, 60)))
    assert outbox.deliver() == 59
    assert outbox.order() == [change(n).event_id for n in range(1, 60)]


def test_what_was_to_be_told_to_a_deleted_endpoint_is_told_to_nobody(outbox: Outbox) -> None:
    outbox.endpoint()
    outbox.take_in(change(1))
    outbox.store.delete_endpoint("ep_1", outbox.now)
    assert outbox.deliver() == 0
    assert not outbox.sent
    assert not list(outbox.store.due(outbox.now + 10**6, 10))


def test_what_fails_before_a_host_is_asked_counts_as_no_try_and_comes_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a secret that lost its value: only the function's errors show it."""
    outbox.endpoint()
    outbox.take_in(change(1))

    def no_key() -> str:
        raise NotConfigured("the secret behind ENDPOINT_SECRETS_KEY is empty")

    with monkeypatch.context() as emptied:
        emptied.setattr(outbox.deliveries, "_key", no_key)
        for _ in range(20):
            with pytest.raises(NotConfigured):
                outbox.deliver_due()
            outbox.now += LEASE_SECONDS + 60
    assert (outbox.sent, outbox.get().enabled) == ([], True)
    assert outbox.deliver_due() == 1
