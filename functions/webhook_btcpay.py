"""POST /billing/webhook/btcpay: verified, minimised, queued."""

import os

from billing.aws import Aws
from billing.intake.webhook import webhook
from billing.log import Log
from billing.providers import btcpay
from billing.settings import Settings

aws = Aws("sqs")
settings = Settings(os.environ, aws.fetch_secret)
handler = webhook(btcpay, lambda: settings.secrets("BTCPAY_WEBHOOK_SECRET"), settings, aws, Log())
