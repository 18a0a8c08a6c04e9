"""Holds what goes between us and the stand-in for BitPay against the published API, call by call.

BitPay publishes no schema. These are the fields and types of its documentation and of the answers that its own clients
keep as samples, as far as either end here uses them.
"""

import json
from typing import Any

from fakes.base import Answer
from fakes.bitpay import BitPay
from tests.fakes.contract import Contract, Held

_TEXT, _NUMBER, _WHOLE, _YES = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
_MILLISECONDS = {"type": "integer", "minimum": 10**12}
_STAMP = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$"}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _map(of: object) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": of}


_INVOICE_FIELDS: dict[str, Any] = {
    "id": _TEXT,
    "url": {"type": "string", "pattern": "^https?://"},
    "guid": {"type": ["string", "null"]},
    "status": {"enum": ["new", "paid", "confirmed", "complete", "expired", "invalid", "declined"]},
    "exceptionStatus": {"enum": [False, "paidPartial", "paidOver", "paidLate"]},
    "price": _NUMBER,
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "orderId": {"type": ["string", "null"]},
    "posData": {"type": ["string", "null"]},
    "itemDesc": {"type": ["string", "null"]},
    "invoiceTime": _MILLISECONDS,
    "expirationTime": _MILLISECONDS,
    "currentTime": _MILLISECONDS,
    "amountPaid": {"type": "integer", "minimum": 0},
    "displayAmountPaid": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
    "transactionCurrency": _TEXT,
    "transactions": {
        "type": "array",
        "items": _object(
            "amount txid receivedTime", amount=_WHOLE, confirmations=_WHOLE, txid=_TEXT, receivedTime=_STAMP
        ),
    },
    "paymentTotals": _map(_WHOLE),
    "paymentDisplayTotals": _map(_TEXT),
    "exchangeRates": _map(_map(_NUMBER)),
    "paymentCodes": _map(_map(_TEXT)),
    "buyerProvidedEmail": _TEXT,
    "refundAddresses": {"type": "array"},
    "refundInfo": _object(
        "supportRequest currency amounts", supportRequest=_TEXT, currency=_TEXT, amounts=_map(_NUMBER)
    ),
}
_ALWAYS = "id url status exceptionStatus price currency invoiceTime expirationTime currentTime amountPaid"
_REFUND = _object(
    "id invoice amount currency status",
    id=_TEXT,
    invoice=_TEXT,
    guid={"type": ["string", "null"]},
    reference={"type": ["string", "null"]},
    amount=_NUMBER,
    currency=_TEXT,
    status={"type": "string", "pattern": "^[a-z ]+$"},  # its list has grown before: a new word has to be survived
    type={"enum": ["full", "partial", "underpayment", "overpayment"]},
)
_INVOICE = _object(_ALWAYS, **_INVOICE_FIELDS)
SCHEMAS: dict[str, dict[str, Any]] = {
    "invoice": _object("facade data", facade=_TEXT, data=_INVOICE),
    "refund": _object("data", data=_REFUND),
    "refunds": {
        "anyOf": [
            _object("data", data={"type": "array", "items": _REFUND}),
            {"type": "array", "items": _REFUND},  # as some versions answer
        ]
    },
    "create_invoice": _object(
        "token price currency",
        **dict.fromkeys(("token", "currency", "orderId", "posData", "itemDesc", "guid"), _TEXT),
        **dict.fromkeys(("notificationURL", "redirectURL", "closeURL"), _TEXT),
        **dict.fromkeys(("autoRedirect", "extendedNotifications", "fullNotifications"), _YES),
        price={"type": "number", "exclusiveMinimum": 0},
        transactionSpeed={"enum": ["high", "medium", "low"]},
    ),
    "create_refund": _object(
        "token invoiceId amount",
        **dict.fromkeys(("token", "invoiceId", "guid", "reference"), _TEXT),
        **dict.fromkeys(("preview", "immediate", "buyerPaysRefundFee"), _YES),
        amount={"type": "number", "exclusiveMinimum": 0},
    ),
    "error": {
        "anyOf": [
            _object("error", error=_TEXT),
            _object("status code error", status={"const": "error"}, code=_TEXT, error=_TEXT, data={"type": "null"}),
            _object("errors", errors={"type": "array", "items": _object("error", param=_TEXT, error=_TEXT)}),
        ]
    },
    "webhook": _object(
        "event data",
        event=_object(
            "code name timestamp",
            code=_WHOLE,
            name={"type": "string", "pattern": "^(invoice|refund)_"},
            timestamp=_TEXT,
        ),
        data={
            "anyOf": [
                _object(_ALWAYS, **_INVOICE_FIELDS, buyerFields={"type": "object"}),
                _REFUND,
            ]
        },
    ),
}
CONTRACT = Contract(SCHEMAS)


class HeldBitPay(Held, BitPay):
    contract = CONTRACT
    paths = ("/invoices", "/refunds")
    calls = (
        ("POST /invoices", "create_invoice", "invoice"),
        ("(GET|DELETE) /invoices/[^/]+", None, "invoice"),
        ("GET /invoices/guid/[^/]+", None, "invoice"),
        ("POST /refunds", "create_refund", "refund"),
        ("GET /refunds", None, "refunds"),
        ("GET /refunds/guid/[^/]+", None, "refund"),
    )

    def error_in(self, answer: Answer) -> str | None:
        """By its body: the status says nothing at BitPay."""
        body = json.loads(answer.body)
        return "error" if isinstance(body, dict) and ("error" in body or "errors" in body) else None
