"""Opens the demo shop: starts the engine and the stand-ins, fills the secrets, seeds the plans, signs tokens."""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from coincurve import PrivateKey

from billing.aws import Aws
from billing.identity.tokens import DEV_ISSUER, Signer, Verifier, generate_key_set
from fakes.base import Server
from fakes.bitpay import BitPay
from fakes.btcpay import BTCPay
from fakes.issuer import Issuer
from fakes.mock import MockProvider
from fakes.nostr.reader import Reader
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import Wallet
from fakes.stripe.app import StripeApp
from local.engine import Engine

PLANS = Path(__file__).parents[1] / "seeds" / "plans.json"
PAGES = Path(__file__).parents[2] / "frontend" / "portal" / "dist"
USER, ADMIN = "usr_demo", "usr_admin"
STORE = "local-store"
# The providers on offer; the first is the default.
PROVIDERS = "mock,btcpay,bitpay,stripe"
# The path to which the identity provider returns after a sign-in.
SIGNED_IN = "/console/signed-in"
# Offsets from the API's port: the Nostr relay, and the page that reads its messages.
RELAY, READER = 106, 107
_TOKEN_SECONDS = 30 * 86_400


class Owner(Aws):
    """AWS with the account owner's rights: no IAM policies apply, and no injected faults."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(environ=engine.owner)


@dataclass(frozen=True, slots=True)
class Shop:
    """A running shop. `token(user_id)` is a session token for any user, signed by the development issuer."""

    engine: Engine
    mock: MockProvider
    bitpay: BitPay
    btcpay: BTCPay
    stripe: StripeApp
    issuer: Issuer
    relay: Relay
    wallet: Wallet
    reader: Reader
    _signer: Signer

    @property
    def url(self) -> str:
        return self.engine.api_url

    def token(self, user_id: str = USER, *, admin: bool = False, role: str = "admin") -> str:
        return self._signer.sign_session(user_id, admin, int(time.time()), _TOKEN_SECONDS, role)

    def sign_in(self, name: str) -> str | None:
        """The first page of `user`, `admin`, `support`, `viewer` or any user id (usr_…), with a token in its fragment.

        None for another name.
        """
        match name:
            case "user":
                return f"/pricing#token={self.token(USER)}"
            case "admin":
                return f"/console/revenue#token={self.token(ADMIN, admin=True)}"
            case "support" | "viewer":
                return f"/console/users#token={self.token(f'usr_{name}', admin=True, role=name)}"
        return f"/account/billing#token={self.token(name)}" if re.fullmatch(r"usr_\w+", name) else None

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, user: str = USER, admin: bool = False
    ) -> requests.Response:
        """Calls the API as a user or as an admin."""
        headers = {"authorization": f"Bearer {self.token(user, admin=admin)}"}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=30)


@contextmanager
def open_shop(
    *,
    port: int = 0,
    state: Path | None = None,
    enforce_policies: bool = False,
    providers: str = PROVIDERS,
    parameters: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[Shop]:
    """Runs the shop until the block ends. `parameters` override the template's and the ones set here.

    `state`: a folder that keeps tables, secrets and the stand-ins' data between runs.
    """
    vault = _vault(state)
    mock = MockProvider(vault["BILLING_WEBHOOK_SECRET"], memory=state and state / "mock.json")
    identity = PrivateKey.from_hex(vault["BITPAY_MERCHANT_KEY"]).public_key.format().hex()
    bitpay = BitPay(
        vault["BITPAY_API_KEY"], vault["BITPAY_MERCHANT_TOKEN"], identity, memory=state and state / "bitpay.json"
    )
    btcpay = BTCPay(
        STORE, vault["BTCPAY_API_KEY"], vault["BTCPAY_WEBHOOK_SECRET"], memory=state and state / "btcpay.json"
    )
    stripe = StripeApp(memory=state and state / "stripe.json")
    issuer = Issuer()
    with ExitStack() as open_until_the_end:
        # With a chosen port the stand-ins' ports are fixed too, so that the stack's parameters are the same each time.
        relay = open_until_the_end.enter_context(Relay(port and port + RELAY, btcpay.clock))
        wallet = Wallet(relay, btcpay.pay_bolt11, btcpay.clock, memory=state and state / "wallet.json")
        reader = Reader(relay, btcpay.clock, memory=state and state / "reader.json")
        open_until_the_end.enter_context(Server(reader, port and port + READER))
        for offset, stand_in in enumerate((mock, bitpay, btcpay, stripe, issuer, wallet), 100):
            open_until_the_end.enter_context(Server(stand_in, port and port + offset))
        chosen = {
            "ProviderMode": providers,
            "MockUrl": mock.url,
            "Seller": "Shop Example Ltd | 1 Example Street, 12345 Example | Tax number EX 123 456",
            "ContactUrl": "mailto:billing@shop.example",
            "TermsUrl": "https://shop.example/terms",
            "PrivacyUrl": "https://shop.example/privacy",
            "RefundPolicyUrl": "https://shop.example/refunds",
            "BitpayUrl": bitpay.url,
            "BtcpayUrl": btcpay.url,
            "BtcpayStoreId": STORE,
            "BtcpayLightning": "true",
            "StripeApiBase": stripe.url,
            "NostrIndexes": relay.url,
            **issuer.parameters(),
            **(parameters or {}),
        }
        with Engine.start(
            chosen, port=port, state=state, enforce_policies=enforce_policies, progress=progress
        ) as engine:
            mock.webhook_url = f"{engine.api_url}/billing/webhook/mock"
            btcpay.webhook_url = f"{engine.api_url}/billing/webhook/btcpay"
            stripe.add_endpoint(f"{engine.api_url}/billing/webhook/stripe", vault["STRIPE_WEBHOOK_SECRET"])
            if not any(stripe.books.all("billing_portal.configuration")):
                stripe.call("POST", "/v1/billing_portal/configurations", {"features[invoice_history][enabled]": "true"})
            progress("Filling the secrets and seeding the plans")
            fill_secrets(engine, vault)
            dev_keys = {DEV_ISSUER: vault["DEV_TOKEN_KEYS"]}
            here = engine.api_url + SIGNED_IN
            issuer.returns_to |= {here, here.replace("127.0.0.1", "localhost")}
            issuer.leaves_to |= {to.removesuffix("/signed-in") for to in issuer.returns_to}
            shop = Shop(
                engine, mock, bitpay, btcpay, stripe, issuer, relay, wallet, reader, Signer(dev_keys, DEV_ISSUER)
            )
            engine.serve_pages(PAGES, shop.sign_in)
            seed_plans(shop)
            if state:
                write_environment(shop, state / "env")
            yield shop


def fill_secrets(engine: Engine, vault: Mapping[str, str]) -> None:
    """Puts a value into every secret of the template: an empty one would be an error."""
    client = engine.client("secretsmanager")
    for logical_id in engine.stack.of_type("AWS::SecretsManager::Secret"):
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id).upper()
        value = vault.get(name, f"local-{name.lower()}")
        client.put_secret_value(SecretId=engine.resource(logical_id), SecretString=value)


def write_environment(shop: Shop, path: Path) -> None:
    """Writes a file to source in a shell that calls the API as the demo's user or admin. Only its owner can read it."""
    tokens = {"USER_TOKEN": shop.token(USER), "ADMIN_TOKEN": shop.token(ADMIN, admin=True)}
    lines = [f"export {name}={token}" for name, token in tokens.items()]
    lines += ['auth="Authorization: Bearer $USER_TOKEN"', 'admin="Authorization: Bearer $ADMIN_TOKEN"']
    path.touch(mode=0o600)
    path.write_text("\n".join([f"api={shop.url}", *lines, ""]))


