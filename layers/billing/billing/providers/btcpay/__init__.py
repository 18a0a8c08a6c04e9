"""BTCPay Server (Greenfield API): invoices in bitcoin and over Lightning at a server of one's own.

A webhook is only a hint: it carries no amount, and a payment that was seen can fall back without any webhook.
"""

from billing.providers.btcpay.client import BTCPay, connect, page_of
from billing.providers.btcpay.webhook import NAME, minimise, translate, verify

__all__ = ["NAME", "BTCPay", "connect", "minimise", "page_of", "translate", "verify"]
