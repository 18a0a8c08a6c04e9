"""The rollups against an engine whose transactions hold under concurrency, and the way from a commit to them."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws
from billing.rules.consequences import consequences
from billing.rules.records import Account
from billing.rules.rollups import counters
from billing.store.accounts import AccountStore, ledger_item
from billing.store.metrics import MetricsStore
from local.engine import Engine
from samples import CATALOGUE, NOW
from store.test_metrics import some_lines
from tests.rules.test_ledger import payment, subscription


@pytest.fixture
def aws(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Aws]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return lambda: Aws("dynamodb")


def test_consumers_that_race_repeat_and_overtake_each_other_count_each_line_once(
    engine: Engine, aws: Callable[[], Aws]
) -> None:
    scratch, accounts = "races-metrics", "races-accounts"
    for table, keys in ((scratch, ("metric", "day")), (accounts, ("user_id", "record"))):
        engine.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": n, "KeyType": t} for n, t in zip(keys, ("HASH", "RANGE"), strict=True)],
        )
    stored = [(f"usr_{n % 5}", line) for n, line in enumerate(some_lines(40, seed=7))]
    for user_id, line in stored:
        aws().call("dynamodb", "put_item", TableName=accounts, Item=ledger_item(user_id, line))

    def consume(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        metrics = MetricsStore(aws(), scratch, accounts)
        for _ in range(8):
            start = chance.randrange(40)
            metrics.fold(stored[start : start + chance.randrange(1, 20)])
        metrics.fold(stored[seed * 10 : seed * 10 + 10])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(consume, range(4)))
    metrics = MetricsStore(aws(), scratch, accounts)
    assert metrics.everything(1) == counters(line for _, line in stored)


def test_a_commit_reaches_the_rollups_through_the_stream(engine: Engine, aws: Callable[[], Aws]) -> None:
    accounts = AccountStore(aws(), engine.resource("AccountsTable"))
    metrics = MetricsStore(aws(), engine.resource("MetricsTable"), engine.resource("AccountsTable"))
    at = NOW - 4000 * 86_400  # a day of its own: others use this engine too
    paid = subscription(payments={"in_1": payment("in_rollup", 1234, paid_at=at)}, subscription_id="sub_rollup")
    empty = Account("usr_rollup")
    accounts.commit(consequences(empty, replace(empty, records={paid.record: paid}), CATALOGUE, at))
    deadline = time.monotonic() + 30
    found: dict[str, Any] = {}
    while not found and time.monotonic() < deadline:
        time.sleep(0.2)
        found = metrics.days("USD", "2015-01-01", "2016-01-01")
    [day] = found.values()
    assert (day["payment|stripe|plus-month|1"], day["new|stripe|plus-month|1"]) == (1234, 900)
