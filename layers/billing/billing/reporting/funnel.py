"""Page views as steps of the funnel: how many, by feature and day. Who saw what is not known, and cannot be."""

from billing.api.buyer_requests import TrackEvent
from billing.rules.plans import FEATURES
from billing.rules.times import day_of
from billing.store.metrics import MetricsStore


def track(metrics: MetricsStore, event: TrackEvent, now: int) -> None:
    """Counts a view. Orders are counted from our own books, so a page that tells of one adds nothing."""
    if event.event == "checkout_started":
        return
    # Only features that exist get a counter: nobody can fill the table with names of their own.
    feature = event.feature if event.feature in FEATURES else ""
    metrics.track(f"{event.event}|{feature}", day_of(now))
