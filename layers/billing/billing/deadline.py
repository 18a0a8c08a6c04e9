"""How long this invocation may still take: one moment for everything that it calls.

Whatever is called outside, AWS or a provider, gets its own limit or what is left, whichever is less, tries and pauses
included. So the caller gets an answer, where a killed function would leave none and no line in the log either.
"""

import math
import time
from typing import Any

# Seconds kept back for the answer itself.
RESERVE = 0.5
# With less time left no other piece of a round or a batch is begun: it comes again with the next.
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
