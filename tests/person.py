"""Somebody with a Nostr key who signs in and buys, as a test's actor."""

import base64
import hashlib
import json
import time
import uuid
from typing import Any

import requests
from coincurve import PrivateKey, PublicKeyXOnly

from billing.nostr.events import digest_of
from demo.shop import Shop


def signed(event: dict[str, Any], key: PrivateKey) -> dict[str, Any]:
    """A Nostr event with its author, id and BIP-340 signature, as a signer of the user's makes it."""
    event = {**event, "pubkey": PublicKeyXOnly.from_secret(key.secret).format().hex()}
    event["id"] = digest_of(*(event[name] for name in ("pubkey", "created_at", "kind", "tags", "content"))).hex()
    return {**event, "sig": key.sign_schnorr(bytes.fromhex(event["id"])).hex()}


class Person:
    """Somebody with a Nostr key, and the session it opened."""

    def __init__(self, shop: Shop, key: PrivateKey | None = None) -> None:
        self.shop = shop
        self.key = key or PrivateKey()
        self.tokens: dict[str, Any] = {}

    def proof(self, body: bytes) -> str:
        event: dict[str, Any] = {
            "created_at": int(time.time()),
            "kind": 27235,
            "tags": [
                ["u", f"{self.shop.url}/auth/nostr"],
                ["method", "POST"],
                ["payload", hashlib.sha256(body).hexdigest()],
                ["nonce", uuid.uuid4().hex],
            ],
            "content": "",
        }
        return "Nostr " + base64.b64encode(json.dumps(signed(event, self.key)).encode()).decode()

    def sign_in(self, body: bytes = b"{}", proof: str = "") -> requests.Response:
        headers = {"authorization": proof or self.proof(body), "content-type": "application/json"}
        answer = requests.post(f"{self.shop.url}/auth/nostr", data=body, headers=headers, timeout=30)
        if answer.ok:
            self.tokens = answer.json()
        return answer

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        headers["authorization"] = f"Bearer {self.tokens['session_token']}"
        return requests.request(method, self.shop.url + path, json=body, headers=headers, timeout=30)

    def buy(self, plan_id: str) -> str:
        """Pays on the mock provider's page and confirms, as the return page does; the checkout's id."""
        checkout = self.call("POST", "/billing/create-checkout-session", {"plan_id": plan_id}).json()
        requests.post(f"{checkout['url']}/pay", timeout=10, allow_redirects=False)
        assert self.call("POST", f"/billing/checkout-sessions/{checkout['checkout_id']}/confirm").ok
        return str(checkout["checkout_id"])
