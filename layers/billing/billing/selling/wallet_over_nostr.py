"""A wallet that speaks Nostr Wallet Connect, as renewal sees it."""

from collections.abc import Mapping
from typing import Any, cast

from billing.nostr import bolt11
from billing.nostr.connection import Connection as NostrConnection
from billing.nostr.wallet import Info as NostrInfo
from billing.nostr.wallet import Payment, Wallets
from billing.rules.renewal import Trouble
from billing.selling.wallet_interface import Answer, Budget, Connection, Info, LightningInvoice, WalletTrouble

# By the wallet's refusal or silence, by what is uncertain, and by why nothing was asked. All others are troubles of the
# relays.
_TROUBLES: Mapping[str, Trouble] = {
    "quota_exceeded": "budget_used_up",
    "insufficient_balance": "balance_too_low",
    "expired": "connection_ended",
    "unauthorized": "connection_ended",
    "restricted": "connection_ended",
    "rate_limited": "wallet_busy",
    "not_implemented": "wallet_cannot_pay",
    "unsupported_encryption": "wallet_cannot_pay",
    "silence": "wallet_silent",
    "unreachable": "relay_unreachable",
    "unreadable": "wallet_silent",
    "internal": "payment_failed",
    "failed": "payment_failed",
    "other": "payment_failed",
}
_NOT_ASKED: Mapping[str, Trouble] = {
    "no_info": "wallet_gone",
    "no_encryption": "wallet_cannot_pay",
    "not_listed": "wallet_cannot_pay",
    "unheard": "wallet_silent",
}


class NostrWallet:
    """`local`: relays on this machine, too."""

    def __init__(self, wallets: Wallets, *, local: bool = False) -> None:
        self._wallets, self._local = wallets, local

    def parse(self, text: str) -> Connection:
        return NostrConnection.parse(text, local=self._local)

    def info(self, connection: Connection) -> Info:
        looked = self._wallets.info(_own(connection))
        if looked.info is None:
            raise WalletTrouble("wallet_gone" if looked.state == "absent" else "relay_unreachable")
        encryption = looked.info.encryption
        if encryption is None or "pay_invoice" not in looked.info.methods:
            raise WalletTrouble("wallet_cannot_pay")
        tells = "get_budget" in looked.info.methods
        return Info(encryption=encryption, tells_budget=tells, as_stored=looked.info.as_json())

    def budget(self, connection: Connection, info: Mapping[str, Any]) -> Budget | None:
        budget = self._wallets.budget(_own(connection), NostrInfo.of_json(info))
        if isinstance(budget, str):
            raise WalletTrouble(_TROUBLES[budget])
        if budget is None:
            return None
        return Budget(
            total_msat=budget.total_msat, used_msat=budget.used_msat, period=budget.renewal, renews_at=budget.renews_at
        )

    def read(self, bolt11_text: str) -> LightningInvoice | None:
        try:
            invoice = bolt11.decode(bolt11_text)
        except bolt11.BadInvoice:
            return None
        return LightningInvoice(
            text=bolt11_text,
            live=invoice.network == "mainnet",
            amount_msat=invoice.amount_msat,
            expires_at=invoice.expires_at,
            payment_hash=invoice.payment_hash,
        )

    def pay(self, connection: Connection, invoice: LightningInvoice, until: int, info: Mapping[str, Any]) -> Answer:
        stored = NostrInfo.of_json(info)
        payment = self._wallets.pay(_own(connection), invoice.text, until, stored)
        if payment.reason != "quota_exceeded" or "get_budget" not in (payment.info or stored).methods:
            return answer_of(payment)
        budget = self._wallets.budget(_own(connection), payment.info or stored)
        renews_at = None if budget is None or isinstance(budget, str) else budget.renews_at
        return answer_of(payment, renews_at)


def answer_of(payment: Payment, renews_at: int | None = None) -> Answer:
    if payment.outcome == "paid":
        return Answer(claims_paid=True, proven=payment.proven)
    if payment.outcome == "not_delivered":
        return Answer(trouble=_NOT_ASKED.get(payment.reason, "relay_unreachable"), unseen=True)
    return Answer(trouble=_TROUBLES[payment.reason], renews_at=renews_at)


def _own(connection: Connection) -> NostrConnection:
    return cast(NostrConnection, connection)
