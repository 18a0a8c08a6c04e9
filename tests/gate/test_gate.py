"""What everybody has for free, and what a free key does not get."""

from dataclasses import replace

import pytest

from billing.gate.gate import with_free
from billing.rules.entitlements import Entitlement, Source, decide
from billing.rules.plans import Catalogue
from tests.samples import FREE, NOW, PLUS

OPEN, AFTER = Catalogue((FREE, PLUS)), Catalogue((replace(FREE, after_purchase=True), PLUS))
FEATURE = next(iter(FREE.features))


def source(kind: str, until: int | None) -> Source:
    return Source(
        kind=kind,  # type: ignore[arg-type]
        id="x",
        plan_id="plus_month",
        plan_version=1,
        start=NOW - 100,
        until=until,
        reason="x",
        features={},
    )


def has(catalogue: Catalogue, *known: Source) -> bool:
    return isinstance(decide(with_free(known, catalogue), FEATURE, NOW), Entitlement)


def test_the_free_plan_is_everybodys() -> None:
    assert has(OPEN)


def test_a_free_plan_after_purchase_gives_a_fresh_key_nothing() -> None:
    assert not has(AFTER)
    assert not has(AFTER, source("purchase", NOW - 100)), "one that never opened"


@pytest.mark.parametrize("known", [source("subscription", NOW - 1), source("purchase", None), source("grant", NOW + 9)])
def test_it_is_for_whoever_bought_or_was_given_something_once(known: Source) -> None:
    assert has(AFTER, known)
