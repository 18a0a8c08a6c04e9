"""BitPay's errors: the body decides, not the HTTP status."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.providers.rest import Verdict, by_status

# https://developer.bitpay.com: the first two digits of a code are the method, the last four the error.
_NO_SUCH = ("0001", "0101", "0201")
_SERVER_FAULT = "0000"
# The invoice cannot be cancelled (any more), perhaps because a payment is under way.
NOT_TO_CANCEL = ("0107", "0108", "0117")


def error_of(code: object) -> str:
    return code[-4:] if isinstance(code, str) and len(code) == 6 and code.isdigit() else ""


def judge(status: int, answer: Any) -> Verdict:
    """The verdict by the error in the body, which can come with any status, even 200 or 500."""
    if not isinstance(answer, dict) or not next(words(answer), ""):
        return "refused" if status in (401, 403) else by_status(status, answer)
    code = error_of(answer.get("code"))
    if code in _NO_SUCH or (not code and status == 404):
        return "missing"
    if code == _SERVER_FAULT or (not code and not _is_about_credentials(answer)):
        return "down" if status >= 500 or status == 429 else "refused"
    return "down" if status == 429 else "refused"


def _is_about_credentials(answer: Mapping[str, Any]) -> bool:
    """Whether an error without a code is about our token or signature: BitPay has only texts for those, no codes."""
    text = " ".join(_error_texts(answer)).lower()
    return any(word in text for word in ("token", "signature", "unauthorized", "facade"))


def words(answer: Any) -> Iterator[str]:
    """The error texts, and which setting to check."""
    texts = list(_error_texts(answer))
    yield from texts
    if texts and _is_about_credentials(answer):
        yield "look at BITPAY_API_KEY, or at BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY"


def _error_texts(answer: Any) -> Iterator[str]:
    """BitPay's errors have three shapes, some with a successful status."""
    if not isinstance(answer, dict):
        return
    if isinstance(answer.get("error"), str):
        yield answer["error"]
    for error in answer.get("errors") or []:
        if isinstance(error, dict):
            yield " ".join(str(error[k]) for k in ("param", "error") if k in error)
    if answer.get("status") == "error" and "error" not in answer:
        yield str(answer.get("message") or answer.get("code") or "error")