def seeds() -> list[dict[str, Any]]:
    """The plans of an empty shop."""
    plans: list[dict[str, Any]] = json.loads(PLANS.read_text())
    return plans


def seed_plans(shop: Shop) -> None:
    for plan in seeds():
        answer = shop.call("POST", "/admin/plans", plan, user=ADMIN, admin=True)
        if answer.status_code not in (201, 409):
            raise RuntimeError(f"seeding {plan['plan_id']} failed: {answer.status_code} {answer.text}")


def _vault(state: Path | None) -> dict[str, str]:
    """Random secrets of this machine, made once and stored with the state."""
    path = state and state / "secrets.json"
    stored: dict[str, str] = json.loads(path.read_text()) if path and path.exists() else {}
    signing = generate_key_set("local-1")
    vault = {
        "TOKEN_SIGNING_KEYS": signing,
        "TOKEN_PUBLIC_KEYS": json.dumps(Verifier({"local": signing}).jwks()),
        "DEV_TOKEN_KEYS": generate_key_set("dev-1"),
        "BILLING_WEBHOOK_SECRET": secrets.token_hex(32),
        "ENDPOINT_SECRETS_KEY": secrets.token_hex(32),
        "VOUCHER_SECRET": secrets.token_hex(32),
        "NOSTR_SERVICE_KEY": secrets.token_hex(32),
        "BITPAY_API_KEY": secrets.token_hex(22),
        "BITPAY_MERCHANT_TOKEN": secrets.token_hex(22),
        "BITPAY_MERCHANT_KEY": secrets.token_hex(32),
        "BTCPAY_API_KEY": secrets.token_hex(20),
        "BTCPAY_WEBHOOK_SECRET": secrets.token_hex(20),
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        **stored,
    }
    if path and vault != stored:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(vault))
    return vault
