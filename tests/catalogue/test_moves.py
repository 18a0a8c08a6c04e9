"""Subscribers are moved to a newer version on purpose: gradually, with notice, with stop and undo."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.admin.moves import AdminMoves
from billing.api.status import subscription_status
from billing.aws import Aws
from billing.catalogue.moves import ROUND_SECONDS, Mover
from billing.errors import Conflict, NotFound, ProviderError, ProviderUnavailable
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.rules.history import By
from billing.rules.plans import Plan
from billing.rules.records import Subscription
from billing.selling.subscriptions import Subscriptions
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.codec import item
from billing.store.moves import COUNTED, Move, MoveStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.previews import PreviewStore
from tests.providers.stripe.stripe_shop import DAY, Shop
from tests.scenarios.stripe_world import notifications, shop_in_process

BOSS = By(actor="usr_boss", action="test")
PLAN = "plus_month"


@dataclass
class Troubled:
    """The calls toward Stripe, some of which fail: `before` it is asked, or `after` it did what was asked."""

    client: Any
    failures: list[tuple[str, Exception]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.client, name)
        if name not in ("change_subscription", "resume_subscription"):
            return call

        def tried(*args: Any, **named: Any) -> Any:
            when, error = self.failures.pop(0) if self.failures else ("", None)
            if error and when == "before":
                raise error
            answer = call(*args, **named)
            if error and when == "after":
                raise error
            return answer

        return tried


@dataclass
class Desk:
    shop: Shop
    accounts: AccountStore
    plans: PlanStore
    processor: Processor
    admin: AdminMoves
    mover: Mover
    moves: MoveStore
    audit: AuditLog
    stripe: Troubled
    subscriptions: Subscriptions
    delivered: int = 0

    @property
    def now(self) -> int:
        return self.shop.app.clock.now()

    def deliver(self) -> None:
        sent = notifications(self.shop)
        for notification in sent[self.delivered :]:
            self.processor.process(notification, Delivery(received_at=self.now), self.now)
        self.delivered = len(sent)

    def advance(self, seconds: int) -> None:
        self.shop.app.advance(seconds)
        self.deliver()

    def buyers(self, count: int, **given: Any) -> list[str]:
        names = [f"usr_{number}" for number in range(count)]
        for name in names:
            self.shop.subscribe(PLAN, user_id=name, checkout_id=f"chk_{name}", **given)
        self.deliver()
        return names

    def new_version(self, **changes: Any) -> Plan:
        known = self.plans.catalogue(fresh=True).get(PLAN)
        assert known is not None
        newer = replace(known, version=known.version + 1, **{"price_cents": 1200, **changes})
        if newer.price_cents != known.price_cents:
            newer = replace(newer, provider_plan_ids={})
            price = self.shop.client.sync_plan(newer, dry_run=False).price_id
            newer = replace(newer, provider_plan_ids={"stripe": price or ""})
        self.plans.add_version(newer)
        return newer

    def start(self, **wanted: Any) -> Move:
        given: dict[str, Any] = {"to_version": 2, "percent": 100, "per_hour": 100, "notice_days": 14, **wanted}
        return self.admin.start(PLAN, **given, by=BOSS, now=self.now)

    def run(self, out_of_time: Callable[[], bool] = lambda: False) -> None:
        self.mover.run(self.now, out_of_time)

    def move(self) -> Move:
        found = self.moves.get(PLAN)
        assert found is not None
        return found

    def counts(self) -> dict[str, int]:
        return {name: getattr(self.move(), name) for name in (*COUNTED, "waiting") if getattr(self.move(), name)}

    def subscription(self, user_id: str) -> Subscription:
        (found,) = self.accounts.load(user_id).subscriptions
        return found

    def paid(self, user_id: str) -> list[int]:
        return sorted(payment.amount_cents for _, payment in self.accounts.load(user_id, whole=True).payments)

    def versions(self, names: list[str]) -> list[tuple[int, int | None]]:
        """What each has now, and gets next."""
        return [(s.plan_version, s.scheduled_plan_version) for s in map(self.subscription, names)]


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    shop = shop_in_process()
    aws = Aws("dynamodb")
    accounts = AccountStore(aws, tables["AccountsTable"], tables["PaymentEventsTable"])
    plans = PlanStore(aws, tables["PlansTable"])
    for plan in shop.plans.values():
        plans.add_version(plan)
    stripe = Troubled(shop.client)

    def client(_: str) -> Client:
        return stripe  # type: ignore[return-value] # it forwards every member

    applier = Applier(accounts, plans, client)
    processor = Processor(applier, PaymentEventStore(aws, tables["PaymentEventsTable"]), livemode=False)
    moves, audit = MoveStore(aws, tables["AccountsTable"]), AuditLog(aws, tables["AccountsTable"])
    offered = ["btcpay", "stripe"]
    return Desk(
        shop,
        accounts,
        plans,
        processor,
        AdminMoves(moves, plans, offered, audit),
        Mover(moves, accounts, plans, applier, client, offered),
        moves,
        audit,
        stripe,
        Subscriptions(accounts, plans, PreviewStore(aws, tables["AccountsTable"]), applier, client),
    )


def test_a_new_version_alone_moves_nobody(desk: Desk) -> None:
    names = desk.buyers(1)
    desk.new_version()
    desk.run()
    desk.advance(32 * DAY)
    assert desk.versions(names) == [(1, None)]


def test_subscribers_are_moved_at_the_pace_that_was_asked_for(desk: Desk) -> None:
    names = desk.buyers(5)
    desk.new_version()
    desk.start(per_hour=2)
    moved = []
    for _ in range(3):
        desk.run()
        moved.append((desk.counts(), desk.move().status))
    assert moved == [({"moved": 2}, "running"), ({"moved": 4}, "running"), ({"moved": 5}, "done")]
    assert desk.versions(names) == [(1, 2)] * 5


def test_the_new_version_begins_with_the_next_period_and_not_before(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version()
    desk.start()
    desk.run()
    before = desk.subscription(name)
    assert [p.amount_cents for p in before.payments.values()] == [900]
    desk.advance(32 * DAY)
    after = desk.subscription(name)
    assert (after.plan_version, after.scheduled_plan_id) == (2, None)
    assert desk.paid(name) == [900, 1200]


def test_a_version_at_the_same_price_is_told_apart(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version(price_cents=900, features={"ai.insights": True})
    desk.start()
    desk.run()
    assert desk.versions([name]) == [(1, 2)]
    desk.advance(32 * DAY)
    assert desk.versions([name]) == [(2, None)]


def test_a_share_of_the_users_goes_first_and_the_rest_when_it_is_widened(desk: Desk) -> None:
    names = desk.buyers(8)
    desk.new_version()
    desk.start(percent=40)
    desk.run()
    first = [name for name in names if desk.subscription(name).scheduled_plan_version == 2]
    assert (0 < len(first) < 8, desk.move().status) == (True, "done")
    desk.start(percent=100)
    desk.run()
    assert (desk.versions(names), desk.counts()) == ([(1, 2)] * 8, {"moved": 8})


def test_a_stop_holds_before_the_next_subscription(desk: Desk) -> None:
    names = desk.buyers(4)
    desk.new_version()
    desk.start()
    asked = 0

    def stop_after_two() -> bool:
        nonlocal asked
        asked = Counter(s for s in desk.versions(names))[(1, 2)]
        if asked == 2 and desk.move().status == "running":
            desk.admin.stop(PLAN, BOSS, desk.now)
        return False

    desk.run(stop_after_two)
    assert (desk.counts(), desk.move().status) == ({"moved": 2}, "stopped")
    desk.run()
    assert desk.counts() == {"moved": 2}
    desk.start()
    desk.run()
    assert (desk.versions(names), desk.move().status) == ([(1, 2)] * 4, "done")


def test_an_environment_that_has_not_heard_of_the_version_yet_asks_for_it(desk: Desk, tables: dict[str, str]) -> None:
    """The webhook of a move may be processed where the catalogue was read before the version was on sale."""
    (name,) = desk.buyers(1)
    aws = Aws("dynamodb")
    old = PlanStore(aws, tables["PlansTable"])
    old.catalogue()
    desk.new_version(price_cents=900)
    desk.start()
    desk.run()
    applier = Applier(desk.accounts, old, lambda _: desk.shop.client)
    subscription = desk.subscription(name)
    applier.refresh(name, "stripe", Ref("subscription", subscription.subscription_id), desk.now + 1)
    assert desk.versions([name]) == [(1, 2)]


def test_what_is_only_scheduled_is_taken_back_by_an_undo(desk: Desk) -> None:
    names = desk.buyers(3)
    desk.new_version()
    desk.start()
    desk.run()
    desk.admin.undo(PLAN, BOSS, desk.now)
    desk.run()
    assert (desk.versions(names), desk.counts(), desk.move().status) == ([(1, None)] * 3, {"undone": 3}, "undone")
    desk.advance(32 * DAY)
    assert [desk.paid(n) for n in names] == [[900, 900]] * 3


def test_who_was_moved_already_goes_back_with_the_next_period(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version()
    desk.start()
    desk.run()
    desk.advance(32 * DAY)
    desk.admin.undo(PLAN, BOSS, desk.now)
    desk.run()
    assert desk.versions([name]) == [(2, 1)]
    desk.advance(32 * DAY)
    assert (desk.versions([name]), desk.subscription(name).price_id) == (
        [(1, None)],
        desk.shop.plans[PLAN].provider_plan_ids["stripe"],
    )


def test_an_undo_leaves_those_who_have_gone_on_by_themselves(desk: Desk) -> None:
    stays, leaves, changes = desk.buyers(3)
    desk.new_version()
    desk.start()
    desk.run()
    desk.subscriptions.cancel(leaves, at_period_end=True, reason=None, comment=None, now=desk.now)
    preview = desk.subscriptions.preview(changes, "pro_month", desk.now)
    desk.subscriptions.change(changes, preview["preview_id"], desk.now)
    desk.admin.undo(PLAN, BOSS, desk.now)
    desk.run()
    entries = desk.moves.entries(desk.move(), None, 10)
    reasons = {desk.accounts.owner("stripe", [e.subscription_id]): (e.outcome, e.reason) for e in entries}
    assert reasons == {
        stays: ("undone", None),
        leaves: ("not_undone", "the customer has cancelled"),
        changes: ("not_undone", "the customer has changed to pro_month"),
    }
    assert desk.counts() == {"undone": 1, "not_undone": 2}


def test_what_an_undo_left_is_read_under_the_name_that_it_had_before(desk: Desk, tables: dict[str, str]) -> None:
    (leaves,) = desk.buyers(1)
    desk.new_version()
    desk.start()
    desk.run()
    desk.subscriptions.cancel(leaves, at_period_end=True, reason=None, comment=None, now=desk.now)
    desk.admin.undo(PLAN, BOSS, desk.now)
    desk.run()
    move, (entry,) = desk.move(), desk.moves.entries(desk.move(), None, 10)
    aws, table = Aws("dynamodb"), tables["AccountsTable"]

    def stored(user_id: str, record: str) -> dict[str, Any]:
        key = item({"user_id": user_id, "record": record})
        return dict(aws.call("dynamodb", "get_item", TableName=table, Key=key)["Item"])

    head = stored("moves", f"~move#{PLAN}")
    head["kept"] = head.pop("not_undone")
    written = {**stored(f"move#{move.name}", f"~entry#{entry.key}"), "outcome": {"S": "kept"}}
    for before in (head, written):
        aws.call("dynamodb", "put_item", TableName=table, Item=before)
    assert (desk.move(), desk.moves.entry(move, entry.key)) == (move, entry)
    desk.moves.note(move, replace(entry, outcome="undone"), entry)
    assert desk.counts() == {"undone": 1}


def test_nobody_is_moved_with_less_notice_than_promised(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version()
    desk.advance(20 * DAY)
    desk.start()
    desk.run()
    assert (desk.versions([name]), desk.counts(), desk.move().status) == ([(1, None)], {"waiting": 1}, "running")
    desk.advance(ROUND_SECONDS - 60)
    desk.run()
    assert desk.counts() == {"waiting": 1}
    desk.advance(12 * DAY)
    desk.run()
    assert (desk.versions([name]), desk.counts(), desk.move().status) == ([(1, 2)], {"moved": 1}, "done")


def test_a_trial_is_never_cut_short(desk: Desk) -> None:
    (name,) = desk.buyers(1, trial_days=30)
    desk.new_version()
    desk.start()
    desk.run()
    assert (desk.versions([name]), desk.subscription(name).status) == ([(1, None)], "trialing")
    desk.advance(31 * DAY)
    desk.run()
    assert desk.versions([name]) == [(1, 2)]


def test_who_leaves_is_left_alone(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.subscriptions.cancel(name, at_period_end=True, reason=None, comment=None, now=desk.now)
    desk.new_version()
    desk.start()
    desk.run()
    assert (desk.subscription(name).cancel_at_period_end, desk.counts(), desk.move().status) == (True, {}, "done")


def test_a_customer_cannot_take_back_a_move_but_can_cancel_or_change(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version()
    desk.start()
    desk.run()
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.resume(name, desk.now)
    assert refused.value.code == "nothing_to_resume"
    shown = desk.subscriptions.cancel(name, at_period_end=True, reason=None, comment=None, now=desk.now)
    assert shown["subscriptions"][0]["cancel_at"] is not None
    assert desk.versions([name]) == [(1, None)]


def test_the_buyers_page_says_what_comes_and_at_what_price(desk: Desk) -> None:
    (name,) = desk.buyers(1)
    desk.new_version()
    desk.start()
    desk.run()
    (shown,) = desk.subscriptions.cancel(name, at_period_end=True, reason=None, comment=None, now=desk.now)[
        "subscriptions"
    ]
    assert (shown["price_cents"], shown["scheduled_price_cents"]) == (900, None)
    desk.subscriptions.resume(name, desk.now)
    desk.start()
    desk.run()
    (shown,) = subscription_status(desk.accounts.load(name), desk.plans.catalogue(), desk.now)["subscriptions"]
    assert (shown["scheduled_plan_id"], shown["scheduled_price_cents"]) == (PLAN, 1200)


def test_a_provider_that_does_not_answer_is_asked_again(desk: Desk) -> None:
    names = desk.buyers(2)
    desk.new_version()
    desk.start()
    for when in ("before", "after"):
        desk.stripe.failures.append((when, ProviderUnavailable("timeout")))
        with pytest.raises(ProviderUnavailable):
            desk.run()
    desk.run()
    assert (desk.versions(names), desk.counts(), desk.move().status) == ([(1, 2)] * 2, {"moved": 2}, "done")


def test_a_refusal_is_kept_with_the_providers_words_and_tried_again_when_asked(desk: Desk) -> None:
    names = desk.buyers(2)
    desk.new_version()
    desk.start()
    desk.stripe.failures.append(("before", ProviderError("price is inactive")))
    desk.run()
    assert desk.counts() == {"moved": 1, "refused": 1}
    assert [e.reason for e in desk.moves.entries(desk.move(), None, 10) if e.outcome == "refused"] == [
        "price is inactive"
    ]
    desk.start()
    desk.run()
    assert (desk.versions(names), desk.counts()) == ([(1, 2)] * 2, {"moved": 2})


def test_a_subscription_keeps_its_currency(desk: Desk) -> None:
    names = desk.buyers(1)
    desk.new_version(currency="EUR")
    desk.start()
    for _ in range(2):
        desk.run()
    assert (desk.versions(names), desk.counts()) == ([(1, None)], {"refused": 1})


def test_running_again_changes_nothing(desk: Desk) -> None:
    desk.buyers(2)
    desk.new_version()
    desk.start()
    desk.run()
    state = (desk.move(), desk.moves.entries(desk.move(), None, 10), [desk.accounts.load(f"usr_{n}") for n in range(2)])
    calls = len(desk.shop.app.requests)
    desk.run()
    assert state == (
        desk.move(),
        desk.moves.entries(desk.move(), None, 10),
        [desk.accounts.load(f"usr_{n}") for n in range(2)],
    )
    assert len(desk.shop.app.requests) == calls


def test_a_survey_tells_what_a_move_would_do_and_does_nothing(desk: Desk) -> None:
    names = desk.buyers(3)
    desk.subscriptions.cancel(names[0], at_period_end=True, reason=None, comment=None, now=desk.now)
    desk.new_version()
    calls = len(desk.shop.app.requests)
    assert desk.mover.survey(PLAN, 2, percent=100, notice_days=14, now=desk.now) == {"leave": 1, "move": 2}
    assert {method for method, _ in desk.shop.app.requests[calls:]} == {"GET"}


def test_only_the_newest_version_of_a_plan_on_sale_can_be_moved_to(desk: Desk) -> None:
    desk.new_version()
    with pytest.raises(Conflict, match="version 2 of plus_month is the newest"):
        desk.start(to_version=3)
    desk.start()
    desk.new_version(price_cents=1300)
    with pytest.raises(Conflict, match="a move to version 2 is running"):
        desk.start(to_version=3)
    desk.admin.stop(PLAN, BOSS, desk.now)
    assert desk.start(to_version=3).status == "running"
    with pytest.raises(NotFound):
        desk.admin.stop("pro_month", BOSS, desk.now)


def test_every_step_is_in_the_audit_log(desk: Desk) -> None:
    desk.new_version()
    desk.start()
    desk.admin.stop(PLAN, BOSS, desk.now)
    desk.admin.undo(PLAN, BOSS, desk.now)
    noted = [(e["actor"], e["before"].get("status"), e["after"]["status"]) for e in desk.audit.month(desk.now)]
    assert sorted(noted, key=str) == [
        ("usr_boss", "running", "stopped"),
        ("usr_boss", "stopped", "undoing"),
        ("usr_boss", None, "running"),
    ]


STEPS = st.lists(
    st.sampled_from(["run", "run", "start", "stop", "undo", "lose before", "lose after", "refuse", "a week"]),
    min_size=3,
    max_size=10,
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_the_counts_are_the_entries_and_an_undo_brings_everybody_back(
    tables: dict[str, str], desk: Desk, steps: list[str]
) -> None:
    """Each example moves to the next version: one desk serves them all."""
    names = [f"usr_{n}" for n in range(2)]
    if not list(desk.accounts.load("usr_0").subscriptions):
        desk.buyers(2)
    known = desk.plans.catalogue(fresh=True).get(PLAN)
    assert known is not None
    before = desk.versions(names)
    version = desk.new_version(price_cents=known.price_cents + 100).version
    if desk.moves.get(PLAN) is not None:
        desk.admin.stop(PLAN, BOSS, desk.now)
    desk.start(to_version=version, notice_days=0)
    for step in [*steps, "undo", "run", "run", "run", "run"]:
        act(desk, step, version)
    entries = desk.moves.entries(desk.move(), None, 10)
    counted = Counter(e.outcome for e in entries)
    assert {name: getattr(desk.move(), name) for name in COUNTED} == {name: counted[name] for name in COUNTED}
    assert counted["moving"] == counted["moved"] == 0
    desk.advance(32 * DAY)
    if not counted["refused"]:
        assert desk.versions(names) == before


def act(desk: Desk, step: str, version: int) -> None:
    if step.startswith("lose"):
        desk.stripe.failures = [(step.split()[1], ProviderUnavailable("timeout"))]
    elif step == "refuse":
        desk.stripe.failures = [("before", ProviderError("no"))]
    elif step == "a week":
        desk.advance(7 * DAY)
    else:
        try:
            {
                "run": desk.run,
                "start": lambda: desk.start(to_version=version, notice_days=0),
                "stop": lambda: desk.admin.stop(PLAN, BOSS, desk.now),
                "undo": lambda: desk.admin.undo(PLAN, BOSS, desk.now),
            }[step]()
        except (ProviderUnavailable, Conflict):
            return
