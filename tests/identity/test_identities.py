"""Signing in, staying signed in, being thrown out; several keys for one account."""

from typing import Any

import pytest

from billing.aws import Aws
from billing.errors import Conflict, NotAuthenticated, TooManyRequests
from billing.identity.identities import (
    REFRESH_SECONDS,
    REUSE_SECONDS,
    SESSION_SECONDS,
    SIGN_INS_PER_MINUTE,
    Identities,
    Tokens,
    user_id_of,
)
from billing.identity.tokens import Signer, generate_key_set
from billing.rules.consequences import consequences
from billing.rules.plans import Catalogue
from billing.rules.records import Grant
from billing.store.accounts import AccountStore
from billing.store.identities import IdentityStore
from billing.store.limits import Limits

NOW = 1_800_000_000
PEPPER = "a pepper"
KEYS = generate_key_set("k1")
SIGNER = Signer({"bitsleuth-billing": KEYS}, "bitsleuth-billing")
TABLE = "AccountsTable"


@pytest.fixture
def aws(tables: dict[str, str]) -> Aws:
    return Aws()


class Door:
    """Sign-in with fresh proofs."""

    def __init__(self, aws: Aws) -> None:
        self.accounts = AccountStore(aws, TABLE)
        self.store = IdentityStore(aws, TABLE)
        self.identities = Identities(self.store, Limits(aws, TABLE), self.accounts, SIGNER, PEPPER)
        self.proofs = 0

    def sign_in(self, key: str = "key-a", now: int = NOW, link_to: str | None = None) -> Tokens:
        self.proofs += 1
        return self.identities.sign_in(key, f"proof-{self.proofs}", 120, now, link_to)

    def bought(self, user_id: str) -> None:
        """The user has an account with something in it."""
        grant = Grant(grant_id="g1", features={}, granted_by="usr_admin", reason="x", granted_at=NOW)
        before = self.accounts.load(user_id)
        self.accounts.commit(consequences(before, before.put(grant), Catalogue(()), NOW))


@pytest.fixture
def door(aws: Aws) -> Door:
    return Door(aws)


def test_a_key_always_opens_the_same_account_and_is_stored_nowhere(door: Door, aws: Aws) -> None:
    first, again, other = door.sign_in("key-a"), door.sign_in("key-a"), door.sign_in("key-b")
    assert first.user_id == again.user_id == user_id_of(PEPPER, "nostr", "key-a") != other.user_id
    assert "key-a" not in str(aws.call("dynamodb", "scan", TableName=TABLE)["Items"])


def test_another_pepper_gives_other_ids() -> None:
    assert user_id_of("one", "nostr", "k") != user_id_of("two", "nostr", "k") != user_id_of("two", "oidc", "k")


def test_the_session_token_speaks_for_the_account_for_a_quarter_of_an_hour(door: Door) -> None:
    tokens = door.sign_in()
    session = SIGNER.verify_session(tokens.session_token, NOW)
    assert (session.user_id, session.admin) == (tokens.user_id, False)
    assert session.expires_at == tokens.expires_at == NOW + SESSION_SECONDS


def test_a_proof_opens_once(door: Door) -> None:
    door.identities.sign_in("key-a", "one proof", 120, NOW, None)
    with pytest.raises(NotAuthenticated):
        door.identities.sign_in("key-a", "one proof", 120, NOW + 1, None)


def test_a_key_that_signs_in_too_often_has_to_wait_and_others_do_not(door: Door) -> None:
    for _ in range(SIGN_INS_PER_MINUTE):
        door.sign_in()
    with pytest.raises(TooManyRequests):
        door.sign_in()
    door.sign_in("key-b")
    door.sign_in(now=NOW + 60)


def test_refresh_tokens_rotate(door: Door) -> None:
    first = door.sign_in()
    second = door.identities.refresh(first.refresh_token, NOW + 600)
    third = door.identities.refresh(second.refresh_token, NOW + 1200)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert third.user_id == first.user_id
    assert third.expires_at == NOW + 1200 + SESSION_SECONDS


def test_a_lost_answer_can_be_asked_for_again_within_seconds(door: Door) -> None:
    first = door.sign_in()
    lost = door.identities.refresh(first.refresh_token, NOW)
    repeated = door.identities.refresh(first.refresh_token, NOW + REUSE_SECONDS)
    assert repeated.refresh_token == lost.refresh_token
    door.identities.refresh(repeated.refresh_token, NOW + 60)


def test_a_refresh_token_used_again_later_ends_the_chain_for_thief_and_owner(door: Door) -> None:
    stolen = door.sign_in().refresh_token
    owners = door.identities.refresh(stolen, NOW).refresh_token
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(stolen, NOW + REUSE_SECONDS + 1)
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(owners, NOW + REUSE_SECONDS + 2)


