"""BTCPay Server's API.

https://docs.btcpayserver.org/API/Greenfield/v1/
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from billing.errors import NotConfigured, ProviderError, ProviderUnavailable, Unordered
from billing.providers.btcpay.invoices import (
    DESCRIBED,
    LIGHTNING,
    ON_CHAIN,
    bip21,
    confirmations_of,
    confirmed_of,
    exact,
    invoice_of,
    method_named,
    payout_methods,
    refund_fact,
    seen_in,
    transactions_in,
)
from billing.providers.btcpay.webhook import NAME
from billing.providers.interface import Check, CryptoInvoice, ObjectKind, Order, RefundParts, Session
from billing.providers.prepaid import (
    PrepaidClient,
    facts_of,
    looked_for,
    metadata_of,
    reference,
)
from billing.providers.rest import Rest, Verdict, Way, by_status, encode
from billing.rules.facts import Fact, Ref, RefundFact
from billing.rules.money import to_decimal
from billing.settings import Settings


def page_of(settings: Settings, kind: ObjectKind, object_id: str) -> str | None:
    """The merchant's page of an invoice."""
    url = settings.optional("BTCPAY_URL")
    return f"{url.rstrip('/')}/invoices/{object_id}" if url and kind == "payment" else None


def connect(settings: Settings) -> "BTCPay":
    return BTCPay(
        url=_address(settings),
        api_key=settings.secret("BTCPAY_API_KEY"),
        store_id=settings.required("BTCPAY_STORE_ID"),
        invoice_minutes=settings.integer("BTCPAY_INVOICE_MINUTES", 60),
        late_minutes=settings.integer("BTCPAY_LATE_MINUTES", 1440),
        way=Way(ca=settings.optional_secret("BTCPAY_CA"), proxy=_proxy(settings)),
    )


def _address(settings: Settings) -> str:
    """The server's URL; in prod it must be https, or an onion service, whose traffic Tor encrypts."""
    url = settings.required("BTCPAY_URL")
    parts = urlsplit(url)
    if settings.is_prod and parts.scheme != "https" and not (parts.hostname or "").endswith(".onion"):
        raise NotConfigured("BTCPAY_URL has to begin with https:// in prod")
    return url


def _proxy(settings: Settings) -> str:
    proxy = settings.optional("BTCPAY_PROXY")
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        raise NotConfigured("BTCPAY_PROXY has to be an HTTP proxy; docs/bitcoin.md says how to put one before Tor")
    return proxy


@dataclass(frozen=True, slots=True)
class About:
    """A server's version, and (permission, store) pairs of our key; an empty store means all stores."""

    version: str
    permissions: tuple[tuple[str, str], ...]


# Lightning only: after a partial on-chain payment the server would issue a second Lightning invoice while the first
# could still be paid.
_LIGHTNING_ALONE = {"paymentMethods": [LIGHTNING]}


