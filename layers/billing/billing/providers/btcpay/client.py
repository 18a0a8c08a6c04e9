"""The calls toward BTCPay Server.

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
from billing.providers.interface import CryptoInvoice, ObjectKind, Order, RefundParts, Session
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
    """The invoice in the merchant's part of the server."""
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
    """Real money does not travel in the clear. An onion service is encrypted by its address."""
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
    """A server's version, and (permission, store) pairs of our key; the store is empty for all of them."""

    version: str
    permissions: tuple[tuple[str, str], ...]


# One Lightning invoice and nothing else: a part that came on-chain would make the server write another one, while the
# first could still be paid. Written at once, because nobody opens the page.
_LIGHTNING_ALONE = {"paymentMethods": [LIGHTNING], "lazyPaymentMethods": False}


class BTCPay(PrepaidClient):
    """`invoice_minutes`: how long the rate holds; `late_minutes`: how long after that a payment may still confirm."""

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
        """Refunds made at the server are looked for, with or without its webhooks."""
        return ()

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
        """The invoice of one of our orders, if there is one."""
        invoices = self._rest.read(f"{self._store}/invoices?{urlencode({'orderId': checkout_id})}")
        return next(iter(invoices), None)

    def expire_checkout(self, session_id: str) -> None:
        """Marks an invoice nobody has paid into as invalid. One that cannot be marked any more, or a key that may not
        do that, leaves it to run out: what comes to it is seen whatever its state is."""
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
        """Dated by when we asked: the server's clock may be wrong today and right tomorrow.

        Empty for an invoice of another store. Raises `Unordered` for money that came without any order.
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
        nothing_came = (invoice["status"], invoice.get("additionalStatus")) in (("New", "None"), ("Expired", "None"))
        methods = [] if nothing_came else self._methods(invoice)
        return facts_of(NAME, str(invoice["id"]), invoice.get("metadata"), seen_in(invoice, methods), now)

    # --- refunds: pull payments of the server, and the payouts that are claimed from them ---

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Makes a claim link (see `refund_url`) worth that much fiat at the rate of the day it is claimed."""
        invoice = self._read(payment_ref)
        methods = self._methods(invoice)
        cents = seen_in(invoice, methods).received_cents if amount_cents is None else amount_cents
        # The server takes names of at most 50 characters, and a name is what a lost claim is found by.
        name = f"Refund {reference(key)}"
        request = {
            "name": name,
            "description": f"{DESCRIBED}{payment_ref}: {reason}",
            "refundVariant": "Custom",
            "customAmount": f"{to_decimal(cents, currency):f}",
            "customCurrency": currency,
        }
        existing = looked_for(lambda: self._claim_named(name))()
        made = existing or self._make_claim(payment_ref, request, name, payout_methods(methods))
        try:
            fact = self._refund_fact(invoice, methods, made, int(self._rest.answered_at or invoice["createdTime"]))
        except ProviderError as refused:
            raise ProviderUnavailable(f"the claim was made, but cannot be read: {refused.detail}") from refused
        return RefundParts(facts=(fact,))

    def _make_claim(self, invoice_id: str, request: Mapping[str, object], name: str, ways: Sequence[str]) -> Any:
        """By the first way to pay out that the store has: it refuses (422) one that it has not."""
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
        """What the server's own button made too: only servers since 2.4.1 tell of that by a webhook."""
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
    """A 404 only means that there is no such invoice or pull payment when the server itself says so: a wrong address
    answers 404 as well."""
    verdict = by_status(status, answer)
    if verdict == "missing":
        code = answer.get("code") if isinstance(answer, dict) else None
        return "missing" if code in ("invoice-not-found", "pullpayment-not-found") else "refused"
    return verdict


def _words(answer: Any) -> Iterator[str]:
    """Errors are {code, message}, or for a refused request a list of {path, message}."""
    if isinstance(answer, dict) and isinstance(answer.get("message"), str) and "code" in answer:
        missing = answer.get("missingPermission")
        yield f"{answer['message']} (the API key lacks {missing})" if missing else answer["message"]
    elif isinstance(answer, list):
        for error in answer:
            if isinstance(error, dict) and set(error) == {"path", "message"}:
                yield f"{error['path']}: {error['message']}"
