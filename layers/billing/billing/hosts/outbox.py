"""Takes what happened in for the endpoints that want it, and wakes whoever delivers it."""

import json
from collections.abc import Iterable, Sequence

from billing.aws import Aws, AwsError
from billing.log import Log
from billing.rules.host_events import HostEvent
from billing.store.host_events import HostEventStore, endpoint_of

# What SQS can hide a message for, in seconds; later lanes are found by the round.
LONGEST_DELAY = 900


class Wakes:
    """The queue of lanes that have something to tell. A message in it is a hint: what is due stands in the table."""

    def __init__(self, aws: Aws, queue_url: str, logger: Log) -> None:
        self._aws = aws
        self._queue_url = queue_url
        self._logger = logger

    def send(self, lanes: Iterable[str], delay: int = 0) -> None:
        """A lane whose message is lost is found by the next round."""
        for lane in lanes:
            try:
                self._aws.call(
                    "sqs",
                    "send_message",
                    QueueUrl=self._queue_url,
                    MessageBody=json.dumps({"lane": lane}),
                    # Endpoints get their share of a queue in which one has many: SQS's fair queues.
                    MessageGroupId=endpoint_of(lane),
                    **({"DelaySeconds": delay} if delay else {}),
                )
            except AwsError as error:
                self._logger.warning("not woken", extra={"code": error.code})
                return


class HostEvents:
    def __init__(self, store: HostEventStore, wakes: Wakes) -> None:
        self._store = store
        self._wakes = wakes

    def take_in(self, events: Sequence[HostEvent], now: int) -> None:
        """Keeps each event for every endpoint that wants its type, paused ones too; once, however often it comes."""
        if not events:
            return
        for endpoint, _ in self._store.endpoints():
            wanted = [event for event in events if event.type in endpoint.event_types]
            self._wakes.send(self._store.add(endpoint.endpoint_id, wanted, now))

    def forget(self, account: str) -> bool:
        """Of somebody who was erased nothing is kept, and nothing more is told. False: not all yet, call again."""
        return self._store.forget(account)
