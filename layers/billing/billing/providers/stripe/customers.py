"""The Stripe customer of a user: found, created, or created again after it was deleted in the dashboard."""

from collections.abc import Callable
from typing import TypeVar

import stripe

_Result = TypeVar("_Result")
# After this many deleted customers of one user, give up with Stripe's error.
_TRIES = 4


class Customers:
    """Raises the SDK's errors."""

    def __init__(self, api: stripe.StripeClient) -> None:
        self._v1 = api.v1

    def with_customer(
        self, user_id: str, stored: str | None, use: Callable[[str], _Result]
    ) -> tuple[_Result, tuple[str, ...]]:
        """Call `use` with the id of the user's customer. Returns its result and the ids of deleted customers.

        Stripe reports a deleted customer only when it is used: the stored id, a search result and the answer to a
        repeated idempotency key can each be of a deleted one.
        """
        gone: tuple[str, ...] = ()
        while True:
            customer = stored if stored and stored not in gone else self._of(user_id, gone)
            try:
                return use(customer), gone
            except stripe.InvalidRequestError as refused:
                if (refused.code, refused.param) != ("resource_missing", "customer") or len(gone) == _TRIES:
                    raise
                gone = (*gone, customer)

    def _of(self, user_id: str, gone: tuple[str, ...]) -> str:
        """Find the customer by metadata.user_id, else create one.

        The search index lags by up to a minute; the idempotency key prevents a duplicate meanwhile. Deleted ids are
        part of the key, because under the old key Stripe would return the deleted customer for a day.
        """
        existing = [customer for customer in self._search(user_id) if customer not in gone]
        if existing:
            return existing[0]
        key = ":".join(("customer", user_id, *gone))
        return once_more(lambda key: self._v1.customers.create(_named(user_id), {"idempotency_key": key}).id, key)

    def _search(self, user_id: str) -> list[str]:
        """Empty when the search fails: it is optional, and not available in some countries."""
        quoted = user_id.replace("\\", "\\\\").replace("'", "\\'")
        try:
            matches = self._v1.customers.search({"query": f"metadata['user_id']:'{quoted}'"})
        except (stripe.InvalidRequestError, stripe.PermissionError, stripe.RateLimitError, stripe.APIError):
            return []
        return [customer.id for customer in matches.data]


def once_more(make: Callable[[str], _Result], key: str) -> _Result:
    """Call `make(key)`; after a 5xx, once more with another key, as Stripe repeats the stored 5xx for a day.

    Only for objects that may exist twice: the first one might have been created, but its id is not known to us.
    """
    try:
        return make(key)
    except stripe.APIError as broken:
        if broken.http_status is None or broken.http_status < 500:
            raise
        return make(f"{key}:again")


def _named(user_id: str) -> "stripe.params.CustomerCreateParams":
    return {"metadata": {"user_id": user_id}}
