"""How long this invocation may still take: one deadline for all of its calls.

A call to AWS or a provider, with its retries and pauses, gets its own timeout or the time that is left, whichever is
less. So the caller gets an answer and the log a line; a function that Lambda kills leaves neither.
"""

import math
import time
from typing import Any

# Seconds kept back for the answer itself.
RESERVE = 0.5
# With less time left no further item of a round or a batch is begun: the next one takes it.
LEAST = 3.0

_ends_at = math.inf


def begin(context: Any) -> None:
    """To be called first by a handler, with Lambda's context; without one nothing is limited."""
    global _ends_at
    left_in_millis = getattr(context, "get_remaining_time_in_millis", None)
    _ends_at = math.inf if left_in_millis is None else time.monotonic() + left_in_millis() / 1000 - RESERVE


def left(at_most: float = math.inf) -> float:
    """Seconds that a call may take; 0 when nothing is left and it should not be begun."""
    return max(0.0, min(at_most, _ends_at - time.monotonic()))


def over() -> bool:
    """Whether a round or a batch has to leave the rest to the next."""
    return left() < LEAST
