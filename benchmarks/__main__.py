"""Runs all measurements or the named parts, in less than four minutes.

    python -m benchmarks [--rounds 5] [cold transport door events gate calls growth customers]

It measures CPU time and runs all variants in every round. A ratio is the median of the ratios of each round, so a busy
machine changes the milliseconds but not the comparison.
"""

import argparse
from collections.abc import Callable

from benchmarks import calls, cold, customers, events, gate, transport, verification

PARTS: dict[str, Callable[[int], None]] = {
    "cold": cold.report,
    "transport": transport.report,
    "door": verification.report,
    "events": events.report,
    "gate": lambda rounds: gate.python(),
    "calls": lambda rounds: calls.report(),
    "growth": events.growth,
    "customers": customers.report,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(unknown)}: one of {', '.join(PARTS)}")
    for name, report in PARTS.items():
        if not chosen.parts or name in chosen.parts:
            report(chosen.rounds)
            print(flush=True)


if __name__ == "__main__":
    main()
