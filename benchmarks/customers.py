"""The cost of a page of the customer list and of a search, with 1,000 and with 100,000 customers.

The index is kept in this process, sorted like a partition of DynamoDB; the items that a Query would read are counted.
"""

import bisect
import hashlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from billing.rules.customers import Customer, IdKind
from billing.store.codec import item, values
from billing.store.customers import CustomerIndex, Filters, _items

NOW = 1_790_000_000
_DAY = 86_400
AMOUNTS = (1_000, 100_000)


class OrderedTable:
    """The items of an index, with paged Query by range or prefix, forward or backward."""

    def __init__(self) -> None:
        self._partitions: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self.queries = 0
        self.read = 0

    def fill(self, customers: Iterator[Customer]) -> None:
        for customer in customers:
            text = ""
            for key, stored in _items(customer).items():
                partition, _, record = key.partition("|")
                text = stored["customer"]["S"] if "customer" in stored and not text else text
                # To save memory, a customer's entries in all lists share one text; an id's entry is its fields.
                rest = text if "customer" in stored else "|".join(values(stored)[n] for n in ("owner", "id", "what"))
                self._partitions[partition].append((record, rest))
        for partition in self._partitions.values():
            partition.sort()

    def call(self, _: str, operation: str, **request: Any) -> dict[str, Any]:
        if operation != "query":
            raise SystemExit(f"unexpected operation of the list: {operation}")
        self.queries += 1
        bound = values(request["ExpressionAttributeValues"])
        name = bound.get(":list") or bound[":ids"]
        partition = self._partitions[name]
        low, high = (
            (bound[":first"], bound[":last"]) if ":list" in bound else (bound[":start"], bound[":start"] + "\x7f")
        )
        first, last = bisect.bisect_left(partition, (low, "")), bisect.bisect_right(partition, (high, "\x7f"))
        forward = request.get("ScanIndexForward", True)
        if start := request.get("ExclusiveStartKey"):
            place = values(start)["record"]
            if forward:
                first = bisect.bisect_right(partition, (place, "\x7f"))
            else:
                last = bisect.bisect_left(partition, (place, ""))
        limit = request["Limit"]
        page = (
            partition[first : min(last, first + limit)] if forward else partition[max(first, last - limit) : last][::-1]
        )
        self.read += len(page)
        answer: dict[str, Any] = {"Items": [item(_whole(name, *entry)) for entry in page]}
        if last - first > limit:
            answer["LastEvaluatedKey"] = item({"user_id": name, "record": page[-1][0]})
        return answer


def _whole(partition: str, record: str, rest: str) -> dict[str, str]:
    if partition.startswith("customers#"):
        return {"user_id": partition, "record": record, "customer": rest}
    owner, text, what = rest.split("|")
    return {"user_id": partition, "record": record, "owner": owner, "id": text, "what": what}


def everybody(count: int) -> Iterator[Customer]:
    """Every other customer is at risk and ends within sixty days, so that pages are full at both sizes."""
    kinds: tuple[IdKind, ...] = ("customer", "subscription", "invoice", "transaction")
    for number in range(count):
        mark = hashlib.sha256(str(number).encode()).hexdigest()
        user = f"usr_{mark[:20]}"
        yield Customer(
            user_id=user,
            since=NOW - number * 60,
            status="past_due" if number % 2 == 0 else "active",
            plans=(("plus-month", "pro-month", "pro-year")[number % 3],),
            versions=(("plus-month@1", "pro-month@1", "pro-year@1")[number % 3],),
            rails=(("stripe", "btcpay")[number % 2],),
            at_risk=number % 2 == 0,
            ends_at=NOW + number % 60 * _DAY if number % 2 == 0 else None,
            has_credits=number % 100 == 0,
            ids=((user, "user"), *((f"{kind[:3]}_{mark[20:32]}{n}", kind) for n, kind in enumerate(kinds))),
        )


def report(rounds: int) -> None:
    sizes = []
    for count in AMOUNTS:
        table = OrderedTable()
        table.fill(everybody(count))
        sizes.append(_measured(table, count, rounds))
    head = "".join(f"{f'at {count:,}':>24}" for count in AMOUNTS)
    print("The list of customers: CPU ms (including the table's), queries, items read; median of a page or search")
    print(f"{'':32}{head}{'CPU':>9}{'items':>8}")
    for name in sizes[0]:
        few, many = (size[name] for size in sizes)
        columns = "".join(f"{f'{cpu:.2f} {queries} {read:>4}':>24}" for cpu, queries, read in (few, many))
        print(f"{name:32}{columns}{many[0] / few[0]:8.2f}×{many[2] / max(1, few[2]):7.2f}×")


def _measured(table: OrderedTable, count: int, rounds: int) -> dict[str, tuple[float, int, int]]:
    index = CustomerIndex(table, "AccountsTable", None)  # type: ignore[arg-type]  # only its reads are used
    middle = f"{NOW - count // 2 * 60:012d}#usr_"
    last = next(iter(everybody(1))).ids[-1][0][-8:]
    requests: dict[str, Callable[[], object]] = {
        "the first page": lambda: index.page(Filters(), "", 50, NOW),
        "a page in the middle": lambda: index.page(Filters(), middle, 50, NOW),
        "of one plan": lambda: index.page(Filters(plan="pro-year"), "", 50, NOW),
        "at risk": lambda: index.page(Filters(at_risk=True), "", 50, NOW),
        "of one plan, at one provider": lambda: index.page(Filters(plan="pro-year", rail="btcpay"), "", 50, NOW),
        "ends within 30 days": lambda: index.page(Filters(ends_by=NOW + 30 * _DAY), "", 50, NOW),
        "search by eight last digits": lambda: index.search(last, 50),
    }
    results = {}
    for name, request in requests.items():
        spent = []
        for _ in range(4 * rounds):
            table.queries = table.read = 0
            began = time.process_time()
            request()
            spent.append((time.process_time() - began) * 1e3)
        results[name] = (statistics.median(spent), table.queries, table.read)
    return results
