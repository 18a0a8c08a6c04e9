"""Holds what goes between us and the stand-in for BTCPay Server against the published API, call by call."""

import json
from pathlib import Path
from typing import Any

from fakes.base import Answer
from fakes.btcpay import BTCPay
from tests.fakes.contract import Contract, Held

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "btcpay_schemas.json").read_text())["$defs"]
CONTRACT = Contract(SCHEMAS)
_STORE = "/api/v1/stores/[^/]+"


class HeldBTCPay(Held, BTCPay):
    contract = CONTRACT
    paths = ("/api/",)
    calls = (
        (f"POST {_STORE}/invoices", "create_invoice", "invoice"),
        (f"GET {_STORE}/invoices", None, "invoices"),
        (f"GET {_STORE}/invoices/[^/]+", None, "invoice"),
        (f"GET {_STORE}/invoices/[^/]+/payment-methods", None, "payment_methods"),
        (f"POST {_STORE}/invoices/[^/]+/status", "mark", "invoice"),
        (f"POST {_STORE}/invoices/[^/]+/refund", "refund", "pull_payment"),
        (f"GET {_STORE}/pull-payments", None, "pull_payments"),
        ("GET /api/v1/pull-payments/[^/]+", None, "pull_payment"),
        ("GET /api/v1/pull-payments/[^/]+/payouts", None, "payouts"),
        ("GET /api/v1/api-keys/current", None, "api_key"),
        ("GET /api/v1/server/info", None, "server_info"),
    )

    def error_in(self, answer: Answer) -> str | None:
        if answer.status < 300:
            return None
        return "faults" if answer.status == 422 else "problem"
