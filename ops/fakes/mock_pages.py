"""The mock provider's pages: checkout, receipt, and a desk from which to act as customer, bank and clock."""

from collections.abc import Mapping
from html import escape
from typing import Any

from billing.rules.money import format_money
from fakes.base import Answer
from fakes.pages import actions, button, clock_time, facts_list, page

_NAME = "a payment provider (mock)"
Object = Mapping[str, Any]


def checkout_page(session: Object, *, declined: bool) -> Answer:
    price = _price(session)
    rows = {"Plan": session["plan_name"], "Price": price}
    if session.get("trial_days"):
        rows["Trial"] = f"{session['trial_days']} days free, then {price}"
    notice = '<p role="alert" class="status">The card was declined. Nothing was charged.</p>' if declined else ""
    base = f"/checkout/{session['id']}"
    label = "Start the trial" if session.get("trial_days") else f"Pay {_money(session)}"
    buttons = [
        button(f"{base}/pay", label, primary=True),
        button(f"{base}/decline", "Pay with a card that is declined"),
        button(f"{base}/abandon", "Leave without paying"),
    ]
    return page("Checkout", notice + facts_list(rows) + actions(buttons), provider=_NAME)


def ended_page(text: str, back: str, status: int = 200) -> Answer:
    link = f'<p><a class="button" href="{escape(back)}">Back to the shop</a></p>' if back else ""
    return page("Checkout", f'<p class="status">{escape(text)}</p>{link}', provider=_NAME, status=status)


def receipt_page(payment: Object, refunded: int) -> Answer:
    rows = {
        "Payment": payment["id"],
        "Paid": clock_time(payment["paid_at"]),
        "Amount": _money(payment),
        "Refunded": format_money(refunded, payment["currency"]),
    }
    return page("Receipt", facts_list(rows), provider=_NAME)


def desk_page(objects: list[Object], now: int, return_url: str) -> Answer:
    back = f'<p><a class="button" href="{escape(return_url)}">Back to the shop</a></p>' if return_url else ""
    subscriptions = [_subscription(o) for o in objects if o["object"] == "subscription"]
    payments = [_payment(o) for o in objects if o["object"] in ("payment", "purchase")]
    nothing = "<p>Nothing yet. Buy something first.</p>"
    clock = actions(
        [
            button("/desk/clock", f"Forward {label}", fields={"seconds": str(seconds)})
            for label, seconds in (("1 day", 86_400), ("1 week", 604_800), ("1 month", 31 * 86_400))
        ]
    )
    body = (
        f"{back}<h2>Clock</h2><p>The provider's time is {clock_time(now)}.</p>{clock}"
        f"<h2>Subscriptions</h2>{''.join(reversed(subscriptions)) or nothing}"
        f"<h2>Payments</h2>{''.join(reversed(payments)) or nothing}"
    )
    return page("Provider's desk", body, provider=_NAME)


def _subscription(subscription: Object) -> str:
    base = f"/desk/{subscription['id']}"
    rows = {
        "Plan": f"{subscription['plan_name']}, {_price(subscription)}",
        "Status": subscription["status"] + (", ends with the period" if subscription["cancel_at_period_end"] else ""),
        "Period": " to ".join(clock_time(subscription[f"current_period_{edge}"]) for edge in ("start", "end")),
    }
    buttons = []
    if subscription["status"] in ("trialing", "active"):
        buttons = [
            button(f"{base}/renew", "Renew now"),
            button(f"{base}/fail", "Fail the renewal"),
            button(f"{base}/cancel", "Cancel now"),
        ]
    elif subscription["status"] == "past_due":
        buttons = [button(f"{base}/settle", "Fix the card", primary=True), button(f"{base}/cancel", "Cancel now")]
    return f"<section><h3>{escape(subscription['id'])}</h3>{facts_list(rows)}{actions(buttons)}</section>"


def _payment(payment: Object) -> str:
    base = f"/desk/{payment['id']}"
    buttons = [
        button(f"{base}/refund", "Refund"),
        button(f"{base}/fail-refund", "Let the refund fail"),
        button(f"{base}/dispute", "Open a dispute"),
        button(f"{base}/win", "Dispute: won"),
        button(f"{base}/lose", "Dispute: lost"),
    ]
    rows = {"Amount": _money(payment), "Paid": clock_time(payment["paid_at"])}
    return f"<section><h3>{escape(payment['id'])}</h3>{facts_list(rows)}{actions(buttons)}</section>"


def _price(obj: Object) -> str:
    return _money(obj) if obj["interval"] == "once" else f"{_money(obj)} per {obj['interval']}"


def _money(obj: Object) -> str:
    return format_money(obj["amount_cents"], obj["currency"])
