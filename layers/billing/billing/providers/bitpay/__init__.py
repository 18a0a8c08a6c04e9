"""BitPay: invoices in bitcoin, read again whenever a notification says that one has changed.

A notification is only a hint: it carries no event id and no time that is signed apart from its body, so what it says is
never acted on. https://developer.bitpay.com/reference/notifications-invoices
"""

from billing.providers.bitpay.client import BitPay, connect, page_of
from billing.providers.bitpay.webhook import NAME, minimise, translate, verify

__all__ = ["NAME", "BitPay", "connect", "minimise", "page_of", "translate", "verify"]
