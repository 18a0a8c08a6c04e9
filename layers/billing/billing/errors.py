"""The exceptions that several modules share; `api/http.py` alone turns them into HTTP answers."""

from collections.abc import Mapping


class PastNeeded(Exception):
    """The rules need the account's past payments, which are not loaded by default: `AccountStore.evaluate` and `change`
    load them and call again."""


class BillingError(Exception):
    """A refusal the caller can act on. `code` is stable and part of the API, and an instance may carry a more precise
    one; `detail` is for people."""

    code = "billing_error"

    def __init__(self, detail: str, code: str | None = None, **extensions: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions: Mapping[str, object] = extensions
        if code is not None:
            self.code = code


class InvalidRequest(BillingError):
    """The request is not of the documented shape. `errors` lists each fault as {path, message}."""

    code = "invalid_request"


def invalid_field(path: str, message: str, detail: str) -> InvalidRequest:
    """For one field: `message` says what is allowed in it, `detail` what is wrong with the request."""
    return InvalidRequest(detail, errors=[{"path": path, "message": message}])


def invalid_cursor() -> InvalidRequest:
    """For a `cursor` that no page gave."""
    return invalid_field("cursor", "what `next` said of the page before", "the cursor is not valid")


class RequestTooLarge(BillingError):
    code = "request_too_large"


class NotAuthenticated(BillingError):
    code = "not_authenticated"


class NotAllowed(BillingError):
    code = "not_allowed"


class NotFound(BillingError):
    code = "not_found"


class Conflict(BillingError):
    """The request contradicts the current state."""

    code = "conflict"


def account_moved(then: str = "") -> Conflict:
    """For an account that no key opens any more: nobody could use what is bought for it."""
    return Conflict(f"your key opens another account now: sign in again{then}", code="account_moved")


class TooManyRequests(BillingError):
    code = "too_many_requests"


class FeatureLocked(BillingError):
    """The user does not have a `feature` now. Answered with 402 and the `offers` that would unlock it.

    `scenario` is one of not_in_plan, limit_reached, expired, payment_failed. `sources` are the records that gave
    the feature once, or would if they were paid.
    """

    code = "feature_locked"


class ProviderError(BillingError):
    """A payment provider refused or did not answer. `detail` holds the provider's own words where they are safe."""

    code = "provider_error"


class ProviderUnavailable(ProviderError):
    """No answer in time, or 5xx or 429: the same call may succeed later."""

    code = "provider_unavailable"


class BadWebhook(BillingError):
    """A delivery that is forged, stale, malformed or too large: refused with 400, nothing stored."""

    code = "bad_webhook"


class NotConfigured(Exception):
    """A required setting or secret is missing or empty. Never answered to a caller: it is our fault."""


class Parked(BillingError):
    """A verified event that cannot be applied yet. Failing it lets the queue try again; `code` says what is missing."""

    code = "not_applicable_yet"


class TryAgain(Parked):
    """Lost the race to concurrent writers too many times. Nothing was written: call again."""

    code = "try_again"


class NotOurs(Exception):
    """A verified event is of another product that is sold in the same account of the provider."""


class Unordered(NotOurs):
    """Money, or a user of ours, on an invoice that nobody here opened: a person has to look at it."""
