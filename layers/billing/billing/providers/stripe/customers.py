"""Whose checkout it is at Stripe: the user's customer, found or made, and made anew when somebody deleted it there."""

from collections.abc import Callable
from typing import TypeVar

import stripe

_Made = TypeVar("_Made")
# How many customers of one user may turn out to be deleted before that is taken for a fault.
_TRIES = 4


class Customers:
    """Raises the SDK's errors."""

    def __init__(self, api: stripe.StripeClient) -> None:
        self._v1 = api.v1

    def with_customer(
        self, user_id: str, stored: str | None, use: Callable[[str], _Made]
    ) -> tuple[_Made, tuple[str, ...]]:
        """What `use` makes with the id of the user's customer, and the ids that turned out to be gone.

        Stripe says that a customer is gone only when it is used: a stored id, what a search still finds, and what a
        repeated key gives back may each be one that was deleted.
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
        """metadata.user_id is all that we tell Stripe of a person.

        The search lags behind by up to a minute; within that, and beyond, the key gives the same customer. It names
        those that are gone: under the old key Stripe would give them back for a day.
        """
        living = [customer for customer in self._found(user_id) if customer not in gone]
        if living:
            return living[0]
        key = ":".join(("customer", user_id, *gone))
        return once_more(lambda key: self._v1.customers.create(_named(user_id), {"idempotency_key": key}).id, key)

    def _found(self, user_id: str) -> list[str]:
        """A help, not a need: some countries have no search, and it fails by itself at times."""
        quoted = user_id.replace("\\", "\\\\").replace("'", "\\'")
        try:
            matches = self._v1.customers.search({"query": f"metadata['user_id']:'{quoted}'"})
        except (stripe.InvalidRequestError, stripe.PermissionError, stripe.RateLimitError, stripe.APIError):
            return []
        return [customer.id for customer in matches.data]


def once_more(make: Callable[[str], _Made], key: str) -> _Made:
    """Stripe keeps what was begun under a key for a day, a 500 too: then once more under another one.

    Only for what does no harm when it is there twice, because nobody knows the first.
    """
    try:
        return make(key)
    except stripe.APIError as broken:
        if broken.http_status is None or broken.http_status < 500:
            raise
        return make(f"{key}:again")


def _named(user_id: str) -> "stripe.params.CustomerCreateParams":
    return {"metadata": {"user_id": user_id}}
