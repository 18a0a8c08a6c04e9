"""The wallet's page: create connections, set budgets, choose its behaviour, and see the requests."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fakes.base import Answer
from fakes.nostr.wallet_kinds import KINDS, MODES, Connected
from fakes.pages import actions, button, clock_time, facts_list, page

if TYPE_CHECKING:
    from fakes.nostr.wallet import Wallet

_NAME = "a Lightning wallet"


def wallet_page(wallet: Wallet) -> Answer:
    modes = [
        button("/wallet", f"It {words}", primary=mode == wallet.mode, fields={"mode": mode})
        for mode, words in MODES.items()
    ]
    kinds = [button("/wallet", kind, primary=kind == wallet.kind_name, fields={"kind": kind}) for kind in KINDS]
    newest = sorted(wallet.connections.values(), key=lambda one: one.made_at, reverse=True)
    rows = "".join(
        f'<tr><td><a href="/connections/{one.id}">{escape(one.name)}</a></td><td>{_budget(wallet, one)}</td>'
        f"<td>{_state(wallet, one)}</td></tr>"
        for one in newest
    )
    table = f"<table><tr><th>Connection</th><th>Budget</th><th>State</th></tr>{rows}</table>"
    body = (
        f'<p class="status" role="status">The wallet {MODES[wallet.mode]}.</p>'
        f"<h2>Connect an app</h2>{_form()}"
        f"<h2>Connections</h2>{table if rows else '<p>None yet.</p>'}"
        f"<h2>How the wallet answers</h2>{actions(modes)}"
        f"<h2>Which wallet it is</h2>{actions(kinds)}"
    )
    return page("Wallet", body, provider=_NAME)


def connection_page(wallet: Wallet, one: Connected) -> Answer:
    at, expires = f"/connections/{one.id}", clock_time(one.expires_at) if one.expires_at else "never"
    rows = "".join(
        f"<tr><td>{clock_time(when)}</td><td>{escape(method)}</td><td>{escape(outcome)}</td></tr>"
        for when, method, outcome in reversed(one.asked)
    )
    table = f"<table><tr><th>When</th><th>Request</th><th>Outcome</th></tr>{rows}</table>"
    body = (
        f'<p class="status" role="status">{_state(wallet, one)}</p>'
        '<label for="string">Connection string: copy it into the shop</label>'
        f'<textarea id="string" readonly rows="5">{escape(wallet.string_of(one))}</textarea>'
        + facts_list({"Budget": _budget(wallet, one), "Expires": expires})
        + f'<form method="post" action="{at}"><input type="hidden" name="act" value="budget">'
        '<label>Budget in sat; empty for none <input name="budget_sat" inputmode="numeric" pattern="[0-9]*" '
        f'value="{one.budget_sat or ""}"></label> <button>Set the budget</button></form>'
        + actions(
            [
                button(at, "Reset the budget", fields={"act": "forget"}),
                button(at, "Let it expire", fields={"act": "expire"}),
                button(at, "Remove the connection", fields={"act": "remove"}),
            ]
        )
        + f"<h2>Requests</h2>{table if rows else '<p>None yet.</p>'}"
        '<p><a class="button" href="/">The wallet</a></p>'
    )
    return page(one.name, body, provider=_NAME)


def _form() -> str:
    renewals = "".join(f"<option>{name}</option>" for name in ("monthly", "yearly", "weekly", "daily", "never"))
    return (
        '<form method="post" action="/connections">'
        '<p><label>Name <input name="name" value="billing"></label></p>'
        '<p><label>Budget in sat; empty for none <input name="budget_sat" inputmode="numeric" pattern="[0-9]*" '
        'value="200000"></label></p>'
        f'<p><label>Begins anew <select name="renewal">{renewals}</select></label></p>'
        '<p><label>Expires after days; empty for never <input name="days" inputmode="numeric" pattern="[0-9]*">'
        "</label></p>"
        '<button class="primary">Connect</button></form>'
    )


def _budget(wallet: Wallet, one: Connected) -> str:
    if one.budget_sat is None:
        return "none: all that the wallet holds"
    return f"{wallet.spent_msat(one) // 1_000:,} of {one.budget_sat:,} sat used, {one.renewal}"


def _state(wallet: Wallet, one: Connected) -> str:
    if one.removed:
        return "removed"
    return "expired" if one.expires_at is not None and wallet.clock.now() >= one.expires_at else "connected"
