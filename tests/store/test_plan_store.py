"""The plan store on moto: versions in their order, conflicts, and a catalogue kept for a while."""

from dataclasses import replace

import pytest

from billing.aws import Aws
from billing.errors import Conflict
from billing.store.plans import CATALOGUE_TTL, PlanStore
from samples import CATALOGUE, PLUS


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plans(tables: dict[str, str], asked: list[str], clock: Clock) -> PlanStore:
    aws = Aws(on_call=lambda _, operation: asked.append(operation))
    return PlanStore(aws, tables["PlansTable"], clock=clock)


def test_every_plan_comes_back_as_it_was(plans: PlanStore) -> None:
    for plan in CATALOGUE.plans:
        plans.add_version(plan)
    assert sorted(plans.catalogue().plans, key=lambda p: p.plan_id) == sorted(CATALOGUE.plans, key=lambda p: p.plan_id)


def test_a_table_without_plans_is_an_empty_catalogue(plans: PlanStore) -> None:
    assert plans.catalogue().plans == ()


def test_a_new_version_leaves_the_old_one_as_it_is(plans: PlanStore) -> None:
    plans.add_version(PLUS)
    plans.add_version(replace(PLUS, version=2, price_cents=1200))
    catalogue = plans.catalogue()
    assert [catalogue.get("plus-month", version).price_cents for version in (1, 2)] == [900, 1200]  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_out_of_turn_is_a_conflict(plans: PlanStore, version: int) -> None:
    plans.add_version(PLUS)
    with pytest.raises(Conflict) as refused:
        plans.add_version(replace(PLUS, version=version))
    assert (refused.value.code, refused.value.extensions) == (
        "version_conflict",
        {"plan_id": "plus-month", "version": 1},
    )


def test_what_changed_since_the_catalogue_was_read_is_a_conflict(plans: PlanStore, tables: dict[str, str]) -> None:
    plans.add_version(PLUS)
    other = PlanStore(Aws(), tables["PlansTable"])
    for store in (plans, other):
        store.catalogue(fresh=True)
    other.set_status(PLUS, "archived")
    with pytest.raises(Conflict, match="changed meanwhile"):
        plans.add_version(replace(PLUS, version=2))
    plans.catalogue(fresh=True)
    other.add_version(replace(PLUS, version=2))
    with pytest.raises(Conflict, match="changed meanwhile"):
        plans.set_status(PLUS, "archived")
    assert plans.catalogue().get("plus-month", 2) is not None, "what is known to be old is read again"


def test_a_status_changes_and_nothing_else(plans: PlanStore) -> None:
    plans.add_version(PLUS)
    plans.set_status(PLUS, "archived")
    assert plans.catalogue().plans == (replace(PLUS, status="archived"),)


def test_the_catalogue_is_kept_for_a_minute_and_read_with_two_calls(
    plans: PlanStore, asked: list[str], clock: Clock
) -> None:
    plans.add_version(PLUS)
    asked.clear()
    plans.catalogue()
    clock.now += CATALOGUE_TTL
    plans.catalogue()
    assert asked == ["get_item", "batch_get_item"]
    clock.now += 1
    plans.catalogue()
    plans.catalogue(fresh=True)
    assert asked == ["get_item", "batch_get_item"] * 3


def test_what_was_just_written_is_seen_at_once(plans: PlanStore) -> None:
    plans.catalogue()
    plans.add_version(PLUS)
    assert plans.catalogue().get("plus-month") == PLUS


def test_more_versions_than_one_call_may_ask_for(plans: PlanStore, asked: list[str]) -> None:
    for version in range(1, 103):
        plans.add_version(replace(PLUS, version=version))
    asked.clear()
    assert len(plans.catalogue().plans) == 102
    assert asked == ["get_item", "batch_get_item", "batch_get_item"]
