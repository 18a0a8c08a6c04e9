"""Previews of plan changes: kept a few minutes, so that what is confirmed is what was shown."""

import json
import uuid

from billing.aws import Aws
from billing.data import asdict, dataclass
from billing.store.codec import item
from billing.store.dynamodb import read_item

# Seconds a shown amount can be confirmed.
PREVIEW_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change that was shown: of which subscription, as it then was, to which plan, at which moment's prices."""

    provider: str
    subscription_id: str
    plan_id: str
    plan_version: int
    from_plan_id: str
    from_plan_version: int
    period_end: int
    at_period_end: bool
    proration_date: int
    expires_at: int


class PreviewStore:
    """Keeps previews beside the account they are for; nobody else's can be confirmed."""

    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def keep(self, user_id: str, preview: Preview) -> str:
        """The id by which it can be confirmed until it expires."""
        preview_id = f"prv_{uuid.uuid4().hex}"
        # Behind the records that decide access: reading an account never meets it.
        stored = {
            "user_id": user_id,
            "record": f"~preview#{preview_id}",
            "preview": json.dumps(asdict(preview)),
            "ttl": preview.expires_at,
        }
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item(stored))
        return preview_id

    def find(self, user_id: str, preview_id: str, now: int) -> Preview | None:
        """None when there is none, or none any more: TTL deletes late, so the time is compared here."""
        key = item({"user_id": user_id, "record": f"~preview#{preview_id}"})
        stored = read_item(self._aws, self._table, key)
        if stored is None:
            return None
        preview = Preview(**json.loads(stored["preview"]))
        return preview if now < preview.expires_at else None
