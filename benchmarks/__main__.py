"""One run of everything: cold starts, webhook verification, AWS calls.

    python -m benchmarks [--rounds 7]

CPU time, variants interleaved round by round; a ratio is the median of the rounds' own ratios, so that a busy machine
changes the milliseconds but not the comparison.
"""

import argparse

from benchmarks import calls, cold, verification


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    cold.report(rounds)
    print()
    verification.report(rounds)
    print()
    calls.report()


if __name__ == "__main__":
    main()
