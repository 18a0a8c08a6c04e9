"""Simulates months of made-up customers in about a minute, so that the admin pages have data to show.

The clocks of the providers' stand-ins are set back to the first day and then advanced to today. Their webhooks are
processed as always, customers and admins act through the product's own use cases at the simulated time, and the stream
carries the changes to the rollups. Nothing is written to the tables directly, so ledger and rollups must agree.
"""

import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from billing.store.metrics import MetricsStore
from billing.store.progress import Progress, ProgressStore
from demo.office import Office
from demo.shop import Shop
from demo.town import DAY, Life, Town
from fakes.base import post
from local.host import EngineError

SEED, CUSTOMERS, DAYS = 21, 64, 182
_NAME = "history"
# Seconds to wait until the stream has carried everything to the rollups; enough for a slow machine.
_PATIENCE = 300


def live_once(shop: Shop, progress: Callable[[str], None]) -> None:
    """Simulates the history, unless it was done before. Raises `EngineError` if the shop already has customers."""
    office = Office(shop)
    progress_store = ProgressStore(office.aws, office.accounts_table)
    if progress_store.finished_at(_NAME):
        return
    if progress_store.load(_NAME) or office.metrics.generations().currencies:
        raise EngineError(
            "This shop has customers already; a simulated history needs an empty shop.\n"
            'make run ARGS="--fresh --history" deletes its state and starts anew.'
        )
    now = int(time.time())
    progress_store.save(_NAME, Progress("events", None, now), now)
    History(shop, office, progress).live()
    progress("Adding up the books")
    wait_for_rollups(office.metrics)
    progress_store.save(_NAME, None, now)


class History:
    """Simulates `customers` over the last `days`. The seed decides what happens."""

    def __init__(
        self,
        shop: Shop,
        office: Office,
        progress: Callable[[str], None] = lambda step: None,
        *,
        customers: int = CUSTOMERS,
        days: int = DAYS,
    ) -> None:
        self._office = office
        self._stand_ins = (shop.mock, shop.btcpay, shop.bitpay)
        self._progress = progress
        self._length = days * DAY
        self._engine = shop.engine
        self.town = Town(shop, office, random.Random(SEED), customers, days)  # noqa: S311 no secret

    @property
    def now(self) -> int:
        return self._stand_ins[0].clock.now()

    def live(self) -> None:
        """Runs the simulation until today, then restores the stand-ins' clocks and webhooks."""
        with self._engine.without_schedules(), self._at_another_time():
            self._live_until_today()

    def _live_until_today(self) -> None:
        began, month = self.now, ""
        agenda: list[tuple[int, int, Life]] = [
            (began + at, number, life) for number, (at, life) in enumerate(self.town.lives())
        ]
        heapq.heapify(agenda)
        while agenda and agenda[0][0] < began + self._length:
            at, number, life = heapq.heappop(agenda)
            if (current := f"{datetime.fromtimestamp(at, UTC):%B %Y}") != month:
                month = current
                self._progress(f"Simulating {month}")
            self._move_to(at)
            wait = next(life, None)
            self._send_webhooks()
            if wait is not None:
                heapq.heappush(agenda, (at + wait, number, life))
        self._move_to(began + self._length)

    @contextmanager
    def _at_another_time(self) -> Iterator[None]:
        """Sets the stand-ins' clocks back, and passes their webhooks to `_receive`, one after the other."""
        for stand_in in self._stand_ins:
            stand_in.webhooks.stop()
            stand_in.clock.offset = -self._length
            stand_in.webhooks.send = self._receive
        try:
            yield
        finally:
            for stand_in in self._stand_ins:
                stand_in.clock.offset = 0
                stand_in.webhooks.send = post
                stand_in.webhooks.start()

    def _receive(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        return self._office.receive(url, body, headers, self.now)

    def _move_to(self, at: int) -> None:
        for stand_in in self._stand_ins:
            stand_in.advance(max(0, at - stand_in.clock.now()))
        self._send_webhooks()

    def _send_webhooks(self) -> None:
        while sum(stand_in.webhooks.pump() for stand_in in self._stand_ins):
            pass


def wait_for_rollups(metrics: MetricsStore) -> None:
    """Waits until every ledger line is in the rollups. Raises `EngineError` after five minutes."""
    deadline = time.monotonic() + _PATIENCE
    while any(metrics.ledger(metrics.generations().reading)):
        if time.monotonic() > deadline:
            raise EngineError("The rollups are not complete after five minutes: see the log of PublishChangesFunction.")
        time.sleep(1)
