"""The made-up customers of the simulated history and what they do: see `demo.history`.

A life is a generator: each step acts now and yields the seconds until the next step.
"""

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count

from billing.api.admin_requests import GrantFeatures, RefundPayment, UpdatePlan
from billing.api.buyer_requests import TrackEvent
from billing.reporting.funnel import track
from billing.rules.history import By
from billing.rules.plans import DEFAULT_GROUP
from demo.office import Office
from demo.shop import ADMIN, Shop, seeds
from fakes.base import Request

DAY, HOUR, MINUTE = 86_400, 3_600, 60
Life = Iterator[int]
# Users are named after birds; if there are more users than birds, a number is appended.
_BIRDS = (
    *("avocet", "bittern", "bulbul", "bunting", "buzzard", "chaffinch", "chough", "coot", "corncrake", "crane"),
    *("crossbill", "cuckoo", "curlew", "dipper", "dotterel", "dunlin", "dunnock", "eider", "falcon", "fieldfare"),
    *("firecrest", "fulmar", "gannet", "garganey", "godwit", "goldcrest", "goshawk", "grebe", "greenshank", "grouse"),
    *("guillemot", "harrier", "heron", "hobby", "hoopoe", "jackdaw", "jay", "kestrel", "kingfisher", "kite"),
    *("kittiwake", "knot", "lapwing", "linnet", "magpie", "martin", "merlin", "nightjar", "nuthatch", "oriole"),
    *("osprey", "ouzel", "petrel", "pintail", "pipit", "plover", "puffin", "quail", "redstart", "robin"),
    *("sanderling", "shrike", "siskin", "skylark", "snipe", "swift", "teal", "tern", "wigeon", "wren"),
)
_FEATURES = ("ai.chat", "tax.enhanced", "ai.insights", "market.history")


