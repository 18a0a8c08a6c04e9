"""An account on the table as an earlier version wrote it, and what happens to it now."""

from collections.abc import Sequence
from typing import Any

from billing.aws import Aws
from billing.rules.apply import apply
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Fact
from billing.rules.records import Account
from billing.store.accounts import AccountStore
from billing.store.codec import Item
from billing.store.erasure import ErasureStore
from billing.store.payment_events import PaymentEventStore
from samples import CATALOGUE, NOW, USER


class Written:
    """`moves`: whether what is over leaves the range that is read, with each fact that is told."""

    def __init__(self, tables: dict[str, str], items: Sequence[Item], *, moves: bool) -> None:
        self.aws, self.name, self._moves = Aws(), tables["AccountsTable"], moves
        self.accounts = AccountStore(self.aws, self.name, tables["PaymentEventsTable"], sleep=lambda _: None)
        self.erasure = ErasureStore(self.aws, self.name, PaymentEventStore(self.aws, tables["PaymentEventsTable"]))
        self.decided: list[Consequences] = []
        for place in range(0, len(items), 25):
            puts = [{"PutRequest": {"Item": one}} for one in items[place : place + 25]]
            self.aws.call("dynamodb", "batch_write_item", RequestItems={self.name: puts})

    def tell(self, fact: Fact, *, moves: bool | None = None) -> int:
        """What the ledger books of it."""

        def decide(before: Account) -> Consequences:
            after = apply(before, fact, CATALOGUE)
            assert isinstance(after, Account)
            may = self._moves if moves is None else moves
            self.decided.append(consequences(before, after, CATALOGUE, NOW, moves=may))
            return self.decided[-1]

        self.accounts.change(USER, decide)
        return sum(line.amount_cents for line in self.decided[-1].lines if line.kind not in ("mrr", "trial"))

    def stored(self, user_id: str = USER) -> dict[str, dict[str, Any]]:
        return {one["record"]: one for one in self.erasure.page(user_id)[0]}
