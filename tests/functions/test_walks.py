"""The three walks of docs/architecture.md: which files of ours one Stripe event, one checkout and one refund enter.

The documented lists are compared with what runs, so that a reader who opens these files misses nothing.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType

import pytest
import requests

from billing.providers import stripe
from billing.providers.stripe.client import connect
from billing.settings import Settings
from fakes.base import Server
from fakes.stripe.app import StripeApp
from local.deliveries import delivery
from samples import PLUS, USER
from tests.functions.conftest import PARAMETERS, SECRETS, Answer, Cloud, queued
from tests.functions.conftest import recorded as recorded_event

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "billing" / "billing"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

# What every file may call and no walk is about: the transport behind one call to AWS, the log, what is left of time.
ASIDE = ("aws/", "data.py", "deadline.py", "log.py", "origin.py")

Call = Callable[..., Answer]
Load = Callable[[str], ModuleType]


class Walk:
    """The files of ours that are entered, and how often one calls into another."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.calls = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (entered := _place(frame)) is None:
            return
        self.files.add(entered)
        caller, came_from = frame.f_back, None
        while caller is not None and came_from is None:
            caller, came_from = caller.f_back, _place(caller)
        self.calls += came_from not in (None, entered)


def _place(frame: FrameType) -> str | None:
    """Our file that a frame runs in, as the page names it; None for everybody else's, and for what stands aside."""
    path = Path(frame.f_code.co_filename)
    if path.is_relative_to(PACKAGE):
        place = str(path.relative_to(PACKAGE))
        return None if place.startswith(ASIDE) else place
    return f"functions/{path.name}" if path.parent == ROOT / "functions" else None


@contextmanager
def recorded() -> Iterator[Walk]:
    walk = Walk()
    before = sys.getprofile()
    sys.setprofile(walk)
    try:
        yield walk
    finally:
        sys.setprofile(before)


# The page says so of the walks that have an aim.
MOST_CALLS = 200


def held(walk: Walk, title: str) -> None:
    """A walk against the page: its files, and their number in the heading."""
    assert documented(title) == walk.files
    assert heading(title) == f"{title}: {len(walk.files)} files"
    if title in AIMS:
        assert walk.calls <= MOST_CALLS


def heading(title: str) -> str:
    return next((line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith(f"### {title}:")), "")


def documented(title: str) -> set[str]:
    """The files that the page lists under a walk's title."""
    (text,) = re.findall(rf"^### {title}:[^\n]*\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([\w/]+\.py)`", text))


# The aims that the page says are out of reach, and how long a file may be.
AIMS = {"The same event from the queue to the commit": 16, "A checkout": 15}
LONGEST_FILE = 450


@pytest.mark.parametrize(("title", "aim"), AIMS.items())
def test_the_aim_would_take_files_that_are_too_long(title: str, aim: int) -> None:
    # Files are never equally long: with an average of nine tenths of the limit many are beyond it.
    assert sum(map(length, documented(title))) / aim > 0.9 * LONGEST_FILE


def length(path: str) -> int:
    return (ROOT / path if path.startswith("functions/") else PACKAGE / path).read_text().count("\n")


@pytest.fixture
def shop(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeApp]:
    """Stripe's stand-in, with the plan on sale there."""
    app = StripeApp()
    with Server(app):
        for name, value in {"ProviderMode": "stripe", "StripeApiBase": app.url}.items():
            monkeypatch.setitem(PARAMETERS, name, value)
        monkeypatch.setitem(SECRETS, "StripeSecretKey", "sk_test_x")
        env = {"STAGE": "test", "LIVEMODE": "false", "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_API_BASE": app.url}
        plan = replace(PLUS, provider_plan_ids={})
        price = connect(Settings(env)).sync_plan(plan, dry_run=False).price_id
        assert price
        cloud.plans.add_version(replace(plan, provider_plan_ids={"stripe": price}))
        yield app


def paid(call: Call, shop: StripeApp) -> bytes:
    """What Stripe says of the first invoice of a subscription that somebody bought through us."""
    assert call("create_checkout_session", body={"plan_id": "plus-month"}).status == 200
    (session,) = shop.books.all("checkout.session")
    shop.books.complete(session)
    (event,) = [e for e in shop.books.events if e["type"] == "invoice.paid"]
    return json.dumps(event).encode()


def test_a_stripe_event_at_the_door(load: Load, call: Call, shop: StripeApp) -> None:
    body, door = paid(call, shop), load("webhook_stripe")
    event = delivery("stripe", body, "secret-of-StripeWebhookSecret", int(time.time()))
    door.handler(event, None)
    with recorded() as walk:
        assert door.handler(event, None)["statusCode"] == 200
    held(walk, "The webhook of a Stripe event")


def test_a_stripe_event_from_the_queue_to_the_commit(load: Load, call: Call, cloud: Cloud, shop: StripeApp) -> None:
    body, process = paid(call, shop), load("process_payment_events")
    process.handler(queued(), None)
    with recorded() as walk:
        answer = process.handler(queued(stripe.minimise(body)), None)
    assert answer == {"batchItemFailures": []}
    assert [s.plan_id for s in cloud.accounts.load(USER).subscriptions] == ["plus-month"]
    held(walk, "The same event from the queue to the commit")


def test_a_checkout(call: Call, cloud: Cloud) -> None:
    cloud.seed_plans()
    call("create_checkout_session", body={"plan_id": "no-such-plan"})
    with recorded() as walk:
        assert call("create_checkout_session", body={"plan_id": "plus-month"}).status == 200
    held(walk, "A checkout")


def test_a_refund(load: Load, call: Call, cloud: Cloud) -> None:
    cloud.seed_plans()
    checkout = call("create_checkout_session", body={"plan_id": "tax-2026"}).json
    requests.post(f"{checkout['url']}/pay", timeout=10, allow_redirects=False)
    call("confirm_checkout", path={"checkout_id": checkout["checkout_id"]})
    shown = call("admin_users.show", path={"user_id": USER}).json
    (payment,) = shown["payments"]
    event = recorded_event("api/admin_users.show")
    body = {k: payment[k] for k in ("provider", "payment_id")} | {"idempotency_key": "a-refund-of-the-tests"}
    event |= {"routeKey": "POST /admin/users/{user_id}/refunds", "body": json.dumps(body)}
    event["pathParameters"] = {"user_id": USER}
    admin = load("admin_users")
    with recorded() as walk:
        answer = Answer(admin.handler(event, None))
    assert answer.status == 200, answer.text
    held(walk, "A refund")
