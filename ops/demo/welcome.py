"""What a person finds after `make run`: the addresses to open, tokens to try them with, and a short tour."""

from rich.console import Console

from demo.shop import ADMIN, USER, Shop


def welcome(shop: Shop, console: Console) -> None:
    """Prints where everything is and what to do first."""
    engine = shop.engine
    console.print(
        f"""
  Pages           [bold]{shop.url}/pricing[/]
  Signed in       {shop.url}/pricing#token={shop.token(USER)}
  As an admin     {shop.url}/console/plans#token={shop.token(ADMIN, admin=True)}
  API             [bold]{shop.url}[/]
  Provider's desk [bold]{shop.mock.url}[/]  play the customer, the bank and the clock
  Stripe's desk   [bold]{shop.stripe.url}[/]  the same for the stand-in of Stripe
  Bitcoin         {shop.btcpay.url}  BTCPay Server's stand-in: pay half, too much, too late, over Lightning
                  {shop.bitpay.url}  BitPay's stand-in
  AWS services    {engine.endpoint_url}  (any credentials; region us-east-1)
  Function logs   {engine.log_folder}

[bold]Demo tokens[/] (30 days)
  export USER_TOKEN={shop.token(USER)}
  export ADMIN_TOKEN={shop.token(ADMIN, admin=True)}

[bold]A short tour[/]
  curl -s {shop.url}/billing/plans
  auth="Authorization: Bearer $USER_TOKEN"
  curl -s -H "$auth" {shop.url}/billing/entitlements/tax.enhanced
  curl -s -H "$auth" -d '{{"plan_id":"pro-month"}}' {shop.url}/billing/create-checkout-session
  Open the URL in that answer, pay, and ask for the entitlement again.
  With "provider":"stripe" beside the plan it is Stripe's checkout, with "btcpay" an invoice in bitcoin.
""",
        soft_wrap=True,
    )
