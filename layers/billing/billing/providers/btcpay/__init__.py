"""BTCPay Server (Greenfield API): on-chain and Lightning invoices at a self-hosted server.

A webhook only says what to read: it carries no amount, and a payment can be reverted without any webhook.
"""

from billing.providers.btcpay.client import BTCPay, connect, page_of
from billing.providers.btcpay.webhook import NAME, minimise, translate, verify

__all__ = ["NAME", "BTCPay", "connect", "minimise", "page_of", "translate", "verify"]
