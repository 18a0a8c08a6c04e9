"""The pages of both bitcoin stand-ins: the list of invoices, and one invoice with buttons for what can happen next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape

from fakes.base import Answer, App, Request, redirect
from fakes.pages import actions, button, facts_list, page

# (act, label, primary): a button for something that can happen to an invoice next.
Choice = tuple[str, str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An invoice as its page shows it. `back`: the URL and text of the link back to the shop."""

    invoice_id: str
    path: str
    price: str
    status: str
    rows: Mapping[str, str]
    choices: list[Choice]
    back: tuple[str, str] | None


class InvoicePages:
    """The invoice pages of an app. `every` lists invoice ids, `show` describes an invoice, `do` performs a choice, and
    `id_of` reads the invoice id from a request."""

    def __init__(
        self,
        app: App,
        provider: str,
        every: Callable[[], Iterable[str]],
        show: Callable[[str], Shown | None],
        do: Callable[[str, str], None],
        id_of: Callable[[Request], str],
    ) -> None:
        self._provider, self._every, self._show, self._do, self._id_of = provider, every, show, do, id_of
        app.route("GET", "/", self._home)

    def _home(self, _: Request) -> Answer:
        rows = "".join(
            f'<tr><td><a href="{invoice.path}">{invoice.invoice_id}</a></td>'
            f"<td>{invoice.price}</td><td>{invoice.status}</td></tr>"
            for invoice in map(self._show, reversed(list(self._every())))
            if invoice
        )
        table = f"<table><tr><th>Invoice</th><th>Price</th><th>Status</th></tr>{rows}</table>"
        return page("Invoices", table, provider=self._provider)

    def one(self, request: Request) -> Answer:
        invoice = self._show(self._id_of(request))
        if invoice is None:
            return page("No such invoice", "", provider=self._provider, status=404)
        body = f'<p class="status" role="status">Status: {invoice.status}</p>{facts_list(dict(invoice.rows))}'
        at = self._action_url(invoice)
        buttons = [button(at, label, primary=first, fields={"act": act}) for act, label, first in invoice.choices]
        body += actions(buttons)
        if invoice.back:
            body += f'<p><a class="button" href="{escape(invoice.back[0])}">{invoice.back[1]}</a></p>'
        return page("Pay with bitcoin", body, provider=self._provider)

    def _action_url(self, invoice: Shown) -> str:
        return f"{invoice.path.partition('?')[0].removesuffix('/' + invoice.invoice_id)}/{invoice.invoice_id}"

    def act(self, request: Request) -> Answer:
        invoice, act = self._show(request.params["id"]), request.form["act"]
        assert invoice is not None
        if act in {choice for choice, _, _ in invoice.choices}:
            self._do(invoice.invoice_id, act)
        return redirect(invoice.path)
