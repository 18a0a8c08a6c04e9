"""Flags reach a share of the users, always the same ones, and only ever more of them."""

import pytest

from billing.aws import Aws
from billing.errors import Conflict, InvalidRequest
from billing.rollout import Flag, Flags, place, sign_in_ways
from billing.settings import Settings
from billing.store.flags import FlagStore

USERS = [f"usr_{n}" for n in range(2000)]


def reached(percent: int, *allowed: str) -> set[str]:
    flags = Flags(1, "salt", {"billing": Flag(percent, allowed)})
    return {user for user in USERS if flags.is_on("billing", user)}


def test_a_share_of_the_users_is_reached_and_stays_reached_while_it_grows() -> None:
    assert 0.27 < len(reached(30)) / len(USERS) < 0.33
    assert reached(30) < reached(60) < reached(100) == set(USERS)


def test_nobody_is_reached_at_zero_but_the_allow_list() -> None:
    assert reached(0) == set()
    assert reached(0, "usr_7") == {"usr_7"}


def test_what_is_not_listed_is_off() -> None:
    assert not Flags().is_on("billing", "usr_1")


def test_two_flags_reach_different_users_first() -> None:
    flags = Flags(1, "salt", {"a": Flag(50), "b": Flag(50)})
    both = [u for u in USERS if flags.is_on("a", u) and flags.is_on("b", u)]
    assert 0.2 < len(both) / len(USERS) < 0.3


def test_pages_compute_the_same_place() -> None:
    """The same vectors stand in the TypeScript package's test."""
    assert [place("salt", "billing", "usr_1"), place("salt", "billing", "usr_2"), place("s", "ü", "usr_3")] == [
        84,
        43,
        80,
    ]


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_percentage_is_one(percent: int) -> None:
    with pytest.raises(InvalidRequest):
        Flag(percent)


def test_flags_are_kept_and_the_salt_never_changes(tables: dict[str, str]) -> None:
    store = FlagStore(Aws(), tables["PlansTable"])
    assert store.read() == Flags()
    first = store.put("billing", Flag(10))
    second = store.put("ai", Flag(0, ("usr_1",)))
    assert store.read() == second
    assert second.salt == first.salt != ""
    assert (second.version, set(second.flags)) == (2, {"billing", "ai"})


def test_a_change_made_meanwhile_is_not_overwritten(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    store = FlagStore(Aws(), tables["PlansTable"])
    seen = store.put("billing", Flag(10))
    store.put("billing", Flag(20))
    monkeypatch.setattr(store, "read", lambda: seen)
    with pytest.raises(Conflict):
        store.put("billing", Flag(30))


def test_the_development_sign_in_is_not_offered_in_prod() -> None:
    env = {"OIDC_ISSUER": "https://id.example", "DEV_TOKEN_KEYS": "{}"}
    assert sign_in_ways(Settings({"STAGE": "dev", **env})) == ["nostr", "oidc", "development"]
    assert sign_in_ways(Settings({"STAGE": "prod", **env})) == ["nostr", "oidc"]
