"""Secrets: fetched once, again after a while, and kept when they cannot be asked for."""

import json

import pytest

from billing.errors import NotConfigured
from billing.providers import Clients
from billing.settings import SECRET_CACHE_SECONDS, Settings

ENV = {
    "STAGE": "test",
    "LIVEMODE": "false",
    "MOCK_URL": "http://127.0.0.1:1",
    "STRIPE_SECRET_KEY": "secretsmanager:stack/STRIPE_SECRET_KEY",
}


class Vault:
    def __init__(self) -> None:
        self.value = "sk_test_old"
        self.trouble: Exception | None = None
        self.asked = 0

    def __call__(self, secret_id: str) -> str:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return self.value


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(vault: Vault, clock: Clock) -> Settings:
    return Settings(ENV, vault, clock)


def test_a_secret_is_asked_for_once_in_its_time(settings: Settings, vault: Vault, clock: Clock) -> None:
    assert {settings.secret("STRIPE_SECRET_KEY") for _ in range(5)} == {"sk_test_old"}
    assert vault.asked == 1
    vault.value, clock.now = "sk_test_new", SECRET_CACHE_SECONDS + 1
    assert settings.secret("STRIPE_SECRET_KEY") == "sk_test_new"


def test_what_was_known_serves_while_it_cannot_be_asked_for(
    settings: Settings, vault: Vault, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.secret("STRIPE_SECRET_KEY")
    vault.trouble = TimeoutError("Secrets Manager is away")
    for minute in range(5, 11):
        clock.now = minute * 60.0 + 1
        assert settings.secret("STRIPE_SECRET_KEY") == "sk_test_old"
        assert settings.secret("STRIPE_SECRET_KEY") == "sk_test_old"
    assert vault.asked == 1 + 6, "not with each call"
    printed = capsys.readouterr().out
    assert {json.loads(line)["message"] for line in printed.splitlines()} == {"secret not refreshed"}
    assert "sk_test" not in printed
    vault.trouble, vault.value, clock.now = None, "sk_test_new", 12 * 60.0
    assert settings.secret("STRIPE_SECRET_KEY") == "sk_test_new"


def test_a_first_fetch_that_fails_is_a_fault(settings: Settings, vault: Vault) -> None:
    vault.trouble = TimeoutError("Secrets Manager is away")
    with pytest.raises(TimeoutError):
        settings.secret("STRIPE_SECRET_KEY")


def test_a_secret_that_was_emptied_is_not_kept(settings: Settings, vault: Vault, clock: Clock) -> None:
    settings.secret("STRIPE_SECRET_KEY")
    vault.trouble, clock.now = NotConfigured("it has no value"), SECRET_CACHE_SECONDS + 1
    with pytest.raises(NotConfigured):
        settings.secret("STRIPE_SECRET_KEY")


def test_a_client_is_made_anew_when_its_key_was_rolled(settings: Settings, vault: Vault, clock: Clock) -> None:
    clients = Clients(settings)
    first = clients("stripe")
    assert clients("stripe") is first
    clock.now = SECRET_CACHE_SECONDS + 1
    assert clients("stripe") is first, "the same key: the same client"
    vault.value, clock.now = "sk_test_new", 2 * SECRET_CACHE_SECONDS + 2
    second = clients("stripe")
    assert second is not first
    assert clients("stripe") is second


def test_a_key_that_was_emptied_and_filled_again_reaches_the_client(
    settings: Settings, vault: Vault, clock: Clock
) -> None:
    clients = Clients(settings)
    first, other = clients("stripe"), clients("mock")
    vault.trouble, clock.now = NotConfigured("it has no value"), SECRET_CACHE_SECONDS + 1
    assert clients("mock") is not other, "whoever needs no secret is served"
    with pytest.raises(NotConfigured):
        clients("stripe")
    vault.trouble, vault.value = None, "sk_test_new"
    assert clients("stripe") is not first


def test_a_key_that_is_rolled_while_the_client_is_made_reaches_it_with_the_next_call(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(ENV, vault, clock)
    settings.secret("STRIPE_SECRET_KEY")
    clients, made, real = Clients(settings), [], Settings.secret

    def slow(self: Settings, name: str) -> str:
        made.append(real(self, name))
        if len(made) == 1:  # what is kept grows too old, and the key is another one, before the client is made
            vault.value, clock.now = "sk_test_new", SECRET_CACHE_SECONDS + 1
        return made[-1]

    monkeypatch.setattr(Settings, "secret", slow)
    clients("stripe")
    clients("stripe")
    assert made[-1] == "sk_test_new"
