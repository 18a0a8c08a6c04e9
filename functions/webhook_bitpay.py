"""POST /billing/webhook/bitpay: verified, minimised, queued."""

import os

from billing.aws import Aws
from billing.intake.webhook import webhook
from billing.log import Log
from billing.providers import bitpay
from billing.settings import Settings

aws = Aws("sqs")
settings = Settings(os.environ, aws.fetch_secret)


def tokens() -> list[str]:
    """BitPay signs with the token that made the object: invoices with the one, refunds with the other."""
    merchant = settings.optional_secret("BITPAY_MERCHANT_TOKEN")
    return [*settings.secrets("BITPAY_API_KEY"), *([merchant] if merchant else [])]


handler = webhook(bitpay, tokens, settings, aws, Log())
