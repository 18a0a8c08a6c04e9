"""What a host in Python may show to whom: from signed tokens, in memory; the billing API is asked before a refusal."""

from bitsleuth_billing_gate.events import Event, InvalidEvent, Receiver
from bitsleuth_billing_gate.gate import Caller, Gate, Refusal, Use
from bitsleuth_billing_gate.service import Unavailable

__all__ = ["Caller", "Event", "Gate", "InvalidEvent", "Receiver", "Refusal", "Unavailable", "Use"]
