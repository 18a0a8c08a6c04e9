"""POST /billing/webhook/mock: verified, minimised, queued."""

import os

from billing.aws import Aws
from billing.intake.webhook import webhook
from billing.log import Log
from billing.providers import mock
from billing.settings import Settings

aws = Aws("sqs")
settings = Settings(os.environ, aws.fetch_secret)
handler = webhook(mock, lambda: settings.secrets("BILLING_WEBHOOK_SECRET"), settings, aws, Log())
