"""BTCPay Server (Greenfield API): invoices in bitcoin and over Lightning at a server of one's own.

A webhook is only a hint: it carries no amount, and a payment that was seen can fall back without any webhook.
https://docs.btcpayserver.org/API/Greenfield/v1/
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from billing.errors import BadWebhook, NotConfigured, ProviderError, ProviderUnavailable, Unordered
from billing.providers.interface import CryptoInvoice, Notification, Order, RefundParts, Session
from billing.providers.prepaid import (
    SATOSHIS,
    PrepaidClient,
    Seen,
    btc,
    covered_at,
    facts_of,
    looked_for,
    matching_secret,
    metadata_of,
    minor_down,
    minor_nearest,
    minor_up,
    parse,
    reference,
    text,
    told_unless_exact,
)
from billing.providers.rest import Rest, Verdict, Way, by_status, encode
from billing.rules.facts import Fact, Ref, RefundFact, Translation
from billing.rules.money import to_decimal
from billing.rules.records import PurchaseState, RefundStatus
from billing.settings import Settings

NAME = "btcpay"

_STATES: Mapping[str, PurchaseState] = {
    "New": "pending",
    "Processing": "processing",
    "Settled": "paid",
    "Expired": "failed",
    "Invalid": "failed",
}
ON_CHAIN, LIGHTNING = "BTC-CHAIN", "BTC-LN"
# How a claim of ours begins to say which invoice it gives back.
_DESCRIBED = "Refund of invoice "
# Of an event, what its meaning could need; nothing of the buyer or of the payment's way.
_KEPT = (
    *("type", "storeId", "invoiceId", "pullPaymentId", "payoutId", "payoutState"),
    *("afterExpiration", "overPaid", "partiallyPaid", "manuallyMarked"),
)


# --- webhooks --------------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """`BTCPay-Sig: sha256=<hex>` is the HMAC of the body with the webhook's secret."""
    scheme, _, given = headers.get("btcpay-sig", "").partition("=")
    if scheme != "sha256" or not given:
        raise BadWebhook("BTCPay-Sig is missing or not of the form sha256=…")
    return matching_secret(secrets, given, lambda key: hmac.digest(key, body, hashlib.sha256).hex())


def minimise(body: bytes) -> Notification:
    """Every try has its own deliveryId; the first one's is the event's id. Old servers misspell its name."""
    document = parse(body)
    event_id = next(
        (
            text(document, name)
            for name in ("originalDeliveryId", "orignalDeliveryId", "deliveryId")
            if document.get(name)
        ),
        None,
    )
    if event_id is None:
        raise BadWebhook("deliveryId is missing")
    timestamp = document.get("timestamp")
    if not isinstance(timestamp, int):
        raise BadWebhook("timestamp is not a whole number")
    return Notification(
        provider=NAME,
        event_id=event_id,
        type=text(document, "type"),
        created_at=timestamp,
        livemode=None,
        payload={k: document[k] for k in _KEPT if isinstance(document.get(k), str | bool)},
    )


def translate(notification: Notification) -> Translation:
    told = notification.payload
    invoice_id, refund, store = (str(told.get(name, "")) for name in ("invoiceId", "pullPaymentId", "storeId"))
    if invoice_id.startswith("__test__"):
        return Translation(reason="a test delivery")
    if notification.type.startswith("Payout") and refund:
        return Translation(rereads=(Ref("payment", f"/{refund}", store),), reason="no refund of an invoice of ours")
    if not notification.type.startswith("Invoice") or not invoice_id:
        return Translation(reason=f"{notification.type} is not about an invoice")
    found = Ref("purchase", invoice_id, store)
    if refund:
        return Translation(rereads=(found, Ref("payment", f"{invoice_id}/{refund}", store)))
    return Translation(rereads=(found,), reason="an invoice of another store")


# --- the invoice as facts --------------------------------------------------------------------------------------------


def _state(invoice: Mapping[str, Any]) -> PurchaseState:
    status, additional = str(invoice.get("status")), invoice.get("additionalStatus")
    if status not in _STATES:
        raise ProviderError(f"BTCPay invoice {invoice.get('id')} has a status we do not know: {status}")
    if additional == "PaidPartial" and status in ("New", "Expired"):
        return "underpaid"
    if additional in ("PaidLate", "PaidOver") and status == "Expired":
        return "paid_late"
    return _STATES[status]


def _seen(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]]) -> Seen:
    """What came is the sum of the payments less their fees: the server's own sums are rounded, or before fees."""
    state, currency, price = _state(invoice), str(invoice["currency"]), Decimal(str(invoice["amount"]))
    payments = [
        (int(payment["receivedDate"]), max(Decimal(0), Decimal(payment["value"]) - Decimal(payment["fee"])), method)
        for method in methods
        for payment in method.get("payments") or []
        if payment.get("status") != "Invalid"
    ]
    worth = [(when, net * _worth_of_one(method, price)) for when, net, method in payments]
    received = minor_down(sum((amount for _, amount in worth), Decimal(0)), currency)
    bitcoin = sum((net for _, net, method in payments if method.get("currency") == "BTC"), Decimal(0))
    # A cent less is rounding: the price is reached.
    reached = price - to_decimal(1, currency)
    return Seen(
        state=state,
        amount=str(invoice["amount"]),
        currency=currency,
        created_at=int(invoice["createdTime"]),
        expires_at=int(invoice["expirationTime"]),
        ended=invoice["status"] in ("Expired", "Invalid"),
        paid_at=covered_at(worth, reached),
        received_cents=received,
        received_sat=int(bitcoin * SATOSHIS),
        due_cents=_due_cents(invoice, methods, price, received) if state == "underpaid" else 0,
    )


