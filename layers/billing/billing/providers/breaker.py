"""How long a provider is waited for, and when it is not asked at all.

One that does not answer would hold up everything that waits behind it: the caller, and in a batch the events of
others. So every call has a budget, and after a silence, or some failures in a row, no call is made for a while. Then
one is let through to see.
"""

import time
from collections.abc import Callable
from typing import Any

from billing import deadline
from billing.errors import ProviderUnavailable
from billing.log import Log

# Seconds to connect, and for the whole answer: a checkout that takes longer is better refused and asked again.
CONNECT, ANSWER = 3.05, 10.0
# With less time left no call is begun: it could only be cut off.
_LEAST = 1.0
# Failures in a row (5xx, 429, a broken connection) that close the way; silence does so at once.
_FAILURES = 3
# Seconds without a call, doubled each time that the one let through fails too.
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 120.0
# No answer that we ask for comes near this, in bytes.
_LARGEST = 4 * 1024 * 1024

_log = Log()


class Breaker:
    """For one provider in one process. `clock` is the time of day: monotonic ones may stand still while frozen."""

    def __init__(self, provider: str, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._closed_until = 0.0

    def budget(self) -> tuple[float, float]:
        """Seconds to connect and for the answer of the call that comes now. Raises `ProviderUnavailable` for none."""
        if self._clock() < self._closed_until:
            wait = max(1, round(self._closed_until - self._clock()))
            raise ProviderUnavailable(
                f"{self._provider} does not answer at the moment", reason="left_alone", retry_after=wait
            )
        if deadline.left() < _LEAST:
            raise ProviderUnavailable(f"there was no time left to ask {self._provider}", reason="out_of_time")
        return deadline.left(CONNECT), deadline.left(ANSWER)

    def answered(self) -> None:
        """The provider is there, whatever it said."""
        if self._pause:
            _log.warning("provider back", extra={"provider": self._provider})
        self._failures, self._pause, self._closed_until = 0, 0.0, 0.0

    def failed(self, *, silent: bool = False, wait: float = 0.0, had: float | None = None) -> None:
        """It kept `silent`, or could not serve; `wait`: the seconds that it asked for itself.

        `had`: the seconds that it had for its answer. Where our own time was nearly up, silence says nothing of it.
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
    """A Retry-After header in seconds; a date, or nothing, is 0: the pause is then ours to choose."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def whole(raw: Any, until: float) -> bytes:
    """The body of a urllib3 response by `until` (monotonic) or not at all.

    A socket's timeout holds for each piece, not for them all. Raises urllib3's errors.
    """
    from urllib3.exceptions import HTTPError, TimeoutError

    content = bytearray()
    while piece := raw.read1(65_536, decode_content=True):
        content += piece
        if time.monotonic() > until:
            raise TimeoutError("the answer came too slowly")
        if len(content) > _LARGEST:
            raise HTTPError("the answer is larger than any that was asked for")
    return bytes(content)
