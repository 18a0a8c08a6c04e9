"""What BitPay means by an error: its body says so, not the HTTP status."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.providers.rest import Verdict, by_status

# https://developer.bitpay.com: the first two digits are the method, so the last four say what is wrong.
_NO_SUCH = ("0001", "0101", "0201")
_SERVER_FAULT = "0000"
# An invoice that cannot be cancelled (any more): perhaps because somebody is paying it.
NOT_TO_CANCEL = ("0107", "0108", "0117")


def error_of(code: object) -> str:
    return code[-4:] if isinstance(code, str) and len(code) == 6 and code.isdigit() else ""


def judge(status: int, answer: Any) -> Verdict:
    """By the body: the same error may come with any status, 200 and 500 among them."""
    if not isinstance(answer, dict) or not next(words(answer), ""):
        return "refused" if status in (401, 403) else by_status(status, answer)
    code = error_of(answer.get("code"))
    if code in _NO_SUCH or (not code and status == 404):
        return "missing"
    if code == _SERVER_FAULT or (not code and not _is_ours(answer)):
        return "down" if status >= 500 or status == 429 else "refused"
    return "down" if status == 429 else "refused"


def _is_ours(answer: Mapping[str, Any]) -> bool:
    """Whether an error without a code is about our token or signature: BitPay has no code for those, only words."""
    said = " ".join(_spoken(answer)).lower()
    return any(word in said for word in ("token", "signature", "unauthorized", "facade"))


def words(answer: Any) -> Iterator[str]:
    """What went wrong, and which setting to look at."""
    spoken = list(_spoken(answer))
    yield from spoken
    if spoken and _is_ours(answer):
        yield "look at BITPAY_API_KEY, or at BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY"


def _spoken(answer: Any) -> Iterator[str]:
    """BitPay's errors come in three shapes, some of them with a status of success."""
    if not isinstance(answer, dict):
        return
    if isinstance(answer.get("error"), str):
        yield answer["error"]
    for error in answer.get("errors") or []:
        if isinstance(error, dict):
            yield " ".join(str(error[k]) for k in ("param", "error") if k in error)
    if answer.get("status") == "error" and "error" not in answer:
        yield str(answer.get("message") or answer.get("code") or "error")
