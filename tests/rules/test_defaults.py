"""What a fact or a record does not say is nothing: that is how every record is read that is older than a field of it.

And the numbers by which the rules decide. Users feel each of them, so a change of one is a decision, and made here too.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

from billing import rules
from billing.data import MISSING

MODULES = [importlib.import_module(found.name) for found in pkgutil.walk_packages(rules.__path__, "billing.rules.")]
# What is not nothing when it is not said.
SAID = {
    "Allowance": {"per": "month"},
    "Ahead": {"currency": "USD"},
    "Plan": {"group": "main", "grace_days": 7, "status": "active"},
    "ItemFact": {"quantity": 1},
    "SubscriptionFact": {"quantity": 1},
    "DunningFact": {"state": "open"},
    "Dunning": {"state": "open"},
    "Subscription": {"quantity": 1},
    "Redemption": {"intervals": 1},
    "Renewal": {"wanted": True},
    "Said": {"period": "never"},
    "RefundRequest": {"status": "reserved", "tries": 1},
    "Account": {"whole": True},
    "Sending": {"tries": 1, "outcome": "trying"},
    "Voucher": {"intervals": 1},
    "Batch": {"intervals": 1},
}
HOUR = 3600
DAY = 86_400
NUMBERS = {
    "access.DELIVERY_SLACK": 12 * HOUR,
    "access.NEVER": 0,
    "allowances.MAX_RESERVATIONS": 50,
    "consequences.ROOM": 90,
    "past.MOVED_AT_ONCE": 25,
    "past.COVERING_KEPT": 290,
    "ended.MOVED_AT_ONCE": 20,
    "ended.AT_HAND": 12,
    "entitlements.ENDED_KEPT": 10,
    "records.RECENT_EVENTS": 8,
    "apply.subscriptions.UNPAID_KEPT": 24,
    # Ten tries in three days.
    "host_events.TRIES": 10,
    "host_events.PAUSED_AFTER": 272_105,
    "host_signatures.TOLERANCE_SECONDS": 300,  # as Standard Webhooks has it
    "icalendar.LONGEST_LINE": 75,  # RFC 5545, 3.1
    "money.LARGEST": 10**12,
    "polling.LONGEST": 90 * DAY,
    "reminders.CLAIMED": 10 * 60,
    "reminders.LOOK": 6 * HOUR,
    "renewal.INVOICE_MINUTES": 20,
    "renewal.MARGIN": 30 * 60,
    "renewal.LEAST_LEFT": 3 * 60,
    "renewal.OUTLIVES": 2 * 60,
    "renewal.MOST_ASKS": 3,
    "renewal.SOON": 5 * 60,
    "times.DAY": DAY,
    "vouchers.LENGTH": 20,
    "apply.purchases.LONGEST_LEAD": 30 * DAY,
}


def classes(module: ModuleType) -> list[type]:
    own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
    return [c for c in own if dataclasses.is_dataclass(c)]


CLASSES = [c for module in MODULES for c in classes(module)]


@pytest.mark.parametrize("described", CLASSES, ids=lambda c: c.__qualname__)
def test_what_is_not_said_is_nothing(described: type) -> None:
    said = {
        field.name: field.default
        for field in dataclasses.fields(described)
        if field.default not in (MISSING, dataclasses.MISSING)
        and field.init
        and (field.default or field.default is True)
    }
    assert said == SAID.get(described.__qualname__, {})


def test_every_class_that_says_more_is_there() -> None:
    assert SAID.keys() <= {c.__qualname__ for c in CLASSES}


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_the_numbers_of_the_rules(name: str) -> None:
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(f"billing.rules.{module}"), constant) == NUMBERS[name]


def test_every_public_number_is_held() -> None:
    own = {
        f"{module.__name__.removeprefix('billing.rules.')}.{name}"
        for module in MODULES
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, int)
    }
    assert {name.rpartition(".")[2] for name in own} == {name.rpartition(".")[2] for name in NUMBERS}
