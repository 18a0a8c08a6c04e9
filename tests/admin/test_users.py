"""Finding, explaining, helping and erasing users, on their stored records."""

import json
from dataclasses import replace
from typing import Any

import pytest

from billing.admin.notes import Notes
from billing.admin.personal_data import PersonalData
from billing.admin.users import AdminUsers
from billing.api.admin_requests import GrantFeatures, RefundPayment
from billing.api.answers.base import Response
from billing.api.answers.payments import RefundEffect
from billing.api.answers.users import Erasure, Explanation, GrantView, UserDetail, UserExport
from billing.aws import Aws, NoAnswer
from billing.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from billing.intake.applier import Applier
from billing.rules.consequences import consequences
from billing.rules.facts import CheckoutFact, CustomerDeletedFact, Fact, RefundFact, SubscriptionFact
from billing.rules.records import Account, Record, Refund
from billing.rules.rollups import counters
from billing.rules.times import rfc3339
from billing.selling.refunds import Refunds
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.counters import CounterStore
from billing.store.erasure import ErasureStore
from billing.store.metrics import MetricsStore
from billing.store.notes import LEAVING_SECONDS, NoteStore
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from billing.store.plans import PlanStore
from samples import CATALOGUE, NOW, USER
from tests.rules.test_ledger import payment, subscription

ADMIN = "usr_admin"
DAY = 86_400


class Desk:
    """A store with one user, Ann, who bought Plus, and an admin's desk before it."""

    def __init__(self) -> None:
        self.aws = Aws()
        self.events = PaymentEventStore(self.aws, "PaymentEventsTable")
        self.accounts = AccountStore(self.aws, "AccountsTable", "PaymentEventsTable", sleep=lambda seconds: None)
        self.plans = PlanStore(self.aws, "PlansTable")
        self.audit = AuditLog(self.aws, "AccountsTable")
        self.metrics = MetricsStore(self.aws, "MetricsTable", "AccountsTable")
        for plan in CATALOGUE.plans:
            self.plans.add_version(plan)
        self.applier = Applier(self.accounts, self.plans, lambda name: pytest.fail(f"{name} was asked"))
        erasure = ErasureStore(self.aws, "AccountsTable", self.events)
        self.personal_data = PersonalData(self.accounts, erasure, self.audit)
        self.users = AdminUsers(
            self.accounts,
            self.plans,
            CounterStore(self.aws, "AccountsTable"),
            self.events,
            self.audit,
            Refunds(self.accounts, self.plans, self.applier, lambda name: pytest.fail(f"{name} was asked")),
            NoteStore(self.aws, "AccountsTable"),
            lambda provider, kind, object_id: f"https://{provider}.example/{kind}/{object_id}",
        )

    def become(self, *records: Record, at: int = NOW, event_id: str | None = None) -> None:
        before = self.accounts.load(USER)
        after = replace(before, records={**before.records, **{r.record: r for r in records}})
        self.accounts.commit(consequences(before, after, CATALOGUE, at), event_id and payment_event(event_id))  # type: ignore[arg-type]

    def log(self) -> list[dict[str, Any]]:
        return self.audit.month(NOW)


def payment_event(event_id: str) -> PaymentEvent:
    return PaymentEvent(
        event_id=event_id,
        provider="stripe",
        provider_event_id=event_id.removeprefix("stripe#"),
        type="customer.subscription.updated",
        created_at=NOW,
        received_at=NOW,
        processed_at=NOW,
        status="processed",
        payload={"metadata": {"user_id": USER}},
        user_id=USER,
    )


BOUGHT = subscription(customer_id="cus_1", payments={"in_1": payment(refs=("pi_1", "ch_1"))})
ENDED = replace(BOUGHT, status="canceled", ended_at=NOW + 5 * DAY, observed_at=NOW + 5 * DAY)


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    desk = Desk()
    desk.become(BOUGHT, event_id="stripe#evt_1")
    return desk


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        (USER, "user"),
        ("cus_1", "customer"),
        ("sub_1", "subscription"),
        ("in_1", "payment"),
        ("ch_1", "payment"),
        ("evt_1", "event"),
        ("stripe#evt_1", "event"),
    ],
)
def test_a_user_is_found_by_every_id_that_names_them(desk: Desk, text: str, matched: str) -> None:
    assert desk.users.find(text) == (USER, matched)


