"""Refunds of the BTCPay Server stand-in: pull payments, claims and payouts."""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fakes.base import Answer, Request, json_answer, redirect
from fakes.pages import actions, button, facts_list, page

if TYPE_CHECKING:
    from fakes.btcpay import BTCPay
    from fakes.btcpay_invoice import Invoice

VIEW, CREATE, APPROVE = "canviewpullpayments", "cancreatenonapprovedpullpayments", "cancreatepullpayments"


class Refunds:
    """`claims`: pull payments by id, each with its payouts."""

    def __init__(self, app: "BTCPay") -> None:
        self._app = app
        self.claims: dict[str, dict[str, Any]] = {}

    def add_routes(self) -> None:
        store = "/api/v1/stores/{store}"
        self._app.route("POST", f"{store}/invoices/{{id}}/refund", self._refund)
        self._app.route("GET", f"{store}/pull-payments", self._list)
        self._app.route("GET", "/api/v1/pull-payments/{id}", self._get)
        self._app.route("GET", "/api/v1/pull-payments/{id}/payouts", self._payouts)
        self._app.route("GET", "/pull-payments/{id}", self._page)
        self._app.route("POST", "/pull-payments/{id}", self._act)

    # --- the API ---

    def _refund(self, request: Request) -> Answer:
        invoice = self._app.invoice_of(request, CREATE)
        if isinstance(invoice, Answer):
            return invoice
        if invoice.status not in ("Settled", "Invalid") and not (
            invoice.status == "Expired" and invoice.additional in ("PaidLate", "PaidOver", "PaidPartial")
        ):
            return json_answer({"code": "non-refundable", "message": "Cannot refund this invoice"}, 400)
        wanted = request.json
        faults = [
            *self._faulty_methods(invoice, wanted),
            *([] if len(wanted.get("name") or "") <= 50 else [("name", "The name should be maximum 50 characters.")]),
        ]
        if wanted.get("refundVariant") == "Custom" and Decimal(wanted.get("customAmount") or 0) <= 0:
            faults.append(("customAmount", "Amount must be greater than 0"))
        if wanted.get("refundVariant") == "OverpaidAmount" and invoice.additional != "PaidOver":
            faults.append(("refundVariant", "Invoice is not overpaid"))
        if faults:
            return json_answer([{"path": path, "message": message} for path, message in faults], 422)
        claim = self.make(
            invoice,
            wanted["refundVariant"],
            wanted.get("customAmount"),
            wanted.get("customCurrency"),
            name=wanted.get("name"),
            description=wanted.get("description"),
        )
        return json_answer(self._json(claim))

    def _faulty_methods(self, invoice: "Invoice", wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
        """BTCPay Server rejects BTC-LNURL as a payout method, even where it is the default."""
        wanted_methods = wanted.get("payoutMethods") or [wanted.get("payoutMethodId") or self._app.methods[0]]
        key = "payoutMethods" if wanted.get("payoutMethods") else "payoutMethodId"
        usable = [m for m in wanted_methods if m in self._app.payout_methods and m != "BTC-LNURL"]
        if usable and (key == "payoutMethodId" or len(usable) == len(wanted_methods)):
            return []
        return [(key, "Please select one of the payment methods which were available for the original invoice")]

    def _list(self, request: Request) -> Answer:
        every = request.query.get("includeArchived") == "true"
        claims = [self._json(claim) for claim in self.claims.values() if every or not claim["archived"]]
        return self._app.refused(request, VIEW) or json_answer(claims)

    def _get(self, request: Request) -> Answer:
        claim = self.claims.get(request.params["id"])
        if claim is None:
            return json_answer({"code": "pullpayment-not-found", "message": "The pull payment was not found"}, 404)
        return json_answer(self._json(claim))

    def _payouts(self, request: Request) -> Answer:
        """Like the server, it hides all payouts of an archived pull payment, even those that were paid."""
        every = request.query.get("includeCancelled") == "true"
        claim = self.claims[request.params["id"]]
        payouts = [] if claim["archived"] else claim["payouts"]
        return json_answer([payout for payout in payouts if every or payout["state"] != "Cancelled"])

    def _json(self, claim: Mapping[str, Any]) -> dict[str, Any]:
        answer = {k: claim[k] for k in ("id", "name", "description", "currency", "amount", "archived")}
        answer |= {"autoApproveClaims": claim["approved"], "BOLT11Expiration": "30"}
        return {**answer, "viewLink": f"{self._app.url}/pull-payments/{claim['id']}"}

    # --- what happens ---

    def by_the_server(
        self,
        invoice_id: str,
        variant: str = "RateThen",
        amount: str | None = None,
        currency: str | None = None,
        *,
        name: str | None = None,
    ) -> str:
        """Refunds with the server's own button; returns the id of the pull payment."""
        claim = self.make(self._app.invoices[invoice_id], variant, amount, currency, name=name, description="")
        return str(claim["id"])

    def make(
        self,
        invoice: "Invoice",
        variant: str,
        amount: str | None,
        currency: str | None,
        *,
        name: str | None,
        description: str | None,
    ) -> dict[str, Any]:
        """Amounts derive from the payments including fees. Like the server, it checks neither earlier refunds nor a
        limit."""
        gross, coin = Decimal(invoice.gross) / 100_000_000, "BTC"
        if variant == "Fiat":
            amount, currency = f"{gross * invoice.rate:.2f}", invoice.currency
        elif variant == "OverpaidAmount":
            amount, currency = f"{gross - Decimal(invoice.satoshis) / 100_000_000:.8f}", coin
        elif variant != "Custom":
            amount, currency = f"{gross:.8f}", coin
        claim: dict[str, Any] = {
            "id": secrets.token_hex(13),
            "name": name or f"Refund {invoice.id}",
            "description": description or "",
            "currency": currency,
            "amount": amount,
            "archived": False,
            "approved": currency == coin and APPROVE in self._app.permissions,
            "payouts": [],
        }
        self.claims[claim["id"]] = claim
        if self._app.tells_refunds:
            self._app.notify(invoice, "InvoiceRefund", pullPaymentId=claim["id"])
        return claim

    def claim(self, claim_id: str, amount: str | None = None, state: str = "Completed") -> dict[str, Any]:
        """The buyer claims the rest or `amount`; the payout is created, awaits approval, and then moves to `state`."""
        claim = self.claims[claim_id]
        taken = sum((Decimal(p["originalAmount"]) for p in claim["payouts"] if p["state"] != "Cancelled"), Decimal(0))
        payout: dict[str, Any] = {
            "id": secrets.token_hex(13),
            "revision": 0,
            "pullPaymentId": claim_id,
            "date": str(self._app.clock.now()),
            "destination": "bcrt1qbuyer",
            "originalCurrency": claim["currency"],
            "originalAmount": amount or str(Decimal(claim["amount"]) - taken),
            "payoutCurrency": "BTC",
            "payoutAmount": None,
            "payoutMethodId": self._app.payout_methods[0],
            "state": "AwaitingApproval",
            "paymentProof": None,
            "metadata": {},
        }
        claim["payouts"].append(payout)
        self._tell("PayoutCreated", payout)
        if state != "AwaitingApproval":
            self.move(payout, state)
        return payout

    def move(self, payout: dict[str, Any], state: str) -> None:
        """A payout is approved, being paid, paid or cancelled."""
        payout["state"] = state
        self._tell("PayoutApproved" if state == "AwaitingPayment" else "PayoutUpdated", payout)

    def archive(self, claim_id: str) -> None:
        """The pull payment is archived at the server: pending payouts are cancelled. It has no webhook of its own."""
        claim = self.claims[claim_id]
        claim["archived"] = True
        for payout in claim["payouts"]:
            if payout["state"].startswith("Awaiting"):
                self.move(payout, "Cancelled")

    def _tell(self, kind: str, payout: Mapping[str, Any]) -> None:
        details = {"payoutId": payout["id"], "pullPaymentId": payout["pullPaymentId"], "payoutState": payout["state"]}
        self._app.send_event(kind, details)

    # --- its page ---

    def _page(self, request: Request) -> Answer:
        claim = self.claims[request.params["id"]]
        rows = {"Amount": f"{claim['amount']} {claim['currency']}", "For": str(claim["description"])}
        body = facts_list(rows)
        if claim["payouts"]:
            body += '<p class="status" role="status">Paid out.</p>'
        else:
            body += actions([button(f"/pull-payments/{claim['id']}", "Claim it", primary=True)])
        return page("Claim a refund", body, provider="BTCPay Server")

    def _act(self, request: Request) -> Answer:
        self.claim(request.params["id"])
        return redirect(f"/pull-payments/{request.params['id']}")
