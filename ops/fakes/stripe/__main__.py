"""Runs the stand-in alone: `python -m fakes.stripe --port 12111`."""

import argparse

from fakes.base import Server
from fakes.stripe.app import StripeApp


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Stripe's API on loopback")
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--webhook-url", help="where events go")
    parser.add_argument("--webhook-secret", help="whsec_…; made up when left out")
    options = parser.parse_args()
    app = StripeApp()
    with Server(app, options.port) as server:
        print(f"Stripe stand-in on {server.url} (set STRIPE_API_BASE to it); pages: {server.url}/", flush=True)
        if options.webhook_url:
            print(f"STRIPE_WEBHOOK_SECRET={app.add_endpoint(options.webhook_url, options.webhook_secret)}", flush=True)
        server.wait()


if __name__ == "__main__":
    main()