def test_nobody_is_found_by_an_id_that_names_no_one(desk: Desk) -> None:
    assert desk.users.find("sub_2") is None
    with pytest.raises(NotFound):
        desk.users.show("usr_2", NOW)


def test_a_question_about_the_past_is_answered_with_what_was_known_then(desk: Desk) -> None:
    disputed = replace(BOUGHT, status="unpaid", observed_at=NOW + 3 * DAY)
    desk.become(disputed, at=NOW + 3 * DAY)
    then = desk.users.explain(USER, "ai.insights", NOW + 2 * DAY, NOW + 9 * DAY)
    now = desk.users.explain(USER, "ai.insights", NOW + 4 * DAY, NOW + 9 * DAY)
    assert (then["allowed"], then["sources"][0]["reason"]) == (True, "active")
    assert (now["allowed"], now["sources"][0]["reason"]) == (False, "unpaid")
    timeline = desk.users.show(USER, NOW + 9 * DAY)["timeline"]
    assert [(entry["code"], entry["plan_id"], entry["status"]) for entry in timeline] == [
        ("became", "plus-month", "unpaid"),
        ("began", "plus-month", "active"),
        ("paid", "plus-month", None),
    ]
    assert timeline[1]["event_id"] == "stripe#evt_1"
    assert not desk.users.explain(USER, "ai.insights", NOW - DAY, NOW)["allowed"]


def test_a_renewal_is_one_line_with_its_amount_though_two_events_told_of_it(desk: Desk) -> None:
    later = NOW + 30 * DAY
    moved_on = replace(BOUGHT, current_period_start=later, current_period_end=later + 30 * DAY, observed_at=later)
    paid = payment("in_2", 900, paid_at=later + 3, period_start=later, period_end=later + 30 * DAY)
    desk.become(moved_on, at=later + 1)
    desk.become(replace(moved_on, payments={**BOUGHT.payments, "in_2": paid}), at=later + 5)
    timeline = desk.users.show(USER, later + DAY)["timeline"]
    assert [(entry["code"], entry["amount_cents"]) for entry in timeline] == [
        ("renewed", 900),
        ("began", None),
        ("paid", 900),
    ]
    assert timeline[0]["until"] == rfc3339(later + 30 * DAY)
    UserDetail.model_validate_json(json.dumps(desk.users.show(USER, later + DAY)))


def test_what_is_scheduled_says_what_and_when_and_what_says_nothing_is_left_out(desk: Desk) -> None:
    waits = replace(BOUGHT, scheduled_plan_id="pro-month", scheduled_plan_version=1, observed_at=NOW + 1)
    desk.become(waits, at=NOW + 1)
    desk.become(replace(waits, item_id="si_2", observed_at=NOW + 2), at=NOW + 2)  # an update of no meaning to a person
    desk.become(replace(BOUGHT, observed_at=NOW + 3), at=NOW + 3)
    desk.become(replace(BOUGHT, cancel_at_period_end=True, observed_at=NOW + 4), at=NOW + 4)
    desk.become(replace(BOUGHT, observed_at=NOW + 5), at=NOW + 5)
    timeline = desk.users.show(USER, NOW + DAY)["timeline"]
    assert [(entry["code"], entry["next_plan_id"]) for entry in timeline[:4]] == [
        *(("resumed", None), ("canceling", None), ("unscheduled", "pro-month"), ("scheduled", "pro-month")),
    ]
    assert {entry["until"] for entry in timeline[:4]} == {rfc3339(BOUGHT.current_period_end)}


