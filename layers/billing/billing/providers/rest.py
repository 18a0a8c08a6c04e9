"""A client for a provider's JSON API: explicit timeouts, retried reads, errors with the provider's text.

`requests` is imported with the first call, so that verifying a webhook does not load it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from billing import deadline
from billing.data import dataclass
from billing.errors import ProviderError, ProviderUnavailable
from billing.providers.breaker import ANSWER, Breaker, seconds_of, whole

# Seconds before each retry of a read. A request that creates something is sent once: see `Rest.create`.
PAUSES = (0.2, 0.8)
_LONGEST_WORDS = 300

# (method, url, body) -> headers for this call only, such as a signature.
Sign = Callable[[str, str, bytes], Mapping[str, str]]
# success; no such object; refused; temporary failure
Verdict = Literal["ok", "missing", "refused", "down"]
# (status, decoded body or None) -> verdict
Judge = Callable[[int, Any], Verdict]


def by_status(status: int, _data: Any) -> Verdict:
    """The verdict by HTTP status alone."""
    if status >= 500 or status == 429:
        return "down"
    if status == 404:
        return "missing"
    return "refused" if status >= 300 else "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to reach a server. `ca`: certificates to trust in place of the public ones, as PEM text or a file path;
    `proxy`: an HTTP proxy for all calls."""

    ca: str = ""
    proxy: str = ""


class Rest:
    """One provider's API. `words` extracts the error texts from an answer.

    `answered_at` is the Date header of the last answer in Unix seconds, if it had one.
    """

    answered_at: int | None = None

    def __init__(
        self,
        name: str,
        base_url: str,
        headers: Mapping[str, str],
        words: Callable[[Any], Iterator[str]],
        pause: Callable[[float], None] = time.sleep,
        *,
        judge: Judge = by_status,
        way: Way | None = None,
    ) -> None:
        self._name, self._base_url, self._words, self._pause = name, base_url.rstrip("/"), words, pause
        self._verdict, self._way = judge, way or Way()
        self._headers = {"Accept": "application/json", **headers}
        self._session: Any = None
        self._breaker = Breaker(name)

    def url(self, path: str) -> str:
        return self._base_url + path

    def read(self, path: str, *, missing_ok: bool = False, sign: Sign | None = None) -> Any:
        """GET, retried on temporary failures. None when the object does not exist and `missing_ok`."""
        for pause in (*PAUSES, None):
            try:
                return self._send("GET", path, b"", missing_ok, sign)
            except ProviderUnavailable as lost:
                if pause is None or lost.extensions.get("reason"):  # a timeout, or not sent at all: no use in a retry
                    raise
                self._pause(deadline.left(pause))
        raise AssertionError  # the last pause is None

    def change(self, method: str, path: str, body: bytes, sign: Sign | None = None) -> Any:
        """POST, PUT or DELETE, sent once. The caller decides whether to repeat it."""
        return self._send(method, path, body, False, sign)

    def create(
        self, path: str, body: bytes, find: Callable[[], Any], sign: Sign | None = None, *, look_first: bool = True
    ) -> Any:
        """POST that must not create twice: `find` looks for an existing object before, and after a lost answer.

        `look_first` False: it was never sent before. Raises `ProviderUnavailable` when the outcome is unknown; it is
        then safe to repeat the call with `look_first`.
        """
        existing = find() if look_first else None
        if existing is not None:
            return existing
        try:
            return self._send("POST", path, body, False, sign)
        except ProviderUnavailable:
            created = find()
            if created is None:
                raise
            return created

    def _send(self, method: str, path: str, body: bytes, missing_ok: bool, sign: Sign | None) -> Any:
        import requests
        import urllib3

        if self._session is None:
            from billing.providers.sessions import punctual_session

            self._session = punctual_session()
            if self._way.proxy:
                self._session.proxies = {"http": self._way.proxy, "https": self._way.proxy}
            if self._way.ca:
                self._session.verify = _ca_file(self._way.ca)
        url = self.url(path)
        headers = {**self._headers, **(sign(method, url, body) if sign else {})}
        if body:
            headers["Content-Type"] = "application/json"
        budget, until = self._breaker.budget(), time.monotonic() + deadline.left(ANSWER)
        try:
            answer = self._session.request(
                method, url, data=body or None, headers=headers, timeout=budget, allow_redirects=False, stream=True
            )
            with answer:
                content = whole(answer.raw, until)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as lost:
            silent = isinstance(lost, requests.Timeout | urllib3.exceptions.TimeoutError)
            self._breaker.failed(silent=silent, had=budget[1])
            raise ProviderUnavailable(
                f"{self._name} did not answer ({type(lost).__name__})", **({"reason": "silent"} if silent else {})
            ) from lost
        try:
            data = json.loads(content, parse_float=Decimal) if content else {}
        except ValueError:
            data = None
        verdict = self._verdict(answer.status_code, data)
        if verdict == "down":
            self._breaker.failed(wait=seconds_of(answer.headers.get("Retry-After")))
        else:
            self._breaker.answered()
        return self._judge(answer, data, verdict, missing_ok)

    def _judge(self, answer: Any, data: Any, verdict: Verdict, missing_ok: bool) -> Any:
        """The decoded body. BitPay can send an error in the body of a successful status, so both are checked."""
        status, error = answer.status_code, "; ".join(self._words(data))[:_LONGEST_WORDS]
        if verdict == "down":
            raise ProviderUnavailable(f"{self._name} answered {status}: {error or 'no reason given'}")
        if verdict == "missing" and missing_ok:
            return None
        if 300 <= status < 400:
            location = str(answer.headers.get("Location", "elsewhere"))[:_LONGEST_WORDS]
            raise ProviderError(f"{self._name} points to {location}: set its address to that", status=status)
        if verdict != "ok" or error:
            code = data.get("code") if isinstance(data, dict) else None
            raise ProviderError(
                f"{self._name} refused ({status}): {error or 'no reason given'}", status=status, provider_code=code
            )
        if data is None:
            raise ProviderUnavailable(f"{self._name} answered {status} with something that is not JSON")
        self.answered_at = _http_date(answer.headers.get("Date"))
        return data


def _ca_file(ca: str) -> str:
    """The path of a file with the certificates: `requests` does not take PEM text."""
    if not ca.startswith("-----BEGIN"):
        return ca
    import tempfile
    from pathlib import Path

    path = Path(tempfile.gettempdir()) / f"ca-{hashlib.sha256(ca.encode()).hexdigest()[:16]}.pem"
    path.write_text(ca)
    return str(path)


def _http_date(text: str | None) -> int | None:
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(text).timestamp()) if text else None
    except ValueError:
        return None


def encode(document: Mapping[str, object]) -> bytes:
    """Compact JSON. Decimals must already be strings."""
    return json.dumps(document, separators=(",", ":")).encode()
