"""The pages that both bitcoin stand-ins show: the list of invoices, and one invoice with what can happen to it next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape

from fakes.base import Answer, App, Request, redirect
from fakes.pages import actions, button, facts_list, page

# (act, label, primary): what can happen to an invoice next.
Choice = tuple[str, str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An invoice as its page shows it. `back` is where the buyer returns to, with the words of that link."""

    invoice_id: str
    path: str
    price: str
    status: str
    rows: Mapping[str, str]
    choices: list[Choice]
    back: tuple[str, str] | None


class InvoicePages:
    """Routes of an app whose invoices `show` shows, and `do` moves on by one of their choices."""

    def __init__(
        self,
        app: App,
        provider: str,
        every: Callable[[], Iterable[str]],
        show: Callable[[str], Shown | None],
        do: Callable[[str, str], None],
        asked: Callable[[Request], str],
    ) -> None:
        self._provider, self._every, self._show, self._do, self._asked = provider, every, show, do, asked
        app.route("GET", "/", self._home)

    def _home(self, _: Request) -> Answer:
        rows = "".join(
            f'<tr><td><a href="{shown.path}">{shown.invoice_id}</a></td>'
            f"<td>{shown.price}</td><td>{shown.status}</td></tr>"
            for shown in map(self._show, reversed(list(self._every())))
            if shown
        )
        table = f"<table><tr><th>Invoice</th><th>Price</th><th>Status</th></tr>{rows}</table>"
        return page("Invoices", table, provider=self._provider)

    def one(self, request: Request) -> Answer:
        shown = self._show(self._asked(request))
        if shown is None:
            return page("No such invoice", "", provider=self._provider, status=404)
        body = f'<p class="status" role="status">Status: {shown.status}</p>{facts_list(dict(shown.rows))}'
        at = self._acting(shown)
        body += actions([button(at, label, primary=first, fields={"act": act}) for act, label, first in shown.choices])
        if shown.back:
            body += f'<p><a class="button" href="{escape(shown.back[0])}">{shown.back[1]}</a></p>'
        return page("Pay with bitcoin", body, provider=self._provider)

    def _acting(self, shown: Shown) -> str:
        return f"{shown.path.partition('?')[0].removesuffix('/' + shown.invoice_id)}/{shown.invoice_id}"

    def act(self, request: Request) -> Answer:
        shown, act = self._show(request.params["id"]), request.form["act"]
        assert shown is not None
        if act in {choice for choice, _, _ in shown.choices}:
            self._do(shown.invoice_id, act)
        return redirect(shown.path)
