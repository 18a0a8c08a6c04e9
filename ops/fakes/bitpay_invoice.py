"""An invoice of the BitPay stand-in, its possible next steps, and JSON with exact numbers."""

import json
from dataclasses import dataclass, field
from typing import Any

from fakes.base import Answer
from fakes.bitcoin_pages import Choice

EXCEPTIONS = {"paidPartial": ", paid in part", "paidOver": ", paid too much", "paidLate": ", paid too late"}


@dataclass(slots=True)
class Invoice:
    id: str
    request: dict[str, Any]
    created: int
    expires: int
    satoshis: int
    status: str = "new"
    exception: str | None = None
    received: list[tuple[int, int]] = field(default_factory=list)
    """(time, satoshis) of each payment."""

    @property
    def paid(self) -> int:
        return sum(amount for _, amount in self.received)


def choices_of(invoice: Invoice) -> list[Choice]:
    if invoice.status == "new":
        pay = [("pay", "Pay the rest", True)] if invoice.paid else [("pay", "Pay in full", True)]
        return [
            *pay,
            ("underpay", "Pay half", False),
            ("overpay", "Pay too much", False),
            ("expire", "Let it expire", False),
        ]
    return {
        "paid": [
            ("confirm", "Confirm", True),
            ("complete", "Complete at once", False),
            ("invalidate", "Let the confirmation fail", False),
        ],
        "confirmed": [("complete", "Complete", True)],
        "complete": [("refunded", "Claim a refund", False)],
        "declined": [("refunded", "Claim the refund", False)],
        "invalid": [("complete", "Complete after all", False)],
        "expired": [("late", "Pay too late", False)],
    }.get(invoice.status, [])


def exact(document: object) -> bytes:
    """JSON with exact numbers: decimals are written as marked strings, then marks and quotes are removed."""
    mark = "\x00"
    encoded = json.dumps(document, default=lambda number: f"{mark}{number}{mark}")
    escaped = json.dumps(mark)[1:-1]
    return encoded.replace(f'"{escaped}', "").replace(f'{escaped}"', "").encode()


def exact_json(document: object) -> Answer:
    return Answer(200, exact(document), {"Content-Type": "application/json"})