class Town:
    """The customers arrive one after the other over the days, a few more each month."""

    def __init__(self, shop: Shop, office: Office, chance: random.Random, customers: int, days: int) -> None:
        self._shop, self._office, self._chance = shop, office, chance
        self._days = days
        birds = (f"usr_{_BIRDS[n % len(_BIRDS)]}{n // len(_BIRDS) or ''}" for n in range(customers))
        self.users = tuple(birds)

    @property
    def now(self) -> int:
        return self._shop.mock.clock.now()

    def lives(self) -> Iterator[tuple[int, Life]]:
        """Each life and its start, in seconds after the beginning of the history."""
        stories = self._stories()
        for number, user in enumerate(self.users):
            day = self._days * ((number + self._chance.random()) / len(self.users)) ** 0.8
            yield int(day * DAY), stories[number % len(stories)](user)
        yield 0, self._visitors()
        yield 4 * HOUR, self._nights()
        for days, life in self._scenes():
            if days < self._days:
                yield (self._days - days) * DAY, life

    def _scenes(self) -> Sequence[tuple[int, Life]]:
        """Lives that are to be visible at the end, each with the number of days before the end at which it starts."""
        late, half = self._pays_late, self._pays_half
        return (
            (75, self._offers_trial()),
            (60, late("usr_weaver", self._accept)),
            (45, half("usr_tody", self._give_back)),
            (20, self._says_thanks()),
            (16, self._takes_it_back("usr_drongo")),
            (6, half("usr_grackle")),
            (3, self._strays()),
            (2, late("usr_mynah")),
        )

    def _stories(self) -> Sequence[Callable[[str], Life]]:
        """The customers' stories, in proportion to how often each is listed; late customers do not finish theirs."""
        stays, leaves, bitcoin = self._stays, self._leaves, self._pays_in_bitcoin
        return (
            partial(stays, plan="plus-month"),
            partial(bitcoin, plan="plus-month", provider="btcpay", times=9),
            partial(self._pays_again, fixes=False),
            self._comes_back,
            partial(self._changes, plan="pro-month", to="plus-month"),
            self._disputes,
            partial(leaves, plan="plus-month", reason="too_expensive"),
            partial(stays, plan="pro-month"),
            self._buys_once,
            partial(self._changes, plan="plus-month", to="pro-month"),
            partial(stays, plan="plus-year"),
            partial(self._pays_again, fixes=True),
            partial(bitcoin, plan="pro-month", provider="bitpay", times=3),
            self._looks_only,
            partial(leaves, plan="pro-month", reason="unused"),
            partial(stays, plan="plus-month"),
            self._gets_everything_back,
            partial(bitcoin, plan="plus-year", provider="btcpay", times=1),
            partial(stays, plan="pro-month"),
            self._buys_once,
            partial(leaves, plan="plus-month", reason="missing_features"),
            partial(stays, plan="pro-year"),
            self._gets_some_back,
            partial(bitcoin, plan="plus-month", provider="btcpay", times=2),
            self._changes_mind,
            partial(self._changes, plan="plus-month", to="plus-year"),
            self._looks_only,
            partial(stays, plan="plus-month"),
        )

    # --- by card ------------------------------------------------------------------------------------------------------

    def _stays(self, user: str, plan: str) -> Life:
        self._buy(user, plan)
        yield self._days * DAY

    def _leaves(self, user: str, plan: str, reason: str) -> Life:
        self._buy(user, plan)
        yield self._some_days(15, 80)
        self._cancel(user, reason)

    def _changes_mind(self, user: str) -> Life:
        yield from self._leaves(user, "pro-month", "too_expensive")
        yield self._some_days(1, 3)
        self._office.subscriptions.resume(user, self.now)

    def _comes_back(self, user: str) -> Life:
        self._buy(user, "plus-month")
        yield self._some_days(12, 25)
        self._cancel(user, "unused")
        yield self._some_days(35, 60)
        self._buy(user, "pro-month")

    def _changes(self, user: str, plan: str, to: str) -> Life:
        self._buy(user, plan)
        yield self._some_days(20, 50)
        if self._live(user):
            preview = self._office.subscriptions.preview(user, to, self.now)
            self._office.subscriptions.change(user, str(preview["preview_id"]), self.now)

    def _pays_again(self, user: str, *, fixes: bool) -> Life:
        """A renewal is declined. If `fixes`, the card is fixed in time; if not, the provider gives up in the end."""
        subscription = self._buy(user, "plus-month")
        yield 10 * DAY
        self._shop.mock.act(subscription, "decline-next")
        while self._shop.mock.objects[subscription]["status"] in ("trialing", "active"):
            yield DAY
        yield 4 * DAY
        if fixes:
            self._shop.mock.act(subscription, "settle")

    def _gets_everything_back(self, user: str) -> Life:
        subscription = self._buy(user, "plus-year")
        yield self._some_days(2, 6)
        self._cancel(user, "missing_features", at_period_end=False)
        self._refund(user, subscription, None)

    def _gets_some_back(self, user: str) -> Life:
        subscription = self._buy(user, "pro-month")
        yield self._some_days(4, 12)
        self._refund(user, subscription, 950)

    def _disputes(self, user: str) -> Life:
        subscription = self._buy(user, "pro-month")
        yield self._some_days(5, 9)
        self._shop.mock.act(self._last_payment(subscription), "dispute")
        yield 3 * DAY
        self._shop.mock.act(subscription, "cancel")
        yield self._some_days(20, 30)
        self._shop.mock.act(self._last_payment(subscription), "lose")

    def _buys_once(self, user: str) -> Life:
        self._buy(user, "tax-2026")
        yield self._days * DAY

    def _takes_it_back(self, user: str) -> Life:
        purchase = self._buy(user, "tax-2026")
        yield self._some_days(1, 3)
        self._refund(user, purchase, None)

    def _looks_only(self, user: str) -> Life:
        self._office.checkouts.create(user, "pro-month", "mock", self.now)
        yield DAY

    # --- in bitcoin ---------------------------------------------------------------------------------------------------

    def _pays_in_bitcoin(self, user: str, plan: str, provider: str, times: int) -> Life:
        """Buys term after term, each some days before the last one ends, or up to a day late."""
        self._office.checkouts.create(user, plan, provider, self.now)
        for _ in range(times):
            yield from self._pay_invoice(user, provider)
            ends_at = next(r.ends_at for r in self._office.accounts.load(user).renewals)
            yield max(HOUR, ends_at - self.now - self._some_days(-1, 5))
            self._office.renewals.open_invoice(user, DEFAULT_GROUP, None, self.now)

    def _pay_invoice(self, user: str, provider: str) -> Life:
        invoice = self._invoice(user)
        yield self._chance.randrange(2, 9) * MINUTE
        self._press(provider, invoice, "pay")
        for act in ("settle",) if provider == "btcpay" else ("confirm", "complete"):
            yield self._chance.randrange(9, 40) * MINUTE
            self._press(provider, invoice, act)
        yield MINUTE

    def _pays_half(self, user: str, then: Callable[[str], None] | None = None) -> Life:
        yield from self._pays_not_as_agreed(user, 5 * MINUTE, "underpay", then)

    def _pays_late(self, user: str, then: Callable[[str], None] | None = None) -> Life:
        yield from self._pays_not_as_agreed(user, 2 * HOUR, "late", then)

    def _pays_not_as_agreed(self, user: str, after: int, act: str, then: Callable[[str], None] | None) -> Life:
        """`then`: an admin's decision about the invoice, if any."""
        self._office.checkouts.create(user, "pro-month", "btcpay", self.now)
        invoice = self._invoice(user)
        yield after
        self._press("btcpay", invoice, act)
        yield DAY
        if then:
            then(invoice)

    def _accept(self, invoice: str) -> None:
        self._office.invoices.accept("btcpay", invoice, ADMIN, self.now)

    def _give_back(self, invoice: str) -> None:
        self._office.invoices.refund("btcpay", invoice, None, _id(), ADMIN, self.now, surplus=False)

    # --- schedules, visitors and admins -------------------------------------------------------------------------------

    def _nights(self) -> Life:
        while True:
            self._office.run_schedules(self.now)
            yield DAY

    def _visitors(self) -> Life:
        """Tracks visits to locked features and to the prices, more of them each month."""
        for part in count():
            for _ in range(self._chance.randrange(3) + part // 200):
                feature = self._chance.choice(_FEATURES)
                track(self._office.metrics, TrackEvent(event="paywall_seen", feature=feature), self.now)
                if self._chance.random() < 0.6:
                    track(self._office.metrics, TrackEvent(event="pricing_viewed"), self.now)
            yield DAY // 4

    def _offers_trial(self) -> Life:
        """An admin gives Plus a free trial of a week."""
        version = next(p["version"] for p in self._office.admin_plans.list()["plans"] if p["plan_id"] == "plus-month")
        body = {k: v for k, v in next(p for p in seeds() if p["plan_id"] == "plus-month").items() if k != "plan_id"}
        edit = UpdatePlan.model_validate({**body, "trial_days": 7, "version": version})
        by = By(actor=ADMIN, action="update_plan", subject="plus-month")
        self._office.audit.note(by, self.now, after=self._office.admin_plans.update("plus-month", edit))
        yield DAY

    def _says_thanks(self) -> Life:
        gift = GrantFeatures.model_validate({"features": {"tax.export": True}, "reason": "helped to find a fault"})
        self._office.users.grant(self.users[0], ADMIN, self.now, gift)
        yield DAY

    def _strays(self) -> Life:
        """A payment for an unknown subscription becomes a dead letter; one in live mode is quarantined."""
        for livemode in (False, True):
            now, mock = self.now, self._shop.mock
            payment = {"object": "payment", "id": f"in_{_id()}", "subscription": f"sub_{_id()}", "created": now}
            payment |= {"plan_id": "plus-month", "plan_version": 1, "amount_cents": 900, "currency": "USD"}
            payment |= {"paid_at": now, "period_start": now, "period_end": now + 30 * DAY}
            event = {"id": f"evt_{_id()}", "type": "payment.succeeded", "created": now, "livemode": livemode}
            mock.webhooks.enqueue(mock.webhook_url, {**event, "data": payment})
            yield DAY

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _buy(self, user: str, plan: str) -> str:
        """Buys a plan by card; the id of the subscription or purchase."""
        mock = self._shop.mock
        opened = self._office.checkouts.create(user, plan, "mock", self.now)
        session = str(opened["url"]).rpartition("/")[2]
        mock.pay(session)
        bought: str = mock.objects[session].get("subscription") or mock.objects[session]["purchase"]
        return bought

    def _live(self, user: str) -> bool:
        return any(s.status in ("trialing", "active") for s in self._office.accounts.load(user).subscriptions)

    def _cancel(self, user: str, reason: str, *, at_period_end: bool = True) -> None:
        if self._live(user):
            self._office.subscriptions.cancel(
                user, at_period_end=at_period_end, reason=reason, comment=None, now=self.now
            )

    def _refund(self, user: str, bought: str, amount_cents: int | None) -> None:
        body = RefundPayment(
            provider="mock",
            payment_id=self._last_payment(bought),
            amount_cents=amount_cents,
            dry_run=False,
            undecided=False,
            idempotency_key=_id(),
        )
        self._office.users.refund(user, ADMIN, self.now, body)

    def _last_payment(self, bought: str) -> str:
        """The id of a subscription's newest payment; a one-time purchase is its own payment."""
        objects = self._shop.mock.objects.values()
        newest: str = [bought, *(o["id"] for o in objects if o.get("subscription") == bought and "paid_at" in o)][-1]
        return newest

    def _invoice(self, user: str) -> str:
        newest = max(self._office.accounts.load(user).checkouts, key=lambda c: c.created_at)
        assert newest.session_id is not None
        return newest.session_id

    def _press(self, provider: str, invoice: str, act: str) -> None:
        """Presses a button of the hosted invoice."""
        stand_in, path = (self._shop.btcpay, "i") if provider == "btcpay" else (self._shop.bitpay, "invoice")
        stand_in.handle(Request(method="POST", path=f"/{path}/{invoice}", body=f"act={act}".encode()))

    def _some_days(self, least: int, most: int) -> int:
        """A random number of seconds between `least` and `most` days."""
        return self._chance.randrange(least * DAY, most * DAY)


def _id() -> str:
    return uuid.uuid4().hex[:12]