def test_a_feature_that_a_change_of_plan_took_away_is_answered_with_that_change(desk: Desk) -> None:
    """Pro gave the report until they moved to Plus, which does not have it."""
    pro = replace(BOUGHT, plan_id="pro-month", observed_at=NOW + 1)
    desk.become(pro, at=NOW + 2 * DAY)
    desk.become(replace(BOUGHT, observed_at=NOW + 2), at=NOW + 5 * DAY)
    desk.become(replace(BOUGHT, item_id="si_2", observed_at=NOW + 3), at=NOW + 6 * DAY)
    why = desk.users.explain(USER, "tax.enhanced", NOW + 9 * DAY, NOW + 9 * DAY)
    assert (why["allowed"], why["scenario"]) == (False, "not_in_plan")
    assert why["last"] == {
        "kind": "subscription",
        "plan_id": "pro-month",
        "until": rfc3339(NOW + 5 * DAY),
        "then": "moved",
        "then_plan_id": "plus-month",
    }
    assert "pro-month" in [plan["plan_id"] for plan in why["offers"]]
    Explanation.model_validate_json(json.dumps(why))
    while_pro = desk.users.explain(USER, "tax.enhanced", NOW + 3 * DAY, NOW + 9 * DAY)
    assert (while_pro["allowed"], while_pro["last"], while_pro["offers"]) == (True, None, [])


def test_a_feature_that_nothing_ever_gave_has_no_last_giver(desk: Desk) -> None:
    assert desk.users.explain(USER, "tax.enhanced", NOW, NOW)["last"] is None


def test_a_feature_whose_time_ran_out_says_when(desk: Desk) -> None:
    desk.become(ENDED, at=NOW + 5 * DAY)
    why = desk.users.explain(USER, "ai.insights", NOW + 9 * DAY, NOW + 9 * DAY)
    assert (why["scenario"], why["last"]["plan_id"]) == ("expired", "plus-month")
    assert why["last"]["until"] == rfc3339(NOW + 5 * DAY)


def test_a_grant_opens_the_feature_at_once_and_the_log_says_who_gave_it_and_why(desk: Desk) -> None:
    body = GrantFeatures(features={"tax.enhanced": True}, reason="lost data", expires_at=NOW + DAY)
    grant = desk.users.grant(USER, ADMIN, NOW, body)
    shown = desk.users.show(USER, NOW)
    assert "tax.enhanced" in {e["feature"] for e in shown["entitlements"]}
    assert [g["grant_id"] for g in shown["grants"]] == [grant["grant_id"]]
    [entry] = desk.log()
    assert (entry["actor"], entry["action"], entry["reason"], entry["subject"]) == (ADMIN, "grant", "lost data", USER)
    key = f"grant#{grant['grant_id']}"
    assert (entry["before"], entry["after"][key]["granted_by"]) == ({}, ADMIN)
    desk.users.revoke(USER, ADMIN, NOW + 60, grant["grant_id"])
    assert "tax.enhanced" not in {e["feature"] for e in desk.users.show(USER, NOW + 60)["entitlements"]}
    newest = desk.log()[0]
    assert (newest["action"], newest["after"][key]["revoked_at"]) == ("revoke_grant", NOW + 60)
    assert "revoked_at" not in newest["before"][key]


def test_the_log_is_asked_for_one_person_and_one_kind_of_act(desk: Desk) -> None:
    body = GrantFeatures(features={"tax.enhanced": True}, reason="lost data")
    grant = desk.users.grant(USER, ADMIN, NOW, body)
    desk.users.revoke(USER, "usr_other", NOW + 1, grant["grant_id"])
    assert [e["action"] for e in desk.audit.month(NOW, actor="usr_other")] == ["revoke_grant"]
    assert [e["actor"] for e in desk.audit.month(NOW, action="grant", subject=USER)] == [ADMIN]
    assert desk.audit.month(NOW, actor="usr_other", action="grant") == []


def test_a_grant_that_is_repeated_because_its_answer_was_lost_is_one(desk: Desk) -> None:
    credits = {"features": {"ai.chat": {"credits": 500}}, "reason": "an outage", "idempotency_key": "grant-key-1"}
    body = GrantFeatures.model_validate(credits)
    first = desk.users.grant(USER, ADMIN, NOW, body)
    assert desk.users.grant(USER, "usr_other", NOW + 5, body) == first
    assert len(list(desk.accounts.load(USER).grants)) == 1
    assert [line["action"] for line in desk.log()] == ["grant"]
    for other in ({"expires_at": NOW + DAY}, {"reason": "a typo"}):
        with pytest.raises(Conflict) as reused:
            desk.users.grant(USER, ADMIN, NOW, body.model_copy(update=other))
        assert reused.value.code == "idempotency_key_reused"


