"""Stripe's API: checkout, subscription changes, refunds, receipts. Importing this module loads the SDK.

Every call that creates something has an idempotency key derived from ours: the SDK's own keys cover only its retries,
not a repeated call of ours after a lost answer. Failures are `ProviderError` or `ProviderUnavailable`.
"""

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import requests
import stripe
import urllib3

from billing import deadline
from billing.data import dataclass
from billing.errors import NotConfigured, ProviderError, ProviderUnavailable
from billing.providers.breaker import ANSWER, Breaker, seconds_of, whole
from billing.providers.interface import (
    ChangePreview,
    Notification,
    Order,
    PlanSync,
    RefundParts,
    Session,
    Unreadable,
)
from billing.providers.sessions import punctual_session
from billing.providers.stripe.customers import Customers, once_more
from billing.providers.stripe.objects import customer_deleted_fact, refund_fact
from billing.providers.stripe.prices import Prices
from billing.providers.stripe.reads import Reader
from billing.providers.stripe.schedules import phases
from billing.providers.stripe.webhook import minimal
from billing.rules.facts import Fact, Ref
from billing.rules.plans import Plan

if TYPE_CHECKING:
    from stripe.params import (
        InvoiceCreatePreviewParams,
        InvoiceListParams,
        RefundCreateParams,
        SubscriptionCancelParams,
        SubscriptionUpdateParams,
        SubscriptionUpdateParamsCancellationDetails,
    )
    from stripe.params.billing_portal import SessionCreateParams as PortalParams
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsSubscriptionData

    from billing.settings import Settings

RETRIES = 2

