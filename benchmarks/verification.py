"""Verifying and minimising a webhook, next to the Stripe SDK's construct_event on the same bytes.

Each round times all variants; a ratio is the median of the ratios of each round.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import stripe as sdk

from benchmarks.cloud import EmptyCloud
from benchmarks.environment import ROOT
from billing.aws import Aws
from billing.intake.webhook import webhook
from billing.log import SILENT
from billing.providers import stripe
from billing.providers.signatures import sign_timestamped
from billing.settings import Settings
from local.deliveries import delivery

SECRET = "whsec_of_the_benchmark"  # noqa: S105 opens nothing
CALLS = 200


class _NoQueue:
    """A queue whose sends cost nothing; `make bench ARGS=transport` measures them."""

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        return {}


def report(rounds: int) -> None:
    body = (ROOT / "events" / "stripe" / "invoice.paid.endive.json").read_bytes()
    now = int(time.time())
    header = sign_timestamped(body, SECRET, now)
    headers = {"stripe-signature": header}

    def verify() -> object:
        return stripe.verify(body, headers, [SECRET], now)

    def verify_and_minimise() -> object:
        verify()
        return stripe.minimise(body)

    event = delivery("stripe", body, SECRET, now)
    handler = webhook(stripe, lambda: [SECRET], Settings(EmptyCloud().variables), cast(Aws, _NoQueue()), SILENT)

    def construct_event() -> object:
        return sdk.Webhook.construct_event(body, header, SECRET)  # type: ignore[no-untyped-call]  # the SDK's

    variants: dict[str, Callable[[], object]] = {
        "signature": verify,
        "signature, allow-list, facts checked": verify_and_minimise,
        "whole function, without queue and log": lambda: handler(event, None),
        "SDK: construct_event": construct_event,
    }
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds + 1):
        for name, variant in variants.items():
            began = time.process_time()
            for _ in range(CALLS):
                variant()
            spent[name].append((time.process_time() - began) / CALLS * 1e6)
    print(f"Webhook verification: {len(body)} bytes, CPU of a call, median of {rounds} rounds of {CALLS}")
    naive = spent["SDK: construct_event"][1:]
    for name, every in spent.items():
        ratio = statistics.median(n / o for o, n in zip(every[1:], naive, strict=True))
        print(f"{name:42}{statistics.median(every[1:]):8.0f} µs{ratio:7.1f}×")
