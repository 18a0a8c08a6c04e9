"""The calls to a buyer's wallet, whatever the protocol, and all their answers."""

from collections.abc import Mapping
from typing import Any, Protocol

from billing.data import dataclass
from billing.rules.renewal import Trouble


class WalletTrouble(Exception):
    """The wallet could not be asked, or will not do what we need: `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble


class Connection(Protocol):
    """A way to a wallet that lets us pay from it. `wallet`: the wallet's public key; `relays`: where it listens."""

    @property
    def wallet(self) -> str: ...

    @property
    def relays(self) -> tuple[str, ...]: ...

    def text(self) -> str:
        """The connection as one text, to be encrypted at once and never shown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """`encryption`: the best one that both sides know. `tells_budget`: it can be asked for one. `as_stored`: as JSON,
    to be given back as `info` when the relays have lost it."""

    encryption: str
    tells_budget: bool
    as_stored: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """In millisatoshis; `total_msat` None: the wallet sets us no limit."""

    total_msat: int | None
    used_msat: int = 0
    period: str = "never"
    renews_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningInvoice:
    """A BOLT 11 text, read and its signature checked. `live`: it is of the real Bitcoin network."""

    text: str
    live: bool
    amount_msat: int | None
    expires_at: int
    payment_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request to pay. It decides nothing: only the provider's invoice does. `claims_paid`: the wallet
    says that it paid. `trouble`: what it says, or that it did not answer. `unseen`: certainly no wallet received the
    request. `proven`: it showed the preimage, which only a payment of this invoice reveals."""

    trouble: Trouble | None = None
    claims_paid: bool = False
    unseen: bool = False
    proven: bool = False
    renews_at: int | None = None


class Wallet(Protocol):
    def parse(self, text: str) -> Connection:
        """Raises `InvalidRequest` for what is no connection, or names relays that we do not use."""
        ...

    def info(self, connection: Connection) -> Info:
        """Raises `WalletTrouble`, also for a wallet that cannot pay."""
        ...

    def budget(self, connection: Connection, info: Mapping[str, Any]) -> Budget | None:
        """None: the wallet does not say. Raises `WalletTrouble`, also where it does not answer."""
        ...

    def read(self, bolt11: str) -> LightningInvoice | None:
        """None: no invoice that a wallet would pay."""
        ...

    def pay(self, connection: Connection, invoice: LightningInvoice, until: int, info: Mapping[str, Any]) -> Answer:
        """Asks once, and waits as long as a caller can. `until`: a wallet that checks it does not pay later."""
        ...