class BTCPay(PrepaidClient):
    """`invoice_minutes`: how long the rate is fixed; `late_minutes`: how long after that payments are still watched."""

    NAME = NAME

    def __init__(
        self, *, url: str, api_key: str, store_id: str, invoice_minutes: int, late_minutes: int, way: Way | None = None
    ) -> None:
        self._rest = Rest("BTCPay Server", url, {"Authorization": f"token {api_key}"}, _words, judge=_judge, way=way)
        self.store_id = store_id
        self._store = f"/api/v1/stores/{quote(store_id)}"
        self._invoice_minutes, self._late_minutes = invoice_minutes, late_minutes

    @property
    def cannot_see(self) -> Sequence[str]:
        """Nothing: refunds made at the server are searched for, so webhooks are not needed."""
        return ()

    def check(self) -> Iterator[Check]:
        from billing.providers.btcpay.checkup import check

        return check(self)

    def about(self) -> About:
        version = str(self._rest.read("/api/v1/server/info").get("version") or "")
        granted = (str(name).partition(":") for name in self._rest.read("/api/v1/api-keys/current")["permissions"])
        return About(version, tuple((name.rpartition(".")[2], store) for name, _, store in granted))

    def create_checkout(self, order: Order) -> Session:
        request = {
            "amount": f"{to_decimal(order.amount_cents, order.currency):f}",
            "currency": order.currency,
            "metadata": {**metadata_of(order), "orderId": order.checkout_id, "itemDesc": order.plan.name},
            "checkout": {
                "expirationMinutes": order.lightning_minutes or self._invoice_minutes,
                "monitoringMinutes": self._late_minutes,
                # Otherwise a store may wait for a choice on the server's own page, which not every buyer opens.
                "lazyPaymentMethods": False,
                **(_LIGHTNING_ALONE if order.lightning_minutes else {"redirectURL": order.success_url}),
                "redirectAutomatically": not order.lightning_minutes,
            },
        }
        invoice = self._rest.create(
            f"{self._store}/invoices",
            encode(request),
            find=lambda: self.opened_for(order.checkout_id),
            look_first=order.repeated,
        )
        return Session(
            session_id=str(invoice["id"]),
            url=str(invoice["checkoutLink"]),
            expires_at=int(invoice["expirationTime"]),
            facts=tuple(self._facts(invoice, int(invoice["createdTime"]))),
        )

    def opened_for(self, checkout_id: str) -> Any:
        """The invoice of a checkout, if there is one."""
        invoices = self._rest.read(f"{self._store}/invoices?{urlencode({'orderId': checkout_id})}")
        return next(iter(invoices), None)

    def expire_checkout(self, session_id: str) -> None:
        """Mark an unpaid invoice as invalid. If the server refuses or the key lacks the permission, the invoice expires
        by itself; payments to it are seen in any state."""
        invoice = self._read(session_id)
        if (invoice.get("status"), invoice.get("additionalStatus")) != ("New", "None"):
            return
        try:
            path = f"{self._store}/invoices/{quote(session_id)}/status"
            self._rest.change("POST", path, encode({"status": "Invalid"}))
        except ProviderError as refused:
            if refused.extensions.get("status") not in (403, 422):
                raise

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """Facts dated `now`, because the server's clock may be wrong.

        Empty for an invoice of another store. Raises `Unordered` for a payment to a top-up invoice, which has no order.
        """
        if ref.within not in ("", self.store_id):
            return ()
        invoice_id, _, refund_id = ref.id.partition("/")
        if refund_id:
            return self._refund_facts(invoice_id, refund_id, now)
        invoice = self._find(invoice_id)
        if invoice is None or invoice["storeId"] != self.store_id:
            return ()
        if invoice.get("type") == "TopUp":
            if invoice["status"] == "New":
                return ()
            raise Unordered(f"BTCPay invoice {invoice_id} takes any amount and is for no order: money came to it")
        return self._facts(invoice, now)

    def _find(self, invoice_id: str) -> dict[str, Any] | None:
        invoice: dict[str, Any] | None = self._rest.read(f"{self._store}/invoices/{quote(invoice_id)}", missing_ok=True)
        if invoice is not None and invoice.get("id") != invoice_id:
            raise ProviderError(f"BTCPay answered with invoice {invoice.get('id')} in place of {invoice_id}")
        return invoice

    def _read(self, invoice_id: str) -> dict[str, Any]:
        invoice = self._find(invoice_id)
        if invoice is None:
            raise ProviderError(f"BTCPay has no invoice {invoice_id} in this store")
        return invoice

    def _methods(self, invoice: Mapping[str, Any]) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = self._rest.read(
            f"{self._store}/invoices/{quote(str(invoice['id']))}/payment-methods"
        )
        return methods

    def _facts(self, invoice: Mapping[str, Any], now: int) -> Sequence[Fact]:
        unpaid = (invoice["status"], invoice.get("additionalStatus")) in (("New", "None"), ("Expired", "None"))
        methods = [] if unpaid else self._methods(invoice)
        return facts_of(NAME, str(invoice["id"]), invoice.get("metadata"), seen_in(invoice, methods), now)

    # --- refunds: a pull payment at the server, from which the buyer claims payouts ---

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Create a claim link (see `refund_url`) for a fiat amount, converted at the rate when it is claimed."""
        invoice = self._read(payment_ref)
        methods = self._methods(invoice)
        cents = seen_in(invoice, methods).received_cents if amount_cents is None else amount_cents
        # A claim is found by its name after a lost answer. The server allows 50 characters.
        name = f"Refund {reference(key)}"
        request = {
            "name": name,
            "description": f"{DESCRIBED}{payment_ref}: {reason}",
            "refundVariant": "Custom",
            "customAmount": f"{to_decimal(cents, currency):f}",
            "customCurrency": currency,
        }
        existing = looked_for(lambda: self._claim_named(name))()
        claim = existing or self._make_claim(payment_ref, request, name, payout_methods(methods))
        try:
            fact = self._refund_fact(invoice, methods, claim, int(self._rest.answered_at or invoice["createdTime"]))
        except ProviderError as refused:
            raise ProviderUnavailable(f"the claim was made, but cannot be read: {refused.detail}") from refused
        return RefundParts(facts=(fact,))

    def _make_claim(self, invoice_id: str, request: Mapping[str, object], name: str, ways: Sequence[str]) -> Any:
        """Try the payout methods in order: the store refuses (422) one that it does not have."""
        for way in ways:
            try:
                return self._rest.create(
                    f"{self._store}/invoices/{quote(invoice_id)}/refund",
                    encode({**request, "payoutMethodId": way}),
                    find=lambda: self._claim_named(name),
                    look_first=False,
                )
            except ProviderError as refused:
                if refused.extensions.get("status") != 422 or way == ways[-1]:
                    raise
        raise ProviderError(f"BTCPay invoice {invoice_id} has no way to pay anything back by")

    def _claims(self) -> list[dict[str, Any]]:
        claims: list[dict[str, Any]] = self._rest.read(f"{self._store}/pull-payments?includeArchived=true")
        return claims

    def _claim_named(self, name: str) -> Any:
        return next((claim for claim in self._claims() if claim.get("name") == name), None)

    def listed_refunds(self) -> Mapping[str, Sequence[str]]:
        """Includes refunds made with the server's own button, for which only 2.4.1 and later send webhooks."""
        by_invoice: dict[str, list[str]] = {}
        for claim in self._claims():
            if invoice_id := invoice_of(claim):
                by_invoice.setdefault(invoice_id, []).append(str(claim["id"]))
        return by_invoice

    def _refund_facts(self, invoice_id: str, refund_id: str, now: int) -> Sequence[Fact]:
        claim = self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}", missing_ok=True)
        invoice_id = invoice_id or (invoice_of(claim) if claim else "")
        invoice = self._find(invoice_id) if claim and invoice_id else None
        if invoice is None or invoice["storeId"] != self.store_id:
            return ()
        return (self._refund_fact(invoice, self._methods(invoice), claim, now),)

    def _refund_fact(
        self, invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], claim: Mapping[str, Any], now: int
    ) -> RefundFact:
        path = f"/api/v1/pull-payments/{quote(str(claim['id']))}/payouts?includeCancelled=true"
        return refund_fact(invoice, methods, claim, self._rest.read(path), now)

    def refund_url(self, refund_id: str) -> str | None:
        return str(self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}")["viewLink"])

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/i/{quote(payment_id)}/receipt")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        server_time = self._rest.answered_at or now
        methods = self._methods(invoice)
        seen = seen_in(invoice, methods)
        chain, lightning = method_named(methods, ON_CHAIN), method_named(methods, LIGHTNING)
        payable = seen.state in ("pending", "underpaid") and seen.expires_at > server_time
        main = chain or lightning
        bolt11 = str(lightning["destination"]) if payable and lightning and lightning.get("destination") else None
        return CryptoInvoice(
            purchase_id=purchase_id,
            state=seen.state,
            amount_cents=seen.amount_cents,
            received_cents=seen.received_cents,
            due_cents=seen.amount_cents if seen.state == "pending" else seen.due_cents,
            surplus_cents=max(0, seen.received_cents - seen.amount_cents),
            currency=seen.currency,
            amount_btc=exact(main["amount"]) if main else None,
            due_btc=exact(main["due"]) if main and payable else None,
            address=str(chain["destination"]) if payable and chain else None,
            bip21=bip21(chain, bolt11) if payable and chain else None,
            lightning=bolt11,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=server_time,
            url=str(invoice["checkoutLink"]),
            confirmations=confirmations_of(invoice),
            confirmed=confirmed_of(invoice, methods),
            transactions=transactions_in(methods),
        )


def _judge(status: int, answer: Any) -> Verdict:
    """A 404 means "missing" only with one of the server's own codes: a wrong base URL answers 404 as well."""
    verdict = by_status(status, answer)
    if verdict == "missing":
        code = answer.get("code") if isinstance(answer, dict) else None
        return "missing" if code in ("invoice-not-found", "pullpayment-not-found") else "refused"
    return verdict


def _words(answer: Any) -> Iterator[str]:
    """Errors are {code, message}, or for an invalid request a list of {path, message}."""
    if isinstance(answer, dict) and isinstance(answer.get("message"), str) and "code" in answer:
        missing = answer.get("missingPermission")
        yield f"{answer['message']} (the API key lacks {missing})" if missing else answer["message"]
    elif isinstance(answer, list):
        for error in answer:
            if isinstance(error, dict) and set(error) == {"path", "message"}:
                yield f"{error['path']}: {error['message']}"
