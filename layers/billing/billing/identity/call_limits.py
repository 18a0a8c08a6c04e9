"""Rate limits for calls that cost a write or a call to a provider.

Calls are counted per user and per address prefix. All buyers share a budget of provider calls; the rest of a provider's
limit is left for webhooks and scheduled work, which are not counted. Prefixes are hashed with a salt that is deleted
after two days; then they cannot be recovered.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from billing.api.http import Call, Request, Response
from billing.data import dataclass
from billing.errors import ProviderUnavailable, TooManyRequests
from billing.origin import prefix_of
from billing.store.limits import Limits

MINUTE, HOUR = 60, 3600
# Provider calls of all buyers together: a tenth of Stripe's limit in live mode.
PROVIDER_CALLS_PER_MINUTE = 600
_REFUSALS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """The allowed calls in a window (seconds) per user and per address prefix; 0: no limit.

    `bucket`: routes with the same bucket are counted together. `provider`: provider calls that one call can cost.
    """

    bucket: str
    window: int
    user: int = 0
    prefix: int = 0
    provider: int = 0


_CHECKOUT = Limit("checkout", HOUR, user=30, prefix=300, provider=3)
_SUBSCRIPTION = Limit("subscription", HOUR, user=60, prefix=600, provider=4)
# Enough for typing errors, too few for guessing codes.
_VOUCHER = Limit("voucher", HOUR, user=20, prefix=60)
# A page that waits for a bitcoin payment polls every three seconds, perhaps in two tabs.
_INVOICE = Limit("invoice", MINUTE, user=60, prefix=600, provider=2)
# Each call connects to a relay chosen by the caller.
_TO_A_WALLET = Limit("to-a-wallet", HOUR, user=20, prefix=60)
_WALLET = Limit("wallet", MINUTE, user=60, prefix=600)
_CALENDAR = Limit("calendar", MINUTE, user=60, prefix=600)

# Each call sends a message to an inbox that may not be the caller's.
_MESSAGE = Limit("message", HOUR, user=6, prefix=30)
_MESSAGES = Limit("messages", MINUTE, user=60, prefix=600)

ROUTES: Mapping[str, Limit] = {
    "POST /auth/nostr": Limit("sign-in", MINUTE, prefix=60),
    "POST /auth/refresh": Limit("refresh", MINUTE, prefix=300),
    "POST /auth/sign-out": Limit("sign-out", MINUTE, prefix=120),
    "POST /billing/create-checkout-session": _CHECKOUT,
    "POST /billing/renewals/{group}/invoice": _CHECKOUT,
    "POST /billing/renewals/{group}/reminders": Limit("reminders", HOUR, user=30, prefix=300),
    "POST /billing/checkout-sessions/{checkout_id}/confirm": Limit("confirm", MINUTE, user=40, prefix=400, provider=2),
    "GET /billing/receipts": Limit("receipts", MINUTE, user=20, prefix=200, provider=8),
    "GET /billing/receipts/{provider}/{payment_id}": Limit("receipts", MINUTE, user=20, prefix=200, provider=2),
    "POST /billing/vouchers/preview": _VOUCHER,
    "POST /billing/vouchers/redeem": _VOUCHER,
    "GET /billing/gifts": Limit("gifts", MINUTE, user=40, prefix=400),
    "POST /billing/portal-session": Limit("portal", HOUR, user=60, prefix=600, provider=1),
    "POST /billing/subscription/preview-change": _SUBSCRIPTION,
    "POST /billing/subscription/change": _SUBSCRIPTION,
    "POST /billing/subscription/cancel": _SUBSCRIPTION,
    "POST /billing/subscription/resume": _SUBSCRIPTION,
    "GET /billing/wallet": _WALLET,
    "POST /billing/wallet": _TO_A_WALLET,
    "POST /billing/wallet/{group}/test": _TO_A_WALLET,
    "PUT /billing/wallet/{group}": _WALLET,
    "DELETE /billing/wallet/{group}": _WALLET,
    "GET /billing/messages": _MESSAGES,
    "POST /billing/messages": _MESSAGE,
    "POST /billing/messages/confirm": Limit("message-code", HOUR, user=20, prefix=100),
    "POST /billing/messages/test": _MESSAGE,
    "PUT /billing/messages": _MESSAGES,
    "DELETE /billing/messages": _MESSAGES,
    "GET /billing/calendar": _CALENDAR,
    "POST /billing/calendar/feed": Limit("calendar-feed", HOUR, user=20, prefix=200),
    "DELETE /billing/calendar/feed": _CALENDAR,
    "GET /billing/calendar/file": _CALENDAR,
    # Web calendars fetch the feeds of all their users from a few addresses.
    "GET /billing/calendar/feed/{file}": Limit("calendar-read", MINUTE, prefix=600),
    "GET /billing/checkout-sessions/{checkout_id}/invoice": _INVOICE,
    "GET /billing/invoices/{provider}/{purchase_id}": _INVOICE,
}


def limited(routes: Mapping[str, Call], limits: Limits) -> Mapping[str, Call]:
    """The routes, each counted before it is served. Raises `KeyError` for a route without a limit."""
    callers = _Callers(limits)
    return {route: callers.counted(call, ROUTES[route]) for route, call in routes.items()}


class _Callers:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # (bucket, caller) → refused until: refused callers cost no further writes.
        self._refused: OrderedDict[tuple[str, str], int] = OrderedDict()

    def counted(self, call: Call, limit: Limit) -> Call:
        def serve(request: Request) -> Response | Mapping[str, object]:
            prefix = prefix_of(request.address)
            if limit.prefix and prefix:
                salted = f"{self._limits.salt(request.now)}|{prefix}"
                self._count(
                    limit, "from-" + hashlib.sha256(salted.encode()).hexdigest()[:32], limit.prefix, request.now
                )
            if limit.user and request.user_id:
                self._count(limit, request.user_id, limit.user, request.now)
            if limit.provider:
                self._spend(limit.provider, request.now)
            return call(request)

        return serve

    def _count(self, limit: Limit, caller: str, most: int, now: int) -> None:
        until = self._refused.get((limit.bucket, caller), 0)
        if until > now:
            raise TooManyRequests(f"too many calls: wait {until - now} seconds", retry_after=until - now)
        try:
            self._limits.count(limit.bucket, caller, most, limit.window, now)
        except TooManyRequests:
            self._refused[limit.bucket, caller] = now - now % limit.window + limit.window
            if len(self._refused) > _REFUSALS_KEPT:
                self._refused.popitem(last=False)
            raise

    def _spend(self, calls: int, now: int) -> None:
        try:
            self._limits.count("provider", "all", PROVIDER_CALLS_PER_MINUTE, MINUTE, now, cost=calls)
        except TooManyRequests as spent:
            words = "too many people ask the payment provider at this moment: try again soon"
            raise ProviderUnavailable(words, retry_after=spent.extensions["retry_after"]) from spent
