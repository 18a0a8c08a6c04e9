"""How many examples a costly property is tried with: HYPOTHESIS_PROFILE=thorough makes it many."""

import os


def examples(usual: int, thorough: int) -> int:
    return thorough if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else usual
