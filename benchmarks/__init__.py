"""Measurements, most of them as ratios to a naive variant; `python -m benchmarks` runs them."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT / folder) for folder in ("layers/billing", "functions", "ops")]
