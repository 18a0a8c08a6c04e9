"""Time budgets for calls to a provider, and a circuit breaker.

A provider that does not answer would block the caller, and in a batch the events of other users. So every call has a
time budget, and after a timeout or several failures in a row no call is made for a while. Then one trial call is let
through.
"""

import time
from collections.abc import Callable
from typing import Any

from billing import deadline
from billing.errors import ProviderUnavailable
from billing.log import Log

# Seconds to connect, and for the whole answer. A slower checkout is refused; the buyer can try again.
CONNECT, ANSWER = 3.05, 10.0
# With fewer seconds left, a call would only be cut off, so none is started.
_LEAST = 1.0
# Failures in a row (5xx, 429, a broken connection) that stop further calls. A timeout stops them at once.
_FAILURES = 3
# Seconds without a call, doubled each time the trial call fails too.
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 120.0
# Bytes. Every answer we request is far smaller.
_LARGEST = 4 * 1024 * 1024

_log = Log()


class Breaker:
    """For one provider in one process. `clock` is wall time: a monotonic clock may stop while Lambda is frozen."""

    def __init__(self, provider: str, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._closed_until = 0.0

    def budget(self) -> tuple[float, float]:
        """(connect, answer) timeouts in seconds for the next call. Raises `ProviderUnavailable` if none may be made."""
        if self._clock() < self._closed_until:
            wait = max(1, round(self._closed_until - self._clock()))
            raise ProviderUnavailable(
                f"{self._provider} does not answer at the moment", reason="left_alone", retry_after=wait
            )
        if deadline.left() < _LEAST:
            raise ProviderUnavailable(f"there was no time left to ask {self._provider}", reason="out_of_time")
        return deadline.left(CONNECT), deadline.left(ANSWER)

    def answered(self) -> None:
        """Record an answer, even an error: the provider is reachable."""
        if self._pause:
            _log.warning("provider back", extra={"provider": self._provider})
        self._failures, self._pause, self._closed_until = 0, 0.0, 0.0

    def failed(self, *, silent: bool = False, wait: float = 0.0, had: float | None = None) -> None:
        """Record a failed call. `silent`: it timed out; `wait`: the Retry-After it sent, in seconds.

        `had`: the seconds it had to answer. A timeout because our own deadline was near does not count against it.
        """
        if silent and had is not None and had < ANSWER / 2:
            return
        self._failures += 1
        if silent or wait or self._pause or self._failures >= _FAILURES:
            if not self._pause:
                _log.warning("provider away", extra={"provider": self._provider})
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._closed_until = self._clock() + max(self._pause, min(wait, _LONGEST_PAUSE))


def seconds_of(retry_after: str | None) -> float:
    """A Retry-After header in seconds; 0 when it is absent or a date."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def whole(raw: Any, until: float) -> bytes:
    """The complete body of a urllib3 response, read before `until` (monotonic). Raises urllib3's errors, and
    `ProviderUnavailable` for one that is too large: its server is not away, so this is no failure for the breaker.

    Needed because a socket timeout limits each read, not the whole body.
    """
    from urllib3.exceptions import TimeoutError

    content = bytearray()
    while piece := raw.read1(65_536, decode_content=True):
        content += piece
        if time.monotonic() > until:
            raise TimeoutError("the answer came too slowly")
        if len(content) > _LARGEST:
            raise ProviderUnavailable("the provider's answer is too large to be read", reason="too_large")
    return bytes(content)
