"""Counts page views as funnel steps, by feature and day, without any user."""

from billing.api.buyer_requests import TrackEvent
from billing.rules.plans import FEATURES
from billing.rules.times import day_of
from billing.store.metrics import MetricsStore


def track(metrics: MetricsStore, event: TrackEvent, now: int) -> None:
    """Count a view. `checkout_started` is ignored, because checkouts are counted from the ledger."""
    if event.event == "checkout_started":
        return
    # Only existing features get a counter, so that callers cannot fill the table with invented names.
    feature = event.feature if event.feature in FEATURES else ""
    metrics.track(f"{event.event}|{feature}", day_of(now))
