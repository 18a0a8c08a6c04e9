"""Reminders by message to a buyer's own key: after a code came back, each once, never after they were taken back."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from billing.admin.personal_data import PersonalData
from billing.aws import Aws
from billing.errors import BillingError, Conflict, InvalidRequest, NotFound, TooManyRequests
from billing.log import SILENT
from billing.nostr.keys import Key, npub
from billing.nostr.messages import Sent
from billing.nostr.messenger import Messenger
from billing.nostr.relays import Relays
from billing.rules import reminders
from billing.rules.consequences import consequences
from billing.rules.records import Mandate, Payment, Record, Renewal, Subscription, Term
from billing.rules.reminders import CLAIMED
from billing.rules.times import DAY
from billing.sealing import Sealer
from billing.selling.message_round import Done, MessageRound
from billing.selling.messages import CODE_SECONDS, Chosen, Envelopes, Messages
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.codec import item
from billing.store.due import DueStore
from billing.store.erasure import ErasureStore
from billing.store.limits import Limits
from billing.store.messages import MESSAGES, MessageStore, Recipient
from billing.store.payment_events import PaymentEventStore
from memory import MemoryPlans
from tests.acceptance.wallets import MemoryKms
from tests.samples import CATALOGUE, NOW, PLUS, USER

KEY = Key(b"\x09" * 32)
BUYER = npub(KEY.public)
URL = "https://shop.example/account/billing"
WEEK = Chosen(days=(7, 1), language="en")


class Killed(Exception):
    """The process died here."""


@dataclass
class Inbox:
    """Takes messages as relays do: the same event once. `moods`: what becomes of the next ones; after them, `sent`."""

    moods: list[str] = field(default_factory=list)
    taken: dict[bytes, str] = field(default_factory=dict)
    tried: int = 0
    available: bool = True
    meanwhile: Callable[[], object] = lambda: None

    def parse(self, text: str) -> str:
        return Messenger(secret=str, relays=Relays()).parse(text)

    def name_of(self, recipient: str) -> str:
        return f"hash-of-{recipient[:4]}"

    def send(self, recipient: str, text: str, *, at: int, seed: bytes, expires_at: int) -> Sent:
        assert recipient == KEY.public
        self.tried += 1
        mood = self.moods.pop(0) if self.moods else "sent"
        if mood in ("sent", "unsure, but there", "there, then killed"):
            self.taken[seed + str(at).encode()] = text
        self.meanwhile()
        if mood.endswith("killed"):
            raise Killed
        return Sent(outcome=cast(Any, mood.partition(",")[0]), relays=("inbox.example",))

    @property
    def texts(self) -> list[str]:
        return list(self.taken.values())


class Shop:
    def __init__(self, tables: dict[str, str]) -> None:
        aws, table = Aws(), tables["AccountsTable"]
        self.aws, self.table, self.now = aws, table, NOW
        self.accounts = AccountStore(aws, table, tables["PaymentEventsTable"])
        self.due, self.store = DueStore(aws, table), MessageStore(aws, table)
        self.kms, self.inbox = MemoryKms(), Inbox()
        self.envelopes = Envelopes(Sealer(cast(Aws, self.kms), "key"))
        plans: Any = MemoryPlans()
        limits = Limits(aws, table)
        self.messages = Messages(
            self.accounts,
            plans,
            self.store,
            self.envelopes,
            self.inbox,
            limits,
            URL,
            (7, 1),
            lambda user: user == "gone",
        )
        clock = lambda: self.now  # noqa: E731
        self.round = MessageRound(
            self.accounts, plans, self.due, self.store, self.envelopes, self.inbox, URL, clock, SILENT
        )
        events = PaymentEventStore(aws, tables["PaymentEventsTable"])
        self.personal = PersonalData(self.accounts, ErasureStore(aws, table, events), AuditLog(aws, table))

    def become(self, *records: Record) -> None:
        account = self.accounts.load(USER)
        after = replace(account, records={**account.records, **{r.record: r for r in records}})
        self.accounts.commit(consequences(account, after, CATALOGUE, self.now))

    def code(self) -> str:
        found = re.search(r"\d{6}", self.inbox.texts[-1])
        assert found
        return found[0]

    def opt_in(self, chosen: Chosen = WEEK) -> None:
        self.messages.ask(USER, BUYER, chosen, self.now)
        self.messages.confirm(USER, self.code(), self.now)
        self.inbox.taken.clear()
        self.inbox.tried = 0

    def live(self, until: int) -> None:
        """Every round until then that could find something to do; of those that leave it undone, one a day."""
        while self.now < until:
            kept = self.store.find(USER)
            left_undone = kept is not None and kept.due_at <= self.now
            pause = DAY if left_undone else 900
            self.now = min(until, max(self.now + pause, kept.due_at)) if kept else until
            self.run()

    def run(self) -> Done:
        return self.round.run(25)

    @property
    def shown(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.messages.show(USER, self.now)["on"])

    def stored(self) -> str:
        return str(self.aws.call("dynamodb", "scan", TableName=self.table)["Items"])


@pytest.fixture
def shop(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    # Looks that nothing calls for, once a day in place of every six hours: months pass in these tests.
    monkeypatch.setattr(reminders, "LOOK", DAY)
    return Shop(tables)


def prepaid(paid_at: int = NOW, *, wanted: bool = True) -> tuple[Term, Renewal]:
    """Paid on 21 September 2026 for a month."""
    payment = Payment(payment_id="pay_1", amount_cents=900, currency="USD", paid_at=paid_at)
    term = Term(
        provider="btcpay",
        purchase_id="inv_1",
        plan_id=PLUS.plan_id,
        plan_version=1,
        state="paid",
        amount_cents=900,
        currency="USD",
        observed_at=paid_at,
        created_at=paid_at,
        payment=payment,
    )
    end = Renewal(
        group=PLUS.group,
        plan_id=PLUS.plan_id,
        plan_version=1,
        provider="btcpay",
        purchase_id="inv_1",
        ends_at=paid_at + 30 * DAY,
        wanted=wanted,
    )
    return term, end


END = NOW + 30 * DAY


def card(**of_it: Any) -> Subscription:
    given: dict[str, Any] = {"status": "active", "cancel_at_period_end": True, "current_period_end": END, **of_it}
    return Subscription(
        provider="stripe",
        subscription_id="sub_1",
        plan_id=PLUS.plan_id,
        plan_version=1,
        current_period_start=NOW,
        observed_at=NOW,
        created_at=NOW,
        payments={"in_1": Payment(payment_id="in_1", amount_cents=900, currency="USD", paid_at=NOW, period_end=END)},
        **given,
    )


# --- asking ----------------------------------------------------------------------------------------------------------


def test_nothing_is_on_before_the_code_came_back(shop: Shop) -> None:
    shop.become(*prepaid())
    answer = shop.messages.ask(USER, BUYER, WEEK, NOW)
    assert (answer["outcome"], answer["relays"], answer["on"]) == ("sent", ["inbox.example"], None)
    assert answer["asked_until"] is not None
    shop.live(END)
    assert len(shop.inbox.texts) == 1


def test_with_the_code_it_is_on_and_says_when_the_next_one_comes(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    assert shop.shown["days"] == [7, 1]
    assert (shop.shown["next_at"], shop.shown["next_end"]) == ("2026-10-14T14:13:20Z", "2026-10-21T14:13:20Z")
    assert shop.messages.show(USER, NOW)["asked_until"] is None


@pytest.mark.parametrize(
    "text", [BUYER, f"nostr:{BUYER}", f" {BUYER.upper()} ", f"NOSTR:{BUYER.upper()}\u200b", KEY.public]
)
def test_a_key_is_taken_as_people_write_it(shop: Shop, text: str) -> None:
    assert shop.messages.ask(USER, text, WEEK, NOW)["outcome"] == "sent"


@pytest.mark.parametrize("text", ["", "npub1", BUYER[:-1] + "x", "f" * 64, "nsec1" + BUYER[5:]])
def test_what_is_no_key_is_refused(shop: Shop, text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        shop.messages.ask(USER, text, WEEK, NOW)
    assert refused.value.code == "message_key_unreadable"
    assert shop.inbox.tried == 0


def test_a_code_that_did_not_leave_cannot_be_typed_in(shop: Shop) -> None:
    for mood in ("no_inbox", "not_looked", "refused"):
        shop.inbox.moods = [mood]
        answer = shop.messages.ask(USER, BUYER, WEEK, NOW)
        assert (answer["outcome"], answer["asked_until"]) == (mood, None)


def test_a_code_that_may_have_arrived_can_be_typed_in(shop: Shop) -> None:
    shop.inbox.moods = ["unsure, but there"]
    assert shop.messages.ask(USER, BUYER, WEEK, NOW)["asked_until"] is not None
    assert shop.messages.confirm(USER, shop.code(), NOW)["on"] is not None


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(BillingError) as refused:
        call()
    return refused.value.code


def test_codes_cannot_be_guessed(shop: Shop) -> None:
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    wrong = f"{(int(shop.code()) + 1) % 10**6:06d}"
    assert [refusal(lambda: shop.messages.confirm(USER, wrong, NOW)) for _ in range(5)] == ["message_code_wrong"] * 5
    assert refusal(lambda: shop.messages.confirm(USER, shop.code(), NOW)) == "message_code_ended"


def test_a_code_ends(shop: Shop) -> None:
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    assert refusal(lambda: shop.messages.confirm(USER, shop.code(), NOW + CODE_SECONDS)) == "message_code_ended"


def test_a_code_is_for_whoever_asked(shop: Shop) -> None:
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    assert refusal(lambda: shop.messages.confirm("usr_2", shop.code(), NOW)) == "message_code_ended"


def test_a_stranger_is_sent_three_codes_a_day_whoever_asks(shop: Shop) -> None:
    for number in range(3):
        shop.messages.ask(f"usr_{number}", BUYER, WEEK, NOW)
    with pytest.raises(TooManyRequests):
        shop.messages.ask("usr_9", BUYER, WEEK, NOW)
    assert shop.inbox.tried == 3


def test_a_code_that_was_never_sent_is_not_counted(shop: Shop) -> None:
    shop.inbox.moods = ["no_inbox", "not_looked", "refused", "unreachable", "sent", "unsure", "sent"]
    for number in range(7):
        shop.messages.ask(f"usr_{number}", BUYER, WEEK, NOW)
    with pytest.raises(TooManyRequests):
        shop.messages.ask("usr_9", BUYER, WEEK, NOW)


def test_another_key_counts_only_when_its_code_came_back(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    before = shop.store.find(USER)
    shop.messages.ask(USER, BUYER, Chosen(days=(3,), language="de"), NOW)
    assert shop.store.find(USER) == before
    shop.messages.confirm(USER, shop.code(), NOW)
    assert shop.shown["days"] == [3]


def test_an_account_that_no_key_opens_any_more_gets_none(shop: Shop) -> None:
    assert refusal(lambda: shop.messages.ask("gone", BUYER, WEEK, NOW)) == "account_moved"


def test_without_a_key_of_the_service_it_is_not_offered(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.inbox.available = False
    assert not shop.messages.show(USER, NOW)["available"]
    assert refusal(lambda: shop.messages.ask(USER, BUYER, WEEK, NOW)) == "messages_not_offered"
    assert refusal(lambda: shop.messages.test(USER, NOW)) == "messages_not_offered"
    shop.live(END)
    assert shop.inbox.tried == 0


# --- one now ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure"])
def test_one_now_says_what_became_of_it(shop: Shop, mood: str) -> None:
    shop.opt_in()
    shop.inbox.moods = [mood]
    assert shop.messages.test(USER, NOW)["outcome"] == mood


def test_one_now_for_whoever_asked_for_none(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.messages.test(USER, NOW)
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    with pytest.raises(NotFound):
        shop.messages.test(USER, NOW)


def test_a_key_that_cannot_be_opened_has_to_be_named_again(shop: Shop) -> None:
    shop.opt_in()
    kept = shop.store.find(USER)
    assert kept
    shop.store.put(USER, replace(kept, id="msg_other"))
    assert refusal(lambda: shop.messages.test(USER, NOW)) == "message_key_lost"
    shop.become(*prepaid())
    shop.live(END - 6 * DAY)
    assert shop.inbox.tried == 0


# --- the schedule ----------------------------------------------------------------------------------------------------


def test_each_day_is_told_once(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.live(END + 3 * DAY)
    assert (
        shop.inbox.texts
        == [f"What you have paid for ends on 21 October 2026. If you want to keep it, renew it: {URL}"] * 2
    )
    assert shop.inbox.tried == 2


def test_in_the_buyers_language(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(2,), language="de"))
    shop.live(END + DAY)
    (text,) = shop.inbox.texts
    assert text.startswith("Was du bezahlt hast, endet am 21. Oktober 2026.")
    shop.messages.set(USER, Chosen(days=(2,), language="es"), shop.now)
    assert shop.shown["language"] == "es"


def test_a_new_end_is_told_anew(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(7,), language="en"))
    shop.live(END - 6 * DAY)
    term, end = prepaid()
    assert term.payment
    paid = replace(term.payment, payment_id="pay_2", paid_at=shop.now)
    second = replace(term, purchase_id="inv_2", payment=paid, created_at=shop.now, observed_at=shop.now)
    shop.become(second, replace(end, purchase_id="inv_2", ends_at=END + 31 * DAY))
    shop.live(END + 30 * DAY)
    assert ["21 October" in text for text in shop.inbox.texts] == [True, False]


def test_what_was_over_before_the_wish_is_not_told(shop: Shop) -> None:
    shop.become(*prepaid(NOW - 25 * DAY))
    shop.opt_in()
    shop.live(NOW + 3 * DAY)
    assert shop.inbox.texts == []
    shop.live(NOW + 5 * DAY)
    assert len(shop.inbox.texts) == 1


def test_after_an_outage_the_most_urgent_alone_is_told(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(7, 3, 1), language="en"))
    shop.now = END - DAY // 2
    shop.run()
    shop.run()
    assert len(shop.inbox.texts) == 1


def test_a_buyer_who_wants_to_hear_nothing_of_this_plan_hears_nothing(shop: Shop) -> None:
    shop.become(*prepaid(wanted=False))
    shop.opt_in()
    assert shop.shown["next_at"] is None
    shop.live(END + DAY)
    assert shop.inbox.texts == []


def test_a_card_that_ends_is_told_and_one_that_goes_on_is_not(shop: Shop) -> None:
    shop.become(card())
    shop.opt_in(Chosen(days=(3,), language="en"))
    shop.live(END)
    (text,) = shop.inbox.texts
    assert text.startswith("Your subscription is set to end on 21 October 2026.")
    shop.become(card(cancel_at_period_end=False, current_period_end=END + 30 * DAY))
    shop.live(END + 31 * DAY)
    assert len(shop.inbox.texts) == 1


def test_a_trial_is_told(shop: Shop) -> None:
    shop.become(card(status="trialing", trial_end=END, cancel_at_period_end=False))
    shop.opt_in(Chosen(days=(3,), language="en"))
    shop.live(END)
    assert [text[:37] for text in shop.inbox.texts] == ["Your free trial ends on 21 October 20"]


def mandate(**of_it: Any) -> Mandate:
    given = {
        "group": PLUS.group,
        "connection_id": "wal_1",
        "plan_id": PLUS.plan_id,
        "price_cents": 900,
        "currency": "USD",
        "most_sat": 20_000,
        "lead_days": 3,
        "agreed_at": NOW,
        "ends_at": END,
        **of_it,
    }
    return Mandate(**given)


def test_a_wallet_that_needs_its_owner_is_told_at_once_and_one_that_renews_is_not(shop: Shop) -> None:
    shop.become(*prepaid(), mandate())
    shop.opt_in(Chosen(days=(7,), language="en"))
    shop.live(END - 3 * DAY)
    assert shop.inbox.texts == []
    shop.become(mandate(trouble="budget_used_up", trouble_at=shop.now, tries=1))
    shop.live(END - 2 * DAY)
    first, *others = shop.inbox.texts
    assert first.startswith("Your wallet has not renewed what ends on 21 October 2026, or cannot")
    assert len(others) <= 1  # that of the seventh day, which nobody renews any more


def test_a_trouble_that_passes_by_itself_is_left_to_the_reminders_of_the_end(shop: Shop) -> None:
    shop.become(*prepaid(), mandate())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.live(END - 3 * DAY)
    shop.become(mandate(trouble="relay_unreachable", trouble_at=shop.now, tries=1))
    shop.live(END - 2 * DAY)
    assert shop.inbox.texts == []
    shop.live(END)
    assert len(shop.inbox.texts) == 1


# --- what fails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["no_inbox", "not_looked", "refused", "unreachable", "unsure"])
def test_what_no_relay_took_is_tried_again_later_each_time_and_told(shop: Shop, mood: str) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.moods = [mood] * 3
    shop.now = END - DAY
    shop.run()
    assert (shop.shown["last"]["outcome"], shop.shown["last"]["tries"]) == (mood, 1)
    assert shop.shown["last"]["retry_at"] is not None
    shop.run()
    assert shop.inbox.tried == 1
    shop.live(shop.now + 900 + 1800 + 3600)
    assert (shop.inbox.tried, len(shop.inbox.texts)) == (4, 1)
    assert (shop.shown["last"]["outcome"], shop.shown["last"]["retry_at"]) == ("sent", None)
    shop.live(END + DAY)
    assert shop.inbox.tried == 4


def test_it_is_given_up_when_it_is_no_news_any_more(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.moods = ["unreachable"] * 100
    shop.live(END + DAY)
    tried = shop.inbox.tried
    shop.live(END + 3 * DAY)
    assert 5 < tried == shop.inbox.tried < 12


@pytest.mark.parametrize("mood", ["unsure, but there", "there, then killed", "lost, then killed"])
def test_what_may_have_arrived_is_sent_again_as_the_same_message(shop: Shop, mood: str) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.moods = [mood]
    shop.now = END - DAY
    if mood.endswith("killed"):
        with pytest.raises(Killed):
            shop.run()
    else:
        shop.run()
    shop.messages.set(USER, Chosen(days=(1,), language="de"), shop.now)
    shop.live(shop.now + CLAIMED + 1800)
    assert (shop.inbox.tried, len(shop.inbox.texts)) == (2, 1)
    assert shop.inbox.texts[0].startswith("What you have paid for")


def test_a_round_in_the_midst_of_another_sends_nothing_of_its_own(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.meanwhile = lambda: shop.run()
    shop.now = END - DAY
    shop.run()
    assert (shop.inbox.tried, len(shop.inbox.texts)) == (1, 1)


def test_what_came_late_does_not_undo_what_was_settled(shop: Shop) -> None:
    """A round that was believed dead comes back with a failure after another one had success."""
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))

    def another() -> None:
        shop.inbox.meanwhile = lambda: None
        shop.now += CLAIMED
        shop.run()

    shop.inbox.moods = ["unreachable"]
    shop.inbox.meanwhile = another
    shop.now = END - DAY
    shop.run()
    assert shop.shown["last"]["outcome"] == "sent"
    shop.live(END)
    assert (shop.inbox.tried, len(shop.inbox.texts)) == (2, 1)


# --- taking it back --------------------------------------------------------------------------------------------------


def test_taken_back_nothing_is_sent_any_more_and_nothing_is_left(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.live(END - 5 * DAY)
    shop.messages.remove(USER)
    shop.live(END + DAY)
    assert len(shop.inbox.texts) == 1
    assert shop.messages.show(USER, shop.now)["on"] is None
    assert "~messages" not in shop.stored()


def test_taken_back_while_one_is_on_its_way_it_stays_so(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.moods = ["unreachable"]
    shop.inbox.meanwhile = lambda: shop.messages.remove(USER)
    shop.now = END - DAY
    shop.run()
    shop.live(END)
    assert shop.inbox.tried == 1
    assert "~messages" not in shop.stored()


def test_changed_while_one_is_on_its_way_both_stay(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in(Chosen(days=(1,), language="en"))
    shop.inbox.meanwhile = lambda: shop.messages.set(USER, Chosen(days=(1,), language="de"), shop.now)
    shop.now = END - DAY
    shop.run()
    assert (shop.shown["language"], shop.shown["last"]["outcome"]) == ("de", "sent")
    shop.inbox.meanwhile = lambda: None
    shop.live(END)
    assert len(shop.inbox.texts) == 1


def test_an_erased_buyer_is_written_to_no_more(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    shop.personal.erase(USER, "usr_admin", NOW)
    tried = shop.inbox.tried
    shop.live(END + DAY)
    assert shop.inbox.tried == tried
    assert "~messages" not in shop.stored()


def test_neither_the_table_nor_an_export_shows_the_key_or_the_code(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.messages.ask(USER, BUYER, WEEK, NOW)
    code = shop.code()
    shop.inbox.moods = ["unreachable"]
    shop.live(END - 7 * DAY)
    for text in (shop.stored(), str(shop.personal.export(USER, "usr_admin", NOW))):
        assert KEY.public not in text
        assert BUYER not in text
        assert BUYER[-6:] not in text
        assert f"'{code}'" not in text
    exported = str(shop.personal.export(USER, "usr_admin", NOW))
    assert "~messages" in exported
    assert "sealed" not in exported


def test_what_was_told_is_forgotten_when_it_can_be_due_no_more(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.live(END)
    kept = shop.store.find(USER)
    assert kept
    assert [sending.seed for sending in kept.settings.sendings.values()] == [None]
    shop.live(END + 3 * DAY)
    kept = shop.store.find(USER)
    assert kept
    assert kept.settings.sendings == {}


def test_what_was_sent_is_read_under_the_name_that_it_had_before(shop: Shop) -> None:
    shop.become(*prepaid())
    shop.opt_in()
    shop.live(END)
    kept = shop.store.find(USER)
    assert kept
    assert kept.settings.sendings
    key = item({"user_id": USER, "record": MESSAGES})
    before = shop.aws.call("dynamodb", "get_item", TableName=shop.table, Key=key)["Item"]
    before["told"] = before.pop("sendings")
    shop.aws.call("dynamodb", "put_item", TableName=shop.table, Item=before)
    assert shop.store.find(USER) == kept


def test_a_change_for_a_wish_that_was_replaced_is_none(shop: Shop) -> None:
    shop.opt_in()
    changed: list[Recipient] = []
    assert shop.store.change(USER, "msg_old", lambda kept: changed.append(kept)) is None
    assert changed == []


def test_only_whoever_has_one_changes_it(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.messages.set(USER, WEEK, NOW)
    assert isinstance(Conflict(""), BillingError)