_FEEDBACK = frozenset(
    "customer_service low_quality missing_features other switched_service too_complex too_expensive unused".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A deployment's settings for all checkouts, see docs/configuration.md."""

    automatic_tax: bool = False
    promotion_codes: bool = False
    trial_needs_card: bool = True
    portal_configuration: str = ""
    tax_behavior: str = "exclusive"


def connect(settings: "Settings") -> "StripeClient":
    """A client with STRIPE_SECRET_KEY. Raises `NotConfigured` if the key's mode (live or test) is not the stack's."""
    options = Options(
        automatic_tax=settings.optional("STRIPE_AUTOMATIC_TAX") == "true",
        promotion_codes=settings.optional("STRIPE_PROMOTION_CODES") == "true",
        trial_needs_card=settings.optional("STRIPE_TRIAL_NEEDS_CARD", "true") == "true",
        portal_configuration=settings.optional("STRIPE_PORTAL_CONFIGURATION"),
        tax_behavior=settings.optional("STRIPE_TAX_BEHAVIOR", "exclusive"),
    )
    return StripeClient(sdk_client(settings), options)


def sdk_client(settings: "Settings") -> stripe.StripeClient:
    key = settings.secret("STRIPE_SECRET_KEY")
    if ("_live_" in key) != settings.livemode:
        raise NotConfigured("STRIPE_SECRET_KEY is of the other mode (live or test) than LIVEMODE says")
    base = settings.optional("STRIPE_API_BASE")
    if base and settings.is_prod:
        raise NotConfigured("STRIPE_API_BASE cannot be set in prod")
    stripe.enable_telemetry = False  # it would send an id of this machine with the first call
    return stripe.StripeClient(
        key,
        max_network_retries=RETRIES,
        http_client=Bounded(),
        base_addresses={"api": base} if base else {},
    )


class Bounded(stripe.RequestsClient):
    """The SDK's HTTP client with our time budget and circuit breaker on each attempt."""

    def __init__(self) -> None:
        super().__init__(session=punctual_session())
        self._breaker = Breaker("Stripe")

    def request(  # type: ignore[override] # as in the SDK's RequestsClient
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Any]:
        self._timeout = budget = self._breaker.budget()
        until = time.monotonic() + deadline.left(ANSWER)
        try:
            raw, status, answered = super().request_stream(method, url, headers, post_data)
            content = whole(raw, until)
        except stripe.APIConnectionError as lost:
            self._breaker.failed(silent=isinstance(lost.__cause__, requests.Timeout), had=budget[1])
            raise
        except urllib3.exceptions.HTTPError as lost:
            self._breaker.failed(silent=isinstance(lost, urllib3.exceptions.TimeoutError), had=budget[1])
            raise ProviderUnavailable("Stripe's answer broke off") from lost
        replayed = answered.get("Idempotent-Replayed") == "true"  # an old answer: Stripe itself is up
        if (status >= 500 and not replayed) or status == 429:
            self._breaker.failed(wait=seconds_of(answered.get("Retry-After")))
        else:
            self._breaker.answered()
        return content, status, answered


@contextmanager
def asking() -> Iterator[None]:
    """Translate the SDK's exceptions to `ProviderError` and `ProviderUnavailable`."""
    try:
        yield
    except stripe.CardError as declined:
        raise ProviderError(declined.user_message or "the card was declined", reason=str(declined.code)) from declined
    except (stripe.APIConnectionError, stripe.RateLimitError) as unavailable:
        raise ProviderUnavailable("Stripe did not answer in time") from unavailable
    except (stripe.AuthenticationError, stripe.PermissionError) as refused:
        # Stripe's message quotes our key, and buyers see the error text.
        raise ProviderError("Stripe refuses our key for this", reason=str(refused.code or "key_refused")) from refused
    except stripe.StripeError as error:
        unreadable = isinstance(error, stripe.APIError)  # a 5xx, or an answer that cannot be parsed
        if error.http_status is None or unreadable or error.code == "idempotency_key_in_use":
            raise ProviderUnavailable("Stripe could not answer") from error
        gone = (error.code, getattr(error, "param", None)) == ("resource_missing", "customer")
        reason = "customer_gone" if gone else str(error.code or "refused")
        raise ProviderError(error.user_message or "Stripe refused the request", reason=reason) from error


class StripeClient:
    """Implements `billing.providers.RecurringProviderClient`."""

    def __init__(self, api: stripe.StripeClient, options: Options) -> None:
        # Below this level the SDK logs whole objects, including personal data.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self.api = api
        self._options = options
        self._reader = Reader(api)

    # --- checkout ------------------------------------------------------------------------------------

    def create_checkout(self, order: Order) -> Session:
        price = order.plan.provider_plan_ids.get("stripe")
        if not price:
            raise ProviderError(f"plan {order.plan.plan_id} has no Stripe price yet", reason="plan_not_synced")

        def open_for(customer: str) -> stripe.checkout.Session:
            params, key = self._checkout(order, price, customer), f"checkout:{order.checkout_id}:{customer}"
            return once_more(lambda key: self.api.v1.checkout.sessions.create(params, {"idempotency_key": key}), key)

        with asking():
            session, gone = Customers(self.api).with_customer(order.user_id, order.customer_id, open_for)
        if session.url is None:
            raise ProviderError("this checkout is not open any more", reason="checkout_not_open")
        return Session(
            session_id=session.id,
            url=session.url,
            expires_at=session.expires_at,
            facts=tuple(
                customer_deleted_fact({"id": name, "metadata": {"user_id": order.user_id}}, session.created)
                for name in gone
            ),
        )

    def _checkout(self, order: Order, price: str, customer: str) -> "SessionCreateParams":
        params: SessionCreateParams = {
            "mode": "subscription" if order.recurring else "payment",
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "customer": customer,
            "metadata": order.metadata,
            "expires_at": order.expires_at,
            "automatic_tax": {"enabled": self._options.automatic_tax},
            "allow_promotion_codes": self._options.promotion_codes,
        }
        if order.plan.recurring and order.gift:
            # Stripe allows a recurring price only in subscriptions, so a gift uses a one-time price of its product.
            once = Prices(self.api, self._options.tax_behavior).once(price, order.amount_cents)
            params["line_items"] = [{"price_data": once, "quantity": 1}]
        if self._options.automatic_tax:
            # Tax needs an address: the buyer enters it at Stripe, and it is stored only there.
            params["customer_update"] = {"address": "auto"}
        if re.fullmatch(r"[A-Za-z0-9_-]{1,200}", order.user_id):
            params["client_reference_id"] = order.user_id
        if order.recurring:
            # Stripe does not copy a session's metadata to its subscription.
            data: SessionCreateParamsSubscriptionData = {"metadata": order.metadata}
            if order.trial_days:
                data["trial_period_days"] = order.trial_days
                data["trial_settings"] = {"end_behavior": {"missing_payment_method": "cancel"}}
                if not self._options.trial_needs_card:
                    params["payment_method_collection"] = "if_required"
            params["subscription_data"] = data
        else:
            params["payment_intent_data"] = {"metadata": order.metadata}
        return params

    def expire_checkout(self, session_id: str) -> None:
        with asking():
            session = self.api.v1.checkout.sessions.retrieve(session_id)
            if session.status == "open":
                try:
                    self.api.v1.checkout.sessions.expire(session_id)
                except stripe.InvalidRequestError:
                    # It may have been paid between the two calls. If it is still open, this is a real error.
                    if self.api.v1.checkout.sessions.retrieve(session_id).status == "open":
                        raise

    # --- reading ------------------------------------------------------------------------------------

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        with asking():
            return self._reader.read(ref, now)

    # --- an existing subscription ------------------------------------------------------------------------------------

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        options: stripe.RequestOptions = {"idempotency_key": f"{key}:cancel"}
        feedback: SubscriptionUpdateParamsCancellationDetails = {}
        if reason is not None:
            feedback["feedback"] = cast(Literal["other"], reason if reason in _FEEDBACK else "other")
        if comment is not None:
            feedback["comment"] = comment
        with asking():
            subscription = self._subscription(subscription_id)
            if subscription["status"] in ("canceled", "incomplete_expired"):
                return
            self._release_schedule(subscription, key)
            if at_period_end:
                params: SubscriptionUpdateParams = {"cancel_at_period_end": True}
                if feedback:
                    params["cancellation_details"] = feedback
                self.api.v1.subscriptions.update(subscription_id, params, options)
                # Only after the update has succeeded. If this fails, the event of the cancellation does it.
                self._collect(subscription_id, False)
            else:  # Stripe stops collecting by itself
                details: SubscriptionCancelParams = {"cancellation_details": feedback} if feedback else {}
                self.api.v1.subscriptions.cancel(subscription_id, details, options)

    def resume_subscription(self, subscription_id: str, *, key: str) -> None:
        """Undo a scheduled cancellation (in either of Stripe's two fields), a scheduled downgrade or a pause."""
        options: stripe.RequestOptions = {"idempotency_key": f"{key}:resume"}
        with asking():
            subscription = self._subscription(subscription_id)
            self._release_schedule(subscription, key)
            self._collect(subscription_id, True)
            if subscription["status"] == "paused":
                self.api.v1.subscriptions.resume(subscription_id, {"billing_cycle_anchor": {"type": "now"}}, options)
            elif subscription["cancel_at_period_end"]:
                self.api.v1.subscriptions.update(subscription_id, {"cancel_at_period_end": False}, options)
            elif subscription["cancel_at"] is not None:
                self.api.v1.subscriptions.update(subscription_id, {"cancel_at": ""}, options)

    def stop_collecting(self, subscription_id: str) -> None:
        with asking():
            self._collect(subscription_id, False)

    def _collect(self, subscription_id: str, wanted: bool) -> None:
        """Turn retries of open invoices on or off. They are not voided, because voiding would make the subscription
        active; an open invoice gives no access."""
        params: InvoiceListParams = {"subscription": subscription_id, "status": "open", "limit": 100}
        for invoice in self.api.v1.invoices.list(params).auto_paging_iter():
            if bool(invoice.auto_advance) != wanted and invoice.id:
                self.api.v1.invoices.update(invoice.id, {"auto_advance": wanted})

    def preview_change(
        self, subscription_id: str, item_id: str, plan: Plan, proration_date: int, *, at_period_end: bool = False
    ) -> ChangePreview:
        price = self._price(plan)
        with asking():
            subscription = self._subscription(subscription_id)
            quantity = self._quantity(subscription, item_id)

            def preview(proration: Literal["always_invoice", "none"]) -> dict[str, Any]:
                params: InvoiceCreatePreviewParams = {
                    "subscription": subscription_id,
                    "subscription_details": {
                        "items": [{"id": item_id, "price": price, "quantity": quantity}],
                        "proration_behavior": proration,
                        "proration_date": proration_date,
                    },
                }
                if proration == "none":
                    del params["subscription_details"]["proration_date"]
                return self.api.v1.invoices.create_preview(params).to_dict()

            # Without proration Stripe previews the first full bill at the new price.
            next_bill = preview("none")
            due = None if at_period_end else preview("always_invoice")
        lines = due["lines"]["data"] if due else []
        period_end = max(item["current_period_end"] for item in subscription["items"]["data"])
        return ChangePreview(
            amount_due_cents=due["amount_due"] if due else 0,
            credit_cents=-sum(line["amount"] for line in lines if line["amount"] < 0),
            currency=next_bill["currency"].upper(),
            next_amount_cents=next_bill["amount_due"],
            next_billing_at=max((line["period"]["end"] for line in lines), default=period_end),
            tax_cents=_sum(due, "total_taxes") if due else 0,
            discount_cents=_sum(due, "total_discount_amounts") if due else 0,
            next_tax_cents=_sum(next_bill, "total_taxes"),
            next_discount_cents=_sum(next_bill, "total_discount_amounts"),
        )

    def change_subscription(
        self, subscription_id: str, item_id: str, plan: Plan, *, at_period_end: bool, proration_date: int, key: str
    ) -> None:
        """At once: the change is invoiced and takes effect when the invoice is paid. Or at the end of the period.

        A repeat is the same request, and so charges once. Only if the card of the first try was refused, it is a new
        one, which replaces the first.
        """
        price = self._price(plan)
        with asking():
            subscription = self._subscription(subscription_id)
            quantity = self._quantity(subscription, item_id)
            if at_period_end:
                self._schedule_change(subscription, item_id, plan, quantity, key)
                return
            self._release_schedule(subscription, key)
            if subscription["pending_update"] and self._newest_invoice(subscription)[1] <= {"requires_payment_method"}:
                key = f"{key}:{subscription['latest_invoice']}"
            self.api.v1.subscriptions.update(
                subscription_id,
                {
                    "items": [{"id": item_id, "price": price, "quantity": quantity}],
                    "proration_behavior": "always_invoice",
                    "proration_date": proration_date,
                    "payment_behavior": "pending_if_incomplete",
                },
                {"idempotency_key": f"{key}:change"},
            )

    def confirm_url(self, subscription_id: str) -> str | None:
        with asking():
            subscription = self._subscription(subscription_id)
            if subscription["latest_invoice"] is None:
                return None
            invoice, payments = self._newest_invoice(subscription)
        return invoice.hosted_invoice_url if "requires_action" in payments and invoice.status == "open" else None

    def _newest_invoice(self, subscription: dict[str, Any]) -> tuple[stripe.Invoice, set[str]]:
        """The newest invoice, and how its payments stand."""
        invoice = self.api.v1.invoices.retrieve(
            subscription["latest_invoice"], {"expand": ["payments.data.payment.payment_intent"]}
        )
        intents = [payment.payment.payment_intent for payment in (invoice.payments.data if invoice.payments else [])]
        return invoice, {str(intent.status) for intent in intents if isinstance(intent, stripe.PaymentIntent)}

    def _schedule_change(self, subscription: dict[str, Any], item_id: str, plan: Plan, quantity: int, key: str) -> None:
        """Add a phase with the plan. Stripe copies the phase's metadata to the subscription when the phase starts."""
        schedules, target = self.api.v1.subscription_schedules, self._price(plan)
        if subscription["schedule"]:
            schedule = schedules.retrieve(subscription["schedule"])
        else:
            schedule = schedules.create(
                {"from_subscription": subscription["id"]}, {"idempotency_key": f"{key}:schedule"}
            )
        item = next(item for item in subscription["items"]["data"] if item["id"] == item_id)
        metadata = {"plan_id": plan.plan_id, "plan_version": str(plan.version)}
        new_phases = phases(schedule.to_dict(), item["price"]["id"], target, quantity, metadata)
        schedules.update(
            schedule.id,
            {"end_behavior": "release", "proration_behavior": "none", "phases": new_phases},
            {"idempotency_key": f"{key}:phases"},
        )

    def _release_schedule(self, subscription: dict[str, Any], key: str) -> None:
        """While a schedule owns a subscription, Stripe refuses to change it directly."""
        if subscription["schedule"]:
            self.api.v1.subscription_schedules.release(
                subscription["schedule"], {}, {"idempotency_key": f"{key}:release"}
            )

    def _subscription(self, subscription_id: str) -> dict[str, Any]:
        """The subscription with all its items: an answer lists only the first ones."""
        subscription = self.api.v1.subscriptions.retrieve(subscription_id).to_dict()
        if subscription["items"].get("has_more"):
            items = self.api.v1.subscription_items.list({"subscription": subscription_id, "limit": 100})
            subscription["items"]["data"] = [item.to_dict() for item in items.auto_paging_iter()]
        return subscription

    @staticmethod
    def _quantity(subscription: dict[str, Any], item_id: str) -> int:
        """The item's quantity. It must be sent with a new price, because Stripe would reset it to 1."""
        return next((i.get("quantity") or 1 for i in subscription["items"]["data"] if i["id"] == item_id), 1)

    @staticmethod
    def _price(plan: Plan) -> str:
        price = plan.provider_plan_ids.get("stripe")
        if not price:
            raise ProviderError(f"plan {plan.plan_id} has no Stripe price yet", reason="plan_not_synced")
        return price

    # --- portal and refunds ----------------------------------------------------------------------------------

    def portal_url(self, customer_id: str, return_url: str) -> str:
        params: PortalParams = {"customer": customer_id, "return_url": return_url}
        if self._options.portal_configuration:
            params["configuration"] = self._options.portal_configuration
        with asking():
            return self.api.v1.billing_portal.sessions.create(params).url

    def refund(
        self,
        payment_ref: str,
        amount_cents: int | None,
        currency: str,
        *,
        reason: str,
        key: str,
    ) -> RefundParts:
        """Refund a payment. An invoice paid in several parts needs one refund for each part."""
        with asking():
            intents, outside = self._reader.charged(payment_ref)
            if not intents:
                words = "it was paid outside Stripe" if outside else "nothing was charged for this payment"
                raise ProviderError(words, reason="nothing_to_refund", outside_cents=outside)
            earlier = {intent: self._reader.refund_made(intent, key) for intent in intents}
            # With a single charge, Stripe itself limits the amount to what is left.
            single = len(intents) == 1
            shares = {intents[0]: amount_cents} if single else self._shares(intents, earlier, amount_cents)
        facts, refused, errors = [], [], []
        for intent, cents in shares.items():
            try:
                with asking():
                    refund = earlier[intent] or self._refund(intent, cents, reason, key)
            except ProviderUnavailable:
                raise
            except ProviderError as error:
                refused.append(error.detail)
                errors.append(error)
                continue
            facts.append(refund_fact(minimal(refund), payment_ref, refund["created"]))
        if errors and not facts:
            raise errors[0]
        return RefundParts(facts=tuple(facts), refused=tuple(refused), outside_cents=outside)

    def _shares(
        self, intents: Sequence[str], earlier: dict[str, dict[str, Any] | None], amount_cents: int | None
    ) -> dict[str, int | None]:
        """Split an amount (None: all that is left) over the intents, those already refunded by this request first."""
        left = {i: refund["amount"] if (refund := earlier[i]) else self._reader.refundable(i) for i in intents}
        if amount_cents is not None and amount_cents > sum(left.values()):
            raise ProviderError(f"at most {sum(left.values())} can be refunded", reason="amount_too_large")
        wanted = sum(left.values()) if amount_cents is None else amount_cents
        shares: dict[str, int | None] = {}
        for intent in sorted(intents, key=lambda i: earlier[i] is None):
            share = min(left[intent], wanted)
            wanted -= share
            if share:
                shares[intent] = share
        return shares

    def _refund(self, intent: str, cents: int | None, reason: str, key: str) -> dict[str, Any]:
        params: RefundCreateParams = {
            "payment_intent": intent,
            "reason": cast(Literal["duplicate"], reason),
            "metadata": {"refund_request": key},
        }
        if cents is not None:
            params["amount"] = cents
        return self.api.v1.refunds.create(params, {"idempotency_key": f"{key}:{intent}:refund"}).to_dict()

    def receipt_url(self, payment_id: str) -> str | None:
        with asking():
            return self._reader.receipt_url(payment_id)

    # --- plans and lists ---------------------------------------------------------------------------------------------

    def sync_plan(self, plan: Plan, *, dry_run: bool) -> PlanSync:
        with asking():
            return Prices(self.api, self._options.tax_behavior).sync(plan, dry_run=dry_run)

    def subscriptions(
        self, after: str | None, customer_id: str | None, now: int
    ) -> tuple[Sequence[Fact | Unreadable], str | None]:
        with asking():
            return self._reader.subscriptions(after, customer_id, now)

    def events(self, since: int, after: str | None) -> tuple[Sequence[Notification | Unreadable], str | None]:
        with asking():
            return self._reader.events(since, after)

    def event(self, event_id: str) -> Notification:
        with asking():
            return self._reader.event(event_id)


def _sum(invoice: dict[str, Any], name: str) -> int:
    return sum(entry["amount"] for entry in invoice.get(name) or [])
