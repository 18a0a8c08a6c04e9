"""Prints after `make run` the addresses to open and the first calls to try."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from demo.shop import USER, Shop
from local.host import ROOT


def welcome(shop: Shop, console: Console, environment: Path, *, past: bool) -> None:
    """Prints the addresses and what to do first.

    `environment`: the file to `source` in a shell. `past`: the shop has a simulated history, see `demo.history`.
    """
    places = [
        ("Pages", f"{shop.url}/pricing", "as a visitor"),
        ("", f"{shop.url}/as/user", f"signed in as {USER}; /as/usr_… for any other user"),
        ("", f"{shop.url}/console", "the admin pages: sign in as viewer, support or admin"),
        ("", f"{shop.url}/as/admin", "the same, signed in as admin"),
        ("Providers", shop.mock.url, "cards: act as customer and bank, move the clock"),
        ("", shop.stripe.url, "the same for the stand-in of Stripe"),
        ("", shop.btcpay.url, "stand-in of BTCPay Server: pay half, too much, or late"),
        ("", shop.bitpay.url, "stand-in of BitPay"),
        ("Wallet", shop.wallet.url, "a Lightning wallet: connect, pay, refuse, go offline"),
        ("Messages", shop.reader.url, "a buyer's Nostr inbox"),
        ("AWS", shop.engine.endpoint_url, "access key and secret: test, region us-east-1"),
        ("Logs", _short(shop.engine.log_folder), "one file per function"),
    ]
    width = max(len(place) for _, place, _ in places)
    lines = [f"  {name:10} [bold]{place:{width}}[/]  [dim]{what}[/]" for name, place, what in places]
    calls = [
        f"source {_short(environment)}",
        "curl -s $api/billing/plans",
        'curl -s -H "$auth" $api/billing/entitlements/tax.enhanced',
        'curl -s -H "$auth" -d \'{"plan_id":"pro-month"}\' $api/billing/create-checkout-session',
    ]
    console.print()
    for line in lines:
        console.print(line, soft_wrap=True)
    console.print("\n[bold]A short tour[/], in a second terminal:\n")
    for call in calls:
        console.print(f"  {escape(call)}", soft_wrap=True)
    admins = (
        "The customers are made up, and named after birds: look up usr_coot, or open /as/usr_coot."
        if past
        else 'The admin pages are empty at first: make run ARGS="--fresh --history" simulates half a year.'
    )
    console.print(
        f"""
  Open the URL in that answer, pay, and ask for the entitlement again. Add "provider":"btcpay"
  to the last call to get a bitcoin invoice. Commands for operators: ops/billing --help

  {admins}
""",
        soft_wrap=True,
    )


def _short(path: Path) -> str:
    """The path relative to the repository, if it is inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
