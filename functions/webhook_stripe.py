"""POST /billing/webhook/stripe: verified, minimised, queued."""

import os

from billing.aws import Aws
from billing.intake.webhook import webhook
from billing.log import Log
from billing.providers import stripe
from billing.settings import Settings

aws = Aws("sqs")
settings = Settings(os.environ, aws.fetch_secret)
handler = webhook(stripe, lambda: settings.secrets("STRIPE_WEBHOOK_SECRET"), settings, aws, Log())