def test_what_nothing_enforces_cannot_be_granted(desk: Desk) -> None:
    for features in ({"no.such": True}, {"ai.insights": 5}):
        with pytest.raises(InvalidRequest):
            desk.users.grant(USER, ADMIN, NOW, GrantFeatures(features=features, reason="x"))
    late = GrantFeatures(features={"ai.insights": True}, reason="x", expires_at=NOW)
    with pytest.raises(InvalidRequest):
        desk.users.grant(USER, ADMIN, NOW, late)
    assert desk.log() == []


def test_a_dry_run_of_a_refund_leaves_no_trace(desk: Desk) -> None:
    body = RefundPayment(provider="stripe", payment_id="in_1", dry_run=True, idempotency_key="refund-key-1")
    assert desk.users.refund(USER, ADMIN, NOW, body)["refundable_cents"] == 900
    assert desk.log() == []


def test_a_limited_role_gives_back_so_much_of_a_payment_all_its_refunds_together(desk: Desk) -> None:
    def body(amount: int | None) -> RefundPayment:
        asked = {"provider": "stripe", "payment_id": "in_1", "amount_cents": amount, "dry_run": True}
        return RefundPayment.model_validate({**asked, "idempotency_key": "refund-key-1"})

    assert desk.users.refund(USER, ADMIN, NOW, body(500), 500)["amount_cents"] == 500
    for too_much in (501, None):
        with pytest.raises(NotAllowed) as refused:
            desk.users.refund(USER, ADMIN, NOW, body(too_much), 500)
        assert (refused.value.code, refused.value.extensions["most_cents"]) == ("beyond_role", 500)
    back = Refund(refund_id="re_1", amount_cents=300, status="succeeded", observed_at=NOW)
    desk.become(replace(BOUGHT, payments={"in_1": replace(BOUGHT.payments["in_1"], refunds={"re_1": back})}))
    assert desk.users.refund(USER, ADMIN, NOW, body(200), 500)["amount_cents"] == 200
    with pytest.raises(NotAllowed):
        desk.users.refund(USER, ADMIN, NOW, body(201), 500)


def test_whoever_still_pays_is_not_erased(desk: Desk) -> None:
    with pytest.raises(Conflict, match="cancel sub_1 first"):
        desk.personal_data.erase(USER, ADMIN, NOW)


def test_erasing_leaves_the_books_without_the_person(desk: Desk) -> None:
    lines = [line for page in desk.metrics.ledger() for line in page]
    desk.metrics.fold(lines)
    desk.become(ENDED, at=NOW + 5 * DAY)  # a line that is not folded yet
    desk.personal_data.erase(USER, ADMIN, NOW + 6 * DAY)
    kept = [line for page in desk.metrics.ledger() for line in page]
    assert {user for user, _ in kept} == {desk.log()[0]["subject"]}
    desk.metrics.fold(kept)
    assert desk.metrics.everything(1) == counters(line for _, line in kept)
    assert desk.accounts.load(USER) == Account(USER)
    stored = str(desk.aws.call("dynamodb", "scan", TableName="AccountsTable")["Items"])
    events = str(desk.aws.call("dynamodb", "scan", TableName="PaymentEventsTable")["Items"])
    assert USER not in stored + events
    assert "cus_1" not in stored
    assert [m.movement for _, m in kept if m.kind == "mrr"] == ["new", "churn"]


