"""How long a revoked feature can stay open: computed from the settings, measured, and held against what we state."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing.aws import Aws
from billing.errors import FeatureLocked
from billing.gate.gate import Gate, known_sources
from billing.gate.statement import TOKEN_SECONDS
from billing.identity.authorizer import SNAPSHOT_SECONDS, Authorizer
from billing.identity.callers import Callers
from billing.identity.tokens import Signer, generate_key_set
from billing.rules.consequences import consequences
from billing.rules.records import Grant
from billing.store.accounts import AccountStore
from local.authorizer import Authorizer as ApiGateway
from local.worker import Outcome
from samples import CATALOGUE, NOW, USER

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def gateway_seconds(template: dict[str, Any]) -> int:
    authorizers = template["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]
    return int(authorizers["UserAuthorizer"]["Identity"]["ReauthorizeEvery"])


@pytest.mark.parametrize("page", ["protecting-a-backend.md", "../README.md"])
def test_the_docs_state_what_the_settings_give(page: str, template: dict[str, Any], gateway_seconds: int) -> None:
    assert template["Parameters"]["EntitlementTokenSeconds"]["Default"] == TOKEN_SECONDS
    stated = (DOCS / page).read_text()
    assert f"**{TOKEN_SECONDS} seconds**" in stated
    assert f"**{gateway_seconds + SNAPSHOT_SECONDS} seconds**" in stated


class Api:
    """API Gateway's cache, our authorizer and the gate in a row, on one clock."""

    def __init__(self, aws: Aws, gateway_seconds: int) -> None:
        self.now = NOW
        self.accounts = AccountStore(aws, "AccountsTable")
        self.aws = aws
        signer = Signer({"bitsleuth-billing": generate_key_set("k")}, "bitsleuth-billing")
        self.token = signer.sign_session(USER, False, NOW, 86_400)
        authorizer = Authorizer(Callers(lambda: signer), self.accounts)

        def invoke(event: bytes) -> Outcome:
            return Outcome(json.dumps(authorizer.answer(json.loads(event), self.now)).encode(), failed=False)

        sources = ["$request.header.Authorization"]
        self.gateway = ApiGateway("User", sources, gateway_seconds, invoke, clock=lambda: self.now)
        self.gate = Gate(self.accounts, "")

    def grant(self, until: int | None) -> None:
        given = Grant(
            grant_id="g",
            features={"tax.enhanced": True},
            granted_by="admin",
            reason="test",
            granted_at=0,
            expires_at=until,
        )
        self.accounts.change(USER, lambda account: consequences(account, account.put(given), CATALOGUE, self.now))

    def open(self) -> bool:
        http = {"method": "GET"}
        event = {
            "headers": {"authorization": f"Bearer {self.token}"},
            "rawPath": "/billing/entitlements/tax.enhanced",
            "requestContext": {"accountId": "0", "apiId": "a", "http": http},
        }
        context = self.gateway.authorize(event)
        try:
            self.gate.check(USER, "tax.enhanced", CATALOGUE, self.now, known_sources(context))
        except FeatureLocked:
            return False
        return True


@pytest.fixture
def api(tables: dict[str, str], gateway_seconds: int) -> Api:
    return Api(Aws("dynamodb"), gateway_seconds)


def test_a_purchase_opens_with_the_next_call_whatever_was_cached(api: Api) -> None:
    assert not api.open()
    api.grant(until=None)
    assert api.open()


@pytest.mark.parametrize("asked_before", [0, 29, 59])
def test_a_revoked_feature_closes_within_the_bound(api: Api, gateway_seconds: int, asked_before: int) -> None:
    api.grant(until=None)
    assert api.open()
    api.now += asked_before
    assert api.open()
    revoked = api.now
    api.grant(until=revoked)
    while api.open():
        api.now += 1
        assert api.now - revoked <= gateway_seconds + SNAPSHOT_SECONDS + 1
    assert api.now - revoked <= gateway_seconds + SNAPSHOT_SECONDS + 1


def test_an_end_that_was_known_closes_on_the_second(api: Api) -> None:
    api.grant(until=NOW + 20)
    assert api.open()
    api.now = NOW + 19
    assert api.open()
    api.now = NOW + 20
    assert not api.open()
