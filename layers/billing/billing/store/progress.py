"""The progress of a long job, so that the next run goes on from there."""

from typing import Any, Literal, cast

from billing.aws import Aws
from billing.data import dataclass
from billing.store.codec import item
from billing.store.dynamodb import read_item


@dataclass(frozen=True, slots=True)
class Progress:
    """The next page of a phase. `since` is how far back the events of this round go, `began` when it began (Unix
    seconds)."""

    phase: Literal["subscriptions", "events", "done"]
    cursor: str | None
    since: int
    began: int = 0


class ProgressStore:
    """One item per provider in the accounts table, under a key that is no user's."""

    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def load(self, provider: str) -> Progress | None:
        """None: the last round reached its end."""
        stored = self._item(provider)
        if "phase" not in stored:
            return None
        phase = cast(Literal["subscriptions", "events", "done"], stored["phase"])
        return Progress(phase, stored.get("cursor"), stored["since"], stored.get("began", 0))

    def finished_at(self, provider: str) -> int:
        """When a round last reached its end (Unix seconds); 0 for never."""
        at: int = self._item(provider).get("finished_at", 0)
        return at

    def save(self, provider: str, progress: Progress | None, now: int) -> None:
        """Notes the next page; None: the round is finished."""
        if progress is None:
            stored: dict[str, Any] = {"finished_at": now}
        else:
            stored = {name: getattr(progress, name) for name in ("phase", "cursor", "since", "began")}
            stored["finished_at"] = self.finished_at(provider)
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item({**_key(provider), **stored}))

    def _item(self, provider: str) -> dict[str, Any]:
        return read_item(self._aws, self._table, item(_key(provider)), consistent=False) or {}


def _key(provider: str) -> dict[str, object]:
    return {"user_id": f"reconcile#{provider}", "record": "~progress"}