def test_a_refund_that_comes_after_the_erasure_still_finds_its_payment(desk: Desk) -> None:
    desk.become(ENDED, at=NOW + 5 * DAY)
    desk.personal_data.erase(USER, ADMIN, NOW + 6 * DAY)
    late = RefundFact(
        provider="stripe",
        observed_at=NOW + 7 * DAY,
        refund_id="re_1",
        payment_ref="ch_1",
        amount_cents=900,
        currency="USD",
        status="succeeded",
    )
    owner = desk.applier.user_of("stripe", [late], NOW + 7 * DAY)
    assert desk.applier.apply(owner, "stripe", [late], NOW + 7 * DAY) == "applied"
    [(_, returned)] = desk.accounts.load(owner).income
    assert returned.fully_refunded
    assert owner.startswith("erased_")


def test_what_is_told_after_the_erasure_leads_to_nobody(desk: Desk) -> None:
    """The provider's objects still name the user: neither the books nor the events take the name up again."""
    desk.become(ENDED, at=NOW + 5 * DAY)
    desk.personal_data.erase(USER, ADMIN, NOW + 6 * DAY)
    late: dict[str, Any] = {"provider": "stripe", "observed_at": NOW + 7 * DAY, "user_id": USER, "customer_id": "cus_1"}
    facts: dict[str, Fact] = {
        "applied": SubscriptionFact(
            **late,
            subscription_id="sub_1",
            status="canceled",
            price_id="price_plus",
            current_period_start=NOW,
            current_period_end=NOW + 30 * DAY,
            created_at=NOW,
        ),
        "unchanged": CheckoutFact(**late, session_id="cs_1", status="expired"),
        "deleted": CustomerDeletedFact(**late),
    }
    for name, fact in facts.items():
        late_event = replace(payment_event(f"stripe#evt_{name}"), payload={"object": {"metadata": {"user_id": USER}}})
        desk.applier.apply(USER, "stripe", [fact], NOW + 7 * DAY, late_event)
        assert desk.events.get(late_event.event_id) is not None
    assert desk.accounts.load(USER) == Account(USER)
    kept = [
        str(desk.aws.call("dynamodb", "scan", TableName=table)["Items"])
        for table in ("AccountsTable", "PaymentEventsTable")
    ]
    assert not any(name in text for text in kept for name in (USER, "cus_1"))


def test_an_export_holds_every_record_and_event_and_is_noted(desk: Desk) -> None:
    first = desk.personal_data.export(USER, ADMIN, NOW)
    rest = desk.personal_data.export(USER, ADMIN, NOW, first["next"])
    kinds = {str(record["record"]).split("#")[0] for page in (first, rest) for record in page["records"]}
    assert kinds == {"subscription", "entitlements", "mrr", "~ledger", "~history", "payment_event"}
    assert [entry["action"] for entry in desk.log()] == ["export"]


def test_every_answer_has_the_documented_shape(desk: Desk) -> None:
    body = GrantFeatures(features={"ai.chat": {"limit": 5, "per": "month"}}, reason="x")  # type: ignore[dict-item]
    dry = RefundPayment(provider="stripe", payment_id="in_1", dry_run=True, idempotency_key="refund-key-1")
    answers: list[tuple[type[Response], Any]] = [
        (GrantView, desk.users.grant(USER, ADMIN, NOW, body)),
        (UserDetail, desk.users.show(USER, NOW)),
        (Explanation, desk.users.explain(USER, "ai.chat", NOW, NOW)),
        (RefundEffect, desk.users.refund(USER, ADMIN, NOW, dry)),
        (UserExport, desk.personal_data.export(USER, ADMIN, NOW)),
    ]
    desk.become(ENDED, at=NOW + 5 * DAY)
    answers.append((Erasure, desk.personal_data.erase(USER, ADMIN, NOW + 6 * DAY)))
    for shape, answer in answers:
        shape.model_validate_json(json.dumps(answer))


# --- the page about one customer --------------------------------------------------------------------------------------


def test_their_page_has_facts_with_the_providers_pages_money_and_what_can_be_done(desk: Desk) -> None:
    shown = UserDetail.model_validate(desk.users.show(USER, NOW))
    [facts] = shown.facts
    assert (facts.customer_id, facts.acts) == ("cus_1", ["cancel_at_end", "cancel_now", "change"])
    assert facts.url == f"https://stripe.example/subscription/{BOUGHT.subscription_id}"
    assert facts.customer_url == "https://stripe.example/customer/cus_1"
    [money] = shown.money
    [paid] = [p.amount_cents for p in BOUGHT.payments.values()]
    assert (money.payments, money.paid_cents, money.returned_cents, money.kept_cents) == (1, paid, 0, paid)
    assert shown.payments[0].url == "https://stripe.example/payment/in_1"


