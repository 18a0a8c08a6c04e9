"""Writes events to the outbox of each subscribed endpoint, and wakes the function that delivers them."""

import json
from collections.abc import Iterable, Sequence

from billing.aws import Aws, AwsError
from billing.log import Log
from billing.rules.host_events import HostEvent
from billing.store.outbox import Outbox, endpoint_of

# The longest delay of an SQS message, in seconds; lanes due later are found by the round.
LONGEST_DELAY = 900


class Wakes:
    """The queue of lanes with something to deliver. A message in it is a hint: the table says what is due."""

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
                    # SQS's fair queues: an endpoint with many messages does not delay the others.
                    MessageGroupId=endpoint_of(lane),
                    **({"DelaySeconds": delay} if delay else {}),
                )
            except AwsError as error:
                self._logger.warning("not woken", extra={"code": error.code})
                return


class HostEvents:
    def __init__(self, store: Outbox, wakes: Wakes) -> None:
        self._store = store
        self._wakes = wakes

    def take_in(self, events: Sequence[HostEvent], now: int) -> None:
        """Stores each event for every endpoint that subscribes to its type, paused ones too. Repeatable."""
        if not events:
            return
        for endpoint, _ in self._store.endpoints():
            wanted = [event for event in events if event.type in endpoint.event_types]
            self._wakes.send(self._store.add(endpoint.endpoint_id, wanted, now))

    def forget(self, account: str) -> bool:
        """Deletes an erased user's events, also those not delivered yet. False: not all yet, call again."""
        return self._store.forget(account)
