"""Holds what goes between us and the stand-in for BTCPay Server against the published API, call by call."""

import functools
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from fakes.base import Answer, Request
from fakes.btcpay import BTCPay

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "btcpay_schemas.json").read_text())
_STORE = "/api/v1/stores/[^/]+"
# (call, what is sent, what a success answers); nothing is sent with a GET.
_CALLS = (
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


def hold(name: str, document: object) -> None:
    """Raises an AssertionError that names every difference."""
    differences = [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(document)]
    assert not differences, f"not a {name} of the published API: {'; '.join(differences)}"


@functools.lru_cache(1000)
def hold_text(name: str, text: bytes) -> None:
    """The same of a body: an invoice that is looked at every hour says the same every hour."""
    hold(name, json.loads(text))


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]})


class HeldBTCPay(BTCPay):
    """The stand-in, with every call and delivery held against the published API. `broken` keeps what was not as it
    says: a server answers in a thread of its own, where an assertion would be lost."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.broken: list[str] = []
        self.held = 0
        render = self.webhooks.render

        def rendered(*message: Any) -> Any:
            body, headers = render(*message)
            self._hold("webhook", body)
            return body, headers

        self.webhooks.render = rendered

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if request.path.startswith("/api/"):
            self._hold_call(request, answer)
        return answer

    def _hold_call(self, request: Request, answer: Answer | None) -> None:
        call = f"{request.method} {request.path}"
        found = next((row for row in _CALLS if re.fullmatch(row[0], call)), None)
        if found is None:
            self.broken.append(f"{call} is no call that we know of")
            return
        _, sent, answered = found
        if sent:
            self._hold(sent, request.body)
        if answer is not None and answer.status < 500:
            problem = "faults" if answer.status == 422 else "problem"
            self._hold(answered if answer.status < 300 else problem, answer.body)

    def _hold(self, name: str, text: bytes) -> None:
        self.held += 1
        try:
            hold_text(name, text)
        except AssertionError as different:
            self.broken.append(str(different))
