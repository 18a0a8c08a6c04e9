"""Wraps a recorded webhook body in the event that its function receives, with a fresh signature.

`python -m local.deliveries stripe events/stripe/invoice.paid.endive.json --secret whsec_…` prints one, for
`sam local invoke WebhookStripeFunction --event -` or for `Engine.invoke`. With `--post URL` it posts the body instead.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import requests
import typer

from billing.providers.signatures import sign_timestamped

# Provider → its signature header and the function that makes its value from (body, secret, now).
SIGNATURES: Mapping[str, tuple[str, Callable[[bytes, str, int], str]]] = {
    "stripe": ("stripe-signature", sign_timestamped),
    "mock": ("mock-signature", sign_timestamped),
    "bitpay": ("x-signature", lambda body, secret, now: base64.b64encode(_hmac(body, secret)).decode()),
    "btcpay": ("btcpay-sig", lambda body, secret, now: f"sha256={_hmac(body, secret).hex()}"),
}


def delivery(provider: str, body: bytes, secret: str, now: int) -> dict[str, Any]:
    """The API Gateway event (payload 2.0) of a delivery signed at `now`, in Unix seconds."""
    header, sign = SIGNATURES[provider]
    path = f"/billing/webhook/{provider}"
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", header: sign(body, secret, now)},
        "requestContext": {"http": {"method": "POST", "path": path}, "routeKey": f"POST {path}", "stage": "$default"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def _hmac(body: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def main(
    provider: str,
    recorded: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    secret: Annotated[str, typer.Option(envvar="WEBHOOK_SECRET")],
    post: Annotated[str, typer.Option(help="Post the body to this webhook URL instead of printing.")] = "",
) -> None:
    """Prints the event for one recorded body, or posts the body."""
    event = delivery(provider, recorded.read_bytes(), secret, int(time.time()))
    if not post:
        json.dump(event, sys.stdout, indent=2)
        return
    answer = requests.post(post, data=recorded.read_bytes(), headers=event["headers"], timeout=30)
    typer.echo(f"{answer.status_code} {answer.text}")


if __name__ == "__main__":
    typer.run(main)
