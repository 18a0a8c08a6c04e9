"""The stack's use cases, run in this process at any given time; the deployed functions can only use the present."""

import hashlib
import time
import uuid
from collections.abc import Mapping

from billing.admin.invoices import InvoiceDesk
from billing.admin.plans import AdminPlans
from billing.admin.users import AdminUsers
from billing.catalogue.prices import PlanPrices
from billing.errors import BadWebhook
from billing.intake.batch import TRIES, Batch
from billing.intake.processing import Processor
from billing.intake.webhook import encode
from billing.log import SILENT
from billing.providers import load, pages
from billing.reporting.lapsed_terms import book_lapsed_terms
from billing.selling.aftercare import Aftercare
from billing.selling.invoices import Poller
from billing.selling.reminders import Reminders
from billing.selling.renewals import Renewals
from billing.wiring import Wiring
from demo.shop import Owner, Shop

# Together these functions have every environment variable that is needed here.
_FUNCTIONS = (
    *("CreateCheckoutSession", "ProcessPaymentEvents", "AdminUsers", "AdminRevenue", "AdminEvents"),
    *("WebhookMock", "WebhookBtcpay", "WebhookBitpay"),
)
# The queue's visibility timeout in the template: seconds between two tries of a message.
_TRY_AGAIN = 180
_LIMIT = 250


class Office:
    """The use cases wired as in the functions, with the account owner's rights. Every `now` is in Unix seconds."""

    def __init__(self, shop: Shop) -> None:
        variables = [shop.engine.variables(f"{name}Function") for name in _FUNCTIONS]
        self.aws = aws = Owner(shop.engine)
        wire = Wiring({name: value for of in variables for name, value in of.items()}, aws=aws)
        settings, client, applier = wire.settings, wire.client, wire.applier
        self.accounts_table = settings.accounts_table
        # Log lines would carry the wrong time, and failures are stored with their event.
        logger = SILENT
        self.accounts, self.plans, self.audit, self.metrics = wire.accounts, wire.plans, wire.audit, wire.metrics
        accounts, plans, self._due, self._refunds = wire.accounts, wire.plans, wire.due, wire.refunds
        aftercare = Aftercare(accounts, plans, applier, client, settings.required("DOUBLE_SUBSCRIPTIONS"), logger)
        processor = Processor(applier, wire.events, livemode=settings.livemode, aftercare=aftercare.settle)
        self._dlq_url = settings.required("PAYMENT_EVENTS_DLQ_URL")
        self._batch = Batch(processor, aws, settings.queue_url, self._dlq_url, logger)
        self._poller = Poller(accounts, wire.due, applier, client, logger)
        self._reminders = Reminders(accounts, plans, wire.due, days=(7, 1))
        self.checkouts, self.subscriptions = wire.checkouts, wire.subscriptions
        self.renewals = Renewals(accounts, plans, wire.checkouts)
        self.invoices = InvoiceDesk(accounts, plans, wire.due, applier, client, wire.refunds)
        self.users = AdminUsers(
            *(accounts, plans, wire.counters, wire.events, wire.audit, wire.refunds, wire.notes), pages(settings)
        )
        self.admin_plans = AdminPlans(plans, settings.providers, PlanPrices(plans, client, settings.providers))
        self._secrets = {
            "mock": settings.secrets("BILLING_WEBHOOK_SECRET"),
            "btcpay": settings.secrets("BTCPAY_WEBHOOK_SECRET"),
            "bitpay": [*settings.secrets("BITPAY_API_KEY"), settings.secret("BITPAY_MERCHANT_TOKEN")],
        }
        self._logger = logger

    def receive(self, url: str, body: bytes, headers: Mapping[str, str], now: int) -> int:
        """Verifies and processes a webhook, retrying as the queue does; returns the HTTP status of the answer."""
        provider = load(url.rpartition("/")[2])
        try:
            # The stand-ins sign with the present time, not with the simulated one.
            named = {name.lower(): value for name, value in headers.items()}
            label = provider.verify(body, named, self._secrets[provider.NAME], int(time.time()))
            notification = provider.minimise(body)
        except BadWebhook:
            return 400
        text = encode(notification, now, label, hashlib.sha256(body).hexdigest())
        message = {"messageId": str(uuid.uuid4()), "body": text}
        for number in range(TRIES):
            tried = {**message, "attributes": {"ApproximateReceiveCount": str(number + 1)}}
            answer = self._batch.process([tried], now + number * _TRY_AGAIN)
            if not answer["batchItemFailures"]:
                return 200
        self.aws.call("sqs", "send_message", QueueUrl=self._dlq_url, MessageBody=text)
        return 200

    def run_schedules(self, now: int) -> None:
        """Runs the scheduled work: polls invoices, settles refunds, sends reminders, books lapsed terms."""
        self._poller.poll(now, _LIMIT)
        self._refunds.settle(self._due, now, _LIMIT, self._logger)
        self._reminders.send(now, _LIMIT)
        book_lapsed_terms(self.accounts, self.plans, self._due, now, _LIMIT)
