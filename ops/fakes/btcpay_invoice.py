"""An invoice of the BTCPay Server stand-in: its payments and its possible next steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fakes.bitcoin_pages import Choice
from fakes.lightning import bolt11

RATES = {"USD": Decimal("97000.50"), "EUR": Decimal("89500.25"), "GBP": Decimal("76100.00"), "JPY": Decimal("14800000")}
DECIMALS = {"JPY": 0}


@dataclass(slots=True)
class Invoice:
    id: str
    amount: Decimal
    currency: str
    metadata: dict[str, Any]
    checkout: dict[str, Any]
    created: int
    expires: int
    satoshis: int
    address: str
    status: str = "New"
    additional: str = "None"
    payments: list[dict[str, Any]] = field(default_factory=list)
    """Each with satoshis, fee, method, when and status; a replaced payment stays, with the status Invalid."""
    kind: str = "Standard"
    store: str = ""
    preimage: str = ""
    bolt11: str = ""
    """The Lightning invoice; "" without Lightning."""

    @property
    def counted(self) -> list[dict[str, Any]]:
        return [p for p in self.payments if p["status"] != "Invalid"]

    @property
    def gross(self) -> int:
        return sum(p["satoshis"] for p in self.counted)

    @property
    def fees(self) -> int:
        return sum(p["fee"] for p in self.counted)

    @property
    def paid(self) -> int:
        """Satoshis received without fees, which count towards the price."""
        return self.gross - self.fees

    @property
    def rate(self) -> Decimal:
        return RATES[self.currency]


def btc(satoshis: int) -> str:
    return f"{Decimal(satoshis) / 100_000_000:.8f}"


def monitored_until(invoice: Invoice) -> int:
    return invoice.expires + 60 * int(invoice.checkout.get("monitoringMinutes") or 1440)


def methods_of(invoice: Invoice, offered: Sequence[str]) -> list[str]:
    """The invoice's payment methods: the requested ones that the store offers, or all."""
    wanted = invoice.checkout.get("paymentMethods") or offered
    return [name for name in offered if name in wanted]


def lightning_of(invoice: Invoice, seconds: int) -> str:
    return bolt11(msat=invoice.satoshis * 1_000, preimage=invoice.preimage, created_at=invoice.created, seconds=seconds)


def markable(invoice: Invoice) -> list[str]:
    """The statuses that a person may set by hand."""
    marked = invoice.additional == "Marked"
    settled = invoice.status != "Settled"
    invalid = invoice.status in ("New", "Processing", "Expired") or (invoice.status != "Invalid" and marked)
    return [name for name, may in (("Settled", settled), ("Invalid", invalid)) if may]


def payment_json(payment: Mapping[str, Any], invoice: Invoice, skew: int) -> dict[str, Any]:
    return {
        "id": payment["id"],
        "receivedDate": payment["when"] + skew,
        "value": btc(payment["satoshis"]),
        "fee": btc(payment["fee"]),
        "status": payment["status"],
        "destination": invoice.address,
    }


EXCEPTIONS = {
    "PaidPartial": ", paid in part",
    "PaidOver": ", paid too much",
    "PaidLate": ", paid too late",
    "Marked": ", marked by hand",
}


def choices_of(invoice: Invoice) -> list[Choice]:
    if invoice.status == "New":
        first = [("pay", "Pay the rest", True)] if invoice.counted else [("pay", "Pay in full", True)]
        lightning = [] if invoice.counted else [("lightning", "Pay over Lightning", False)]
        return [
            *first,
            *lightning,
            ("underpay", "Pay half", False),
            ("overpay", "Pay too much", False),
            ("expire", "Let it expire", False),
            ("mark_invalid", "Mark invalid by hand", False),
        ]
    marks = [
        (act, f"Mark {name.lower()} by hand", False)
        for act, name in (("mark_settled", "Settled"), ("mark_invalid", "Invalid"))
        if name in markable(invoice)
    ]
    return {
        "Processing": [
            ("settle", "Confirm", True),
            ("fall_back", "Replace the payment", False),
            ("invalidate", "Let the confirmation fail", False),
        ],
        "Settled": [("again", "Pay again", False), ("refund", "Refund at the server", False), *marks],
        "Invalid": [("late", "Pay all the same", False), *marks],
        "Expired": [("late", "Pay too late", False), *marks],
    }[invoice.status]
