"""Flags reach a share of the users, always the same ones, and only ever more of them."""

import pytest

from billing.admin.flags import AdminFlags
from billing.aws import Aws
from billing.errors import Conflict, InvalidRequest
from billing.rules.rollout import Flag, Flags, place
from billing.settings import Settings, seller_links, sign_in_ways
from billing.store.audit import AuditLog
from billing.store.dynamodb import LostRace
from billing.store.flags import FlagStore
from samples import NOW

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


@pytest.mark.parametrize("name", ["", "Billing", "a b", "#flags", "x" * 65])
def test_a_flag_has_a_name_that_can_stand_in_a_path(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Flags().with_flag(name, Flag(1))


class Desk:
    def __init__(self, tables: dict[str, str]) -> None:
        self.store = FlagStore(Aws(), tables["PlansTable"])
        self.audit = AuditLog(Aws(), tables["AccountsTable"])
        self._flags = AdminFlags(self.store, self.audit)

    def set(self, name: str, flag: Flag, version: int | None = None) -> Flags:
        return self._flags.set(name, flag, admin="usr_admin", now=NOW, version=version)


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    return Desk(tables)


def test_flags_are_kept_and_the_salt_never_changes(desk: Desk) -> None:
    assert desk.store.read() == Flags()
    first = desk.set("billing", Flag(10))
    second = desk.set("ai", Flag(0, ("usr_1",)))
    assert desk.store.read() == second
    assert second.salt == first.salt != ""
    assert (second.version, set(second.flags)) == (2, {"billing", "ai"})


def test_each_change_is_in_the_audit_log_and_what_changes_nothing_is_not(desk: Desk) -> None:
    desk.set("billing", Flag(10))
    changed = desk.set("billing", Flag(20, ("usr_1",)))
    assert desk.set("billing", Flag(20, ("usr_1",))) == changed
    newest, first = desk.audit.month(NOW, subject="billing")
    assert (newest["actor"], newest["action"]) == ("usr_admin", "set_flag")
    assert newest["before"] == {"percent": 10, "allow": []}
    assert newest["after"] == {"percent": 20, "allow": ["usr_1"]}
    assert first["before"] == {}


@pytest.mark.parametrize("version", [0, 2], ids=["an older version", "one that is not yet"])
def test_whoever_looked_at_another_version_is_shown_the_newest(desk: Desk, version: int) -> None:
    desk.set("billing", Flag(10))
    with pytest.raises(Conflict) as refused:
        desk.set("billing", Flag(30), version)
    assert refused.value.code == "version_conflict"
    assert refused.value.extensions["newest"] == desk.store.read().to_json()


@pytest.mark.parametrize("known", [0, 1])
def test_a_change_made_between_reading_and_writing_is_not_overwritten(desk: Desk, known: int) -> None:
    seen = desk.set("billing", Flag(10)) if known else Flags()
    desk.set("billing", Flag(20))
    with pytest.raises(LostRace):
        desk.store.replace(seen, seen.with_flag("billing", Flag(30)))
    assert desk.store.read().flags["billing"] == Flag(20)


def test_the_development_sign_in_is_not_offered_in_prod() -> None:
    env = {"OIDC_ISSUER": "https://id.example", "DEV_TOKEN_KEYS": "{}"}
    assert sign_in_ways(Settings({"STAGE": "dev", **env})) == ["nostr", "oidc", "development"]
    assert sign_in_ways(Settings({"STAGE": "prod", **env})) == ["nostr", "oidc"]


def test_a_page_links_to_what_the_seller_has_and_to_nothing_else() -> None:
    settings = Settings(
        {"CONTACT_URL": " mailto:ask@shop.example ", "TERMS_URL": "", "PRIVACY_URL": "https://shop.example/p"}
    )
    assert seller_links(settings) == {
        "contact": "mailto:ask@shop.example",
        "terms": None,
        "privacy": "https://shop.example/p",
        "refunds": None,
    }