def test_a_token_of_two_rotations_ago_ends_the_chain_at_once(door: Door) -> None:
    oldest = door.sign_in().refresh_token
    newest = door.identities.refresh(door.identities.refresh(oldest, NOW).refresh_token, NOW).refresh_token
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(oldest, NOW)
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(newest, NOW)


def test_one_sign_in_ended_leaves_the_others_alone(door: Door) -> None:
    laptop, phone = door.sign_in(), door.sign_in()
    door.identities.sign_out(laptop.refresh_token)
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(laptop.refresh_token, NOW)
    door.identities.refresh(phone.refresh_token, NOW)


def test_a_made_up_token_signs_nobody_out(door: Door) -> None:
    tokens = door.sign_in()
    door.identities.sign_out(tokens.refresh_token[:-4] + "AAAA")
    door.identities.refresh(tokens.refresh_token, NOW)


def test_a_sign_in_ends_after_its_days_however_often_it_was_refreshed(door: Door) -> None:
    refreshed = door.identities.refresh(door.sign_in().refresh_token, NOW + REFRESH_SECONDS - 1)
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(refreshed.refresh_token, NOW + REFRESH_SECONDS)


@pytest.mark.parametrize(
    "token", ["", "x", "usr_1.a", "usr_1..b", "link#stripe.a.b", "usr_1.a.b.c", "usr_none.fam.secret"]
)
def test_what_is_no_refresh_token_is_refused(door: Door, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(token, NOW)


def test_a_second_key_opens_the_account_it_was_linked_to(door: Door) -> None:
    account = door.sign_in("key-a")
    linked = door.sign_in("key-b", link_to=account.session_token)
    assert linked.user_id == account.user_id == door.sign_in("key-b").user_id
    assert door.sign_in("key-b", link_to=account.session_token).user_id == account.user_id


def test_a_key_is_linked_to_one_account_only(door: Door) -> None:
    account, other = door.sign_in("key-a"), door.sign_in("key-c")
    door.sign_in("key-b", link_to=account.session_token)
    with pytest.raises(Conflict):
        door.sign_in("key-b", link_to=other.session_token)


def test_a_key_with_purchases_of_its_own_is_not_linked_away_from_them(door: Door) -> None:
    buyer = door.sign_in("key-b").user_id
    door.bought(buyer)
    with pytest.raises(Conflict) as refused:
        door.sign_in("key-b", link_to=door.sign_in("key-a").session_token)
    assert refused.value.code == "identity_has_account"


def test_linking_needs_a_valid_session_of_the_account(door: Door) -> None:
    with pytest.raises(NotAuthenticated):
        door.sign_in("key-b", now=NOW + SESSION_SECONDS + 60, link_to=door.sign_in("key-a").session_token)


# --- a key that moves ------------------------------------------------------------------------------------------------


def test_linking_a_key_ends_the_sign_ins_of_the_account_that_it_leaves(door: Door) -> None:
    desktop, phone = door.sign_in("key-a"), door.sign_in("key-k")
    door.sign_in("key-k", link_to=desktop.session_token)
    with pytest.raises(NotAuthenticated):
        door.identities.refresh(phone.refresh_token, NOW + 60)
    assert door.identities.refresh(desktop.refresh_token, NOW + 60).user_id == desktop.user_id
    assert door.sign_in("key-k").user_id == desktop.user_id


def test_a_sign_in_that_began_while_its_key_was_linked_ends_with_its_first_renewal(door: Door) -> None:
    desktop, phone = door.sign_in("key-a"), door.sign_in("key-k")
    door.sign_in("key-k", link_to=desktop.session_token)
    late = door.identities._start(phone.user_id, NOW)
    with pytest.raises(NotAuthenticated, match="another account"):
        door.identities.refresh(late.refresh_token, NOW + 60)


def test_an_account_whose_only_key_has_moved_is_told_apart(door: Door) -> None:
    desktop, phone = door.sign_in("key-a"), door.sign_in("key-k")
    assert not door.store.moved(phone.user_id)
    door.sign_in("key-k", link_to=desktop.session_token)
    assert door.store.moved(phone.user_id)
    assert not door.store.moved(desktop.user_id)


def test_an_account_with_another_key_stays_open_when_its_own_moves(door: Door) -> None:
    desktop, phone = door.sign_in("key-a"), door.sign_in("key-k")
    door.sign_in("key-spare", link_to=phone.session_token)
    door.sign_in("key-k", link_to=desktop.session_token)
    assert not door.store.moved(phone.user_id)


def test_a_purchase_that_comes_between_keeps_the_key_where_it_is(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop, phone = door.sign_in("key-a"), door.sign_in("key-k")
    link = door.store.link

    def bought_first(*linked: Any) -> None:
        door.bought(phone.user_id)
        link(*linked)

    monkeypatch.setattr(door.store, "link", bought_first)
    with pytest.raises(Conflict):
        door.sign_in("key-k", link_to=desktop.session_token)
    assert door.sign_in("key-k").user_id == phone.user_id