def test_money_that_went_back_is_no_longer_what_they_brought(desk: Desk) -> None:
    refund = Refund(refund_id="re_1", amount_cents=200, status="succeeded", observed_at=NOW)
    desk.become(replace(BOUGHT, payments={"in_1": replace(BOUGHT.payments["in_1"], refunds={"re_1": refund})}))
    [money] = UserDetail.model_validate(desk.users.show(USER, NOW)).money
    assert (money.returned_cents, money.kept_cents) == (200, money.paid_cents - 200)


def test_why_somebody_left_is_shown_with_their_words_for_half_a_year(desk: Desk) -> None:
    notes = NoteStore(desk.aws, "AccountsTable")
    desk.become(replace(ENDED, cancel_reason="too_expensive"))
    for _ in range(2):  # a call that is repeated says it once
        notes.add_comment(USER, BOUGHT.subscription_id, "I found another one", NOW, NOW)
    shown = UserDetail.model_validate(desk.users.show(USER, NOW))
    assert shown.facts[0].cancel_reason == "too_expensive"
    assert shown.facts[0].acts == []
    [said] = shown.notes
    assert (said.text, said.author, said.subscription_id) == ("I found another one", None, BOUGHT.subscription_id)
    assert said.kept_until == rfc3339(NOW + LEAVING_SECONDS)
    assert desk.users.show(USER, NOW + LEAVING_SECONDS - 1)["notes"] != []
    assert desk.users.show(USER, NOW + LEAVING_SECONDS)["notes"] == []


def test_a_note_says_who_wrote_it_and_goes_with_the_customer(desk: Desk) -> None:
    notes = Notes(desk.accounts, NoteStore(desk.aws, "AccountsTable"), desk.audit)
    with pytest.raises(NotFound):
        notes.add("usr_unknown", ADMIN, NOW, "x")
    first = notes.add(USER, ADMIN, NOW, "called about the invoice")
    notes.add(USER, "usr_other", NOW + 5, "answered")
    assert [(n["text"], n["author"]) for n in desk.users.show(USER, NOW + 6)["notes"]] == [
        ("answered", "usr_other"),
        ("called about the invoice", ADMIN),
    ]
    notes.remove(USER, ADMIN, NOW + 7, first["note_id"])
    with pytest.raises(NotFound):
        notes.remove(USER, ADMIN, NOW + 8, first["note_id"])
    assert [entry["action"] for entry in desk.log()] == ["remove_note", "add_note", "add_note"]
    assert "called about" not in json.dumps(desk.log())
    assert "answered" in json.dumps(desk.personal_data.export(USER, ADMIN, NOW + 9)["records"])
    desk.become(replace(ENDED, observed_at=NOW + 6 * DAY))
    desk.personal_data.erase(USER, ADMIN, NOW + 10)
    assert NoteStore(desk.aws, "AccountsTable").of(USER, NOW + 11) == []


def test_a_note_is_removed_in_the_log_too_when_the_answer_is_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = NoteStore(desk.aws, "AccountsTable")
    notes = Notes(desk.accounts, store, desk.audit)
    note_id = notes.add(USER, ADMIN, NOW, "called")["note_id"]
    remove = store.remove

    def remove_unanswered(user_id: str, note_id: str) -> None:
        remove(user_id, note_id)
        raise NoAnswer("DeleteItem", "Timeout")

    monkeypatch.setattr(store, "remove", remove_unanswered)
    with pytest.raises(NoAnswer):
        notes.remove(USER, ADMIN, NOW, note_id)
    with pytest.raises(NotFound):
        notes.remove(USER, ADMIN, NOW, note_id)
    assert [entry["action"] for entry in desk.log()] == ["remove_note", "add_note"]
