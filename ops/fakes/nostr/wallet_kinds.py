"""The quirks of real wallets, the modes of the stand-in, and a connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.nostr.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One wallet's behaviour. The strings are error codes; "" means that it does not answer."""

    encryptions: str = "nip44_v2 nip04"
    methods: str = "pay_invoice get_info get_budget lookup_invoice"
    unknown_method: str = "NOT_IMPLEMENTED"
    over_budget: str = "QUOTA_EXCEEDED"
    no_money: str = "INSUFFICIENT_BALANCE"
    expired: str = "EXPIRED"
    removed: str = ""
    failed: str = "INTERNAL"
    reserve: bool = True
    """Counts a fee reserve against the budget: 1 %, at least 10 sat."""
    names_us: bool = True
    """Its answers have a `p` tag."""
    preimage: bool = True


KINDS: Mapping[str, Kind] = {
    "Alby Hub": Kind(),
    "Zeus": Kind(
        methods="pay_invoice get_info lookup_invoice",
        over_budget="INSUFFICIENT_BALANCE",
        expired="RESTRICTED",
        failed="FAILED_TO_PAY_INVOICE",
        reserve=False,
        names_us=False,
    ),
    "Electrum": Kind(
        encryptions="nip04",
        methods="pay_invoice get_info lookup_invoice",
        expired="UNAUTHORIZED",
        removed="UNAUTHORIZED",
        failed="PAYMENT_FAILED",
    ),
    "LNbits": Kind(
        encryptions="",
        methods="pay_invoice lookup_invoice",
        expired="UNAUTHORIZED",
        removed="UNAUTHORIZED",
        failed="PAYMENT_FAILED",
        preimage=False,
    ),
    "Coinos": Kind(methods="pay_invoice", unknown_method="", failed="INTERNAL", reserve=False),
    "NIP-44 alone": Kind(encryptions="nip44_v2"),
}
MODES = {
    "pay": "pays",
    "offline": "is offline, and handles missed requests when it is back",
    "silent": "pays, but its answer is lost",
    "slow": "pays, but answers too late",
    "fail": "fails and answers so",
    "liar": "answers that it paid, but did not",
    "false failure": "answers that it failed, but paid",
    "no preimage": "pays, but answers without a preimage",
    "empty": "has no money",
    "busy": "is rate-limited",
    "gone": "does not answer",
}


@dataclass(slots=True)
class Connected:
    """A connection that the wallet created. `spent`: (time, millisatoshis) of each payment."""

    id: str
    name: str
    secret: str
    budget_sat: int | None
    renewal: str = "never"
    expires_at: int | None = None
    removed: bool = False
    made_at: int = 0
    spent: list[tuple[int, int]] = field(default_factory=list)
    asked: list[tuple[int, str, str]] = field(default_factory=list)
    """(time, method, outcome) of each request."""

    @property
    def public(self) -> str:
        return Key(bytes.fromhex(self.secret)).public