def _worth_of_one(method: Mapping[str, Any], price: Decimal) -> Decimal:
    """What one coin is worth at the rate of the invoice: what was asked for before fees is exactly the price."""
    asked = Decimal(method["amount"]) - Decimal(method["paymentMethodFee"])
    return price / asked if asked > 0 else Decimal(method["rate"])


def _due_cents(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], price: Decimal, received: int) -> int:
    """What the server still asks for, with the cost of a further payment where the store adds that; once nothing can be
    paid any more, what is missing."""
    currency = str(invoice["currency"])
    method = _method(methods, ON_CHAIN) or _method(methods, LIGHTNING)
    if invoice["status"] != "New" or method is None:
        return max(0, minor_nearest(price, currency) - received)
    return max(0, minor_up(Decimal(method["due"]) * Decimal(method["rate"]), currency))


def _method(methods: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((m for m in methods if m.get("paymentMethodId") == name and m.get("activated", True)), None)


# --- calls -----------------------------------------------------------------------------------------------------------


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


class BTCPay(PrepaidClient):
    """`invoice_minutes`: how long the rate holds; `late_minutes`: how long after that a payment may still confirm."""

    NAME = NAME

    def __init__(
        self, *, url: str, api_key: str, store_id: str, invoice_minutes: int, late_minutes: int, way: Way | None = None
    ) -> None:
        self._rest = Rest("BTCPay Server", url, {"Authorization": f"token {api_key}"}, _words, judge=_judge, way=way)
        self._store_id = store_id
        self._store = f"/api/v1/stores/{quote(store_id)}"
        self._invoice_minutes, self._late_minutes = invoice_minutes, late_minutes

    @property
    def cannot_see(self) -> Sequence[str]:
        """Refunds made at the server are looked for, with or without its webhooks."""
        return ()

    def create_checkout(self, order: Order) -> Session:
        request = {
            "amount": f"{to_decimal(order.amount_cents, order.currency):f}",
            "currency": order.currency,
            "metadata": {**metadata_of(order), "orderId": order.checkout_id, "itemDesc": order.plan.name},
            "checkout": {
                "expirationMinutes": self._invoice_minutes,
                "monitoringMinutes": self._late_minutes,
                "redirectURL": order.success_url,
                "redirectAutomatically": True,
            },
        }
        invoice = self._rest.create(
            f"{self._store}/invoices",
            encode(request),
            find=lambda: self._opened_for(order),
            look_first=order.repeated,
        )
        return Session(
            session_id=str(invoice["id"]),
            url=str(invoice["checkoutLink"]),
            expires_at=int(invoice["expirationTime"]),
            facts=tuple(self._facts(invoice, int(invoice["createdTime"]))),
        )

    def _opened_for(self, order: Order) -> Any:
        found = self._rest.read(f"{self._store}/invoices?{urlencode({'orderId': order.checkout_id})}")
        return next(iter(found), None)

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
        if ref.within not in ("", self._store_id):
            return ()
        invoice_id, _, refund_id = ref.id.partition("/")
        if refund_id:
            return self._refund_facts(invoice_id, refund_id, now)
        invoice = self._find(invoice_id)
        if invoice is None or invoice["storeId"] != self._store_id:
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
        return facts_of(NAME, str(invoice["id"]), invoice.get("metadata"), _seen(invoice, methods), now)

    # --- refunds: pull payments of the server, and the payouts that are claimed from them ---

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Makes a claim link (see `refund_url`) worth that much fiat at the rate of the day it is claimed."""
        invoice = self._read(payment_ref)
        methods = self._methods(invoice)
        cents = _seen(invoice, methods).received_cents if amount_cents is None else amount_cents
        # The server takes names of at most 50 characters, and a name is what a lost claim is found by.
        name = f"Refund {reference(key)}"
        request = {
            "name": name,
            "description": f"{_DESCRIBED}{payment_ref}: {reason}",
            "refundVariant": "Custom",
            "customAmount": f"{to_decimal(cents, currency):f}",
            "customCurrency": currency,
        }
        found = looked_for(lambda: self._claim_named(name))()
        made = found or self._make_claim(payment_ref, request, name, _payout_methods(methods))
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
        found: dict[str, list[str]] = {}
        for claim in self._claims():
            if invoice_id := _invoice_of(claim):
                found.setdefault(invoice_id, []).append(str(claim["id"]))
        return found

    def _refund_facts(self, invoice_id: str, refund_id: str, now: int) -> Sequence[Fact]:
        claim = self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}", missing_ok=True)
        invoice_id = invoice_id or (_invoice_of(claim) if claim else "")
        invoice = self._find(invoice_id) if claim and invoice_id else None
        if invoice is None or invoice["storeId"] != self._store_id:
            return ()
        return (self._refund_fact(invoice, self._methods(invoice), claim, now),)

    def _refund_fact(
        self, invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], claim: Mapping[str, Any], now: int
    ) -> RefundFact:
        """The whole claim counts from when it is made, until it is withdrawn; then what was paid out of it, or is being
        paid out, still stands."""
        refund_id, currency = str(claim["id"]), str(claim["currency"])
        path = f"/api/v1/pull-payments/{quote(refund_id)}/payouts?includeCancelled=true"
        paying = [(str(p["state"]), Decimal(p["originalAmount"])) for p in self._rest.read(path)]
        paying = [(state, amount) for state, amount in paying if state != "Cancelled"]
        done = sum((amount for state, amount in paying if state == "Completed"), Decimal(0))
        whole, standing = Decimal(claim["amount"]), sum((amount for _, amount in paying), Decimal(0))
        withdrawn = bool(claim.get("archived"))
        given = standing if withdrawn and standing else whole
        status: RefundStatus = "succeeded" if done >= given else "failed" if withdrawn and not standing else "pending"
        states = {state for state, _ in paying}
        turn = "approval" if "AwaitingApproval" in states else "payment" if states - {"Completed"} else "claim"
        price_currency = str(invoice["currency"])
        cents = minor_nearest(given * _rate(invoice, methods, currency), price_currency)
        described, _, reason = str(claim.get("description") or "").rpartition(": ")
        return RefundFact(
            provider=NAME,
            observed_at=now,
            refund_id=refund_id,
            payment_ref=str(invoice["id"]),
            amount_cents=cents,
            currency=price_currency,
            status=status,
            reason=reason if described.startswith(_DESCRIBED) else None,
            request_id=_request_of(claim.get("name")),
            told=told_unless_exact(given, currency, cents, price_currency),
            waits_for=turn if status == "pending" else None,
        )

    def refund_url(self, refund_id: str) -> str | None:
        return str(self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}")["viewLink"])

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/i/{quote(payment_id)}/receipt")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        server_time = self._rest.answered_at or now
        methods = self._methods(invoice)
        seen = _seen(invoice, methods)
        chain, lightning = _method(methods, ON_CHAIN), _method(methods, LIGHTNING)
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
            amount_btc=_exact(main["amount"]) if main else None,
            due_btc=_exact(main["due"]) if main and payable else None,
            address=str(chain["destination"]) if payable and chain else None,
            bip21=_bip21(chain, bolt11) if payable and chain else None,
            lightning=bolt11,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=server_time,
            url=str(invoice["checkoutLink"]),
        )


def _request_of(name: object) -> str | None:
    """The request of ours that a claim was named after."""
    found = re.fullmatch(r"Refund ([0-9a-f]{32})", name) if isinstance(name, str) else None
    return found[1] if found else None


def _payout_methods(methods: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ways the invoice could be paid by, as ways to pay back. Servers up to 2.4.1 do not know what to make of
    BTC-LNURL, although a store may have nothing else by default: it is paid back over Lightning."""
    offered = {str(m.get("paymentMethodId")) for m in methods}
    if "BTC-LNURL" in offered:
        offered.add(LIGHTNING)
    return [way for way in (ON_CHAIN, LIGHTNING) if way in offered]


def _invoice_of(claim: Mapping[str, Any]) -> str:
    """The invoice a pull payment gives back: the server names its own after it, and ours are described by it."""
    described, name = str(claim.get("description") or ""), str(claim.get("name") or "")
    if described.startswith(_DESCRIBED):
        return described.removeprefix(_DESCRIBED).partition(":")[0]
    return name.removeprefix("Refund ") if name.startswith("Refund ") else ""


def _rate(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], currency: str) -> Decimal:
    """What one of a claim's currency is worth: at the rate of the invoice, as what came in is."""
    if currency == invoice["currency"]:
        return Decimal(1)
    found = next((m for m in methods if m.get("currency") == currency), None)
    if found is None:
        raise ProviderError(f"BTCPay refund of invoice {invoice['id']} is in {currency}, the price in another one")
    return _worth_of_one(found, Decimal(str(invoice["amount"])))


def _exact(amount: str) -> str:
    return btc(int(Decimal(amount) * SATOSHIS))


def _bip21(chain: Mapping[str, Any], bolt11: str | None) -> str:
    """One URI for both ways to pay. Upper case keeps a QR code small, and wallets read BOLT 11 in either."""
    link = str(chain.get("paymentLink") or f"bitcoin:{chain['destination']}?amount={_exact(chain['due'])}")
    if bolt11 is None or "lightning=" in link.lower():
        return link
    return f"{link}{'&' if '?' in link else '?'}lightning={bolt11.upper()}"


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
