"""An outbox on moto, a host whose answers a test chooses, and a time that a test moves."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest

from billing.aws import Aws
from billing.hosts.deliveries import Deliveries
from billing.hosts.outbox import HostEvents, Wakes
from billing.log import SILENT
from billing.outgoing import Reply, Unreachable
from billing.rules.host_events import EVENT_TYPES, HostEvent, of_change
from billing.store.host_events import HostEventStore
from billing.store.outbox import Endpoint
from samples import NOW

KEY = "the-stacks-own-key"
SILENT_RECEIVER = "silent"


class Queue(Wakes):
    """The lanes that were woken, each with its delay."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def send(self, lanes: Iterable[str], delay: int = 0) -> None:
        self.sent += [(lane, delay) for lane in lanes]


class Outbox:
    def __init__(self, aws: Aws) -> None:
        self.store = HostEventStore(aws, "HostEventsTable")
        self.queue = Queue()
        self.hosts = HostEvents(self.store, self.queue)
        self.now = NOW
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []
        # What hosts answer, by URL: a status, with Retry-After, or nothing at all.
        self.answers: dict[str, list[int | Reply | str]] = {}
        # What happens once, while the next receiver thinks about its answer.
        self.meanwhile: Callable[[], object] | None = None
        self.deliveries = Deliveries(self.store, self.queue, lambda: KEY, self._post, SILENT, lambda: 0.0)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        self.sent.append((url, headers, body))
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        answers = self.answers.get(url) or [200]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, str):
            raise Unreachable(answer)
        return answer if isinstance(answer, Reply) else Reply(answer, 0)

    def endpoint(self, endpoint_id: str = "ep_1", types: Sequence[str] = EVENT_TYPES) -> Endpoint:
        made = Endpoint(
            endpoint_id=endpoint_id,
            url=f"https://{endpoint_id}.example.com/",
            description="",
            event_types=tuple(types),
            generations=("a",),
            created_at=NOW,
        )
        self.store.put_endpoint(made, expected=0)
        return made

    def get(self, endpoint_id: str = "ep_1") -> Endpoint:
        found = self.store.endpoint(endpoint_id)
        assert found is not None
        return found[0]

    def take_in(self, *events: HostEvent) -> None:
        self.hosts.take_in(events, self.now)

    def deliver(self, lane: str = "ep_1#usr_1") -> int:
        return self.deliveries.deliver(lane, lambda: self.now)

    def deliver_due(self) -> int:
        """All that is due now, as the round of every minute finds it."""
        return sum(self.deliver(lane) for lane in list(self.store.due(self.now, 100)))

    def order(self, endpoint_id: str = "ep_1") -> list[str]:
        """The ids that an endpoint was sent, in order."""
        return [headers["webhook-id"] for url, headers, _ in self.sent if endpoint_id in url]


def change(
    version: int, user: str = "usr_1", type_: str = "EntitlementsChanged", record: str = "entitlements"
) -> HostEvent:
    return of_change(type_, record, NOW, {"user_id": user, "account_version": version})


@pytest.fixture
def outbox(tables: dict[str, str]) -> Outbox:
    return Outbox(Aws())
