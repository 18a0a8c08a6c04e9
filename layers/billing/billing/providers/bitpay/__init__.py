"""BitPay: bitcoin invoices, read from the API whenever a notification says that one has changed.

A notification has no event id and no signed timestamp, so its content is never applied, only used to decide what to
read. https://developer.bitpay.com/reference/notifications-invoices
"""

from billing.providers.bitpay.client import BitPay, connect, page_of
from billing.providers.bitpay.webhook import NAME, minimise, translate, verify

__all__ = ["NAME", "BitPay", "connect", "minimise", "page_of", "translate", "verify"]
