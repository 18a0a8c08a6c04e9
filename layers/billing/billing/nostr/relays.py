"""Several relays at once: each in a thread of its own, so that one that hangs holds up none of the others. Nothing goes
on after the call has returned: a slow thread sends nothing afterwards, however late it wakes."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from billing.data import dataclass, field
from billing.nostr.events import Event
from billing.nostr.keys import Key
from billing.nostr.relay import OPEN_SECONDS, READ_SECONDS, Conversation, Filter, Reach, RelayTrouble, Trouble
from billing.settings import Settings

T = TypeVar("T")

# At most so many relays are asked.
MOST = 3
# Seconds for the other relays to show something newer, once one has answered.
_GRACE = 1.0


@dataclass(slots=True)
class Stored:
    """The stored events. `answered`: the relays that came to the end of their list; `troubles`: why the others did
    not."""

    events: list[Event] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    @property
    def newest(self) -> Event | None:
        return _newest(self.events)


@dataclass(slots=True)
class Delivered:
    """How publishing an event ended: the relays that say they took it, those that may have, and why the others did
    not."""

    taken: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)


@dataclass(slots=True)
class Exchanged(Generic[T]):
    """The answer, if there was one, and how the question was delivered. `question` is None where none could be made."""

    answer: T | None
    question: Event | None
    delivered: Delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class Relays:
    """The relays that a call names, as `reach` allows. `clock` dates what is signed."""

    reach: Reach = field(default_factory=Reach)
    clock: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: Settings) -> "Relays":
        """NOSTR_LOCAL_RELAYS=true: relays on this machine, too; of no effect in the cloud."""
        local = settings.optional("NOSTR_LOCAL_RELAYS") == "true" and settings.stage in ("local", "test")
        return cls(reach=Reach(local=local))

    def fetch(self, urls: Sequence[str], wanted: Filter, seconds: float, key: Key | None = None) -> Stored:
        """The stored events that match. Never raises for what relays do."""
        result = Stored()

        def ask(crew: "_Crew", url: str) -> None:
            with self._conversation(url, crew, key) as relay:
                events = relay.stored(wanted)
            with crew.changed:
                if not crew.over:
                    result.events += events
                    result.answered.append(url)

        with _Crew(urls, ask, result.troubles, seconds) as crew:
            crew.wait(lambda: bool(result.events))
            crew.wait(lambda: False, _GRACE)
        return result

    def publish(self, urls: Sequence[str], event: Event, seconds: float, key: Key | None = None) -> Delivered:
        """Publishes the event at all of them."""
        delivered = Delivered()

        def send(crew: "_Crew", url: str) -> None:
            with self._conversation(url, crew, key) as relay:
                _hand_over(crew, relay, url, event, delivered)

        with _Crew(urls, send, delivered.troubles, seconds) as crew:
            crew.wait(lambda: False)
        return delivered

    def exchange(
        self,
        urls: Sequence[str],
        seconds: float,
        key: Key,
        *,
        first: Filter,
        question: Callable[[Event | None], Event | None],
        answers: Callable[[Event], tuple[Filter, Filter]],
        accept: Callable[[Event, Event], T | None],
    ) -> Exchanged[T]:
        """Asks one question of somebody behind the relays, and waits for the first answer.

        `first`: what is read before; `question` makes the event of the newest that was found, or None where it cannot.
        `answers`: the filter for the answers and the one for a relay that refuses it. `accept(question, event)`: the
        answer, or None when the event is none. All relays get the same event, and each only after it listens for the
        answer.
        """
        delivered = Delivered()
        stored: list[Event] = []
        state = _Exchange[T]()

        def talk(crew: "_Crew", url: str) -> None:
            with self._conversation(url, crew, key) as relay:
                try:
                    events = relay.stored(first)
                except RelayTrouble as trouble:
                    if trouble.why == "unreachable":
                        raise
                    events = []  # it shows us nothing stored, but may still carry the question
                with crew.changed:
                    stored.extend(events)
                    state.ready += 1
                    crew.changed.notify_all()
                    crew.changed.wait_for(lambda: crew.over or state.question is not None)
                    sent = state.question
                if sent is None or crew.over:
                    return
                relay.subscribe(*answers(sent))
                _hand_over(crew, relay, url, sent, delivered)
                for event in relay.events():
                    answer = accept(sent, event)
                    if answer is not None:
                        with crew.changed:
                            state.answer = state.answer or answer
                            crew.changed.notify_all()
                        return

        with _Crew(urls, talk, delivered.troubles, seconds) as crew:
            # Wait for the first relay that has the stored events, or until all have answered.
            crew.wait(lambda: bool(stored) or state.ready == crew.working, OPEN_SECONDS + READ_SECONDS)
            with crew.changed:
                state.question = question(_newest(stored))
                crew.changed.notify_all()
            if state.question is not None:
                crew.wait(lambda: state.answer is not None)
        return Exchanged(state.answer, state.question, delivered)

    def _conversation(self, url: str, crew: "_Crew", key: Key | None) -> Conversation:
        return Conversation(url, crew.until, self.reach, key=key, stop=crew.stop, clock=self.clock)


def _newest(events: Iterable[Event]) -> Event | None:
    """Of several at one time the one with the lowest id, as relays keep them (NIP-01)."""
    return min(events, key=lambda event: (-event.created_at, event.id), default=None)


def _hand_over(crew: "_Crew", relay: Conversation, url: str, event: Event, delivered: Delivered) -> None:
    """Publishes, and keeps the outcome up to date, because the call may end at any moment."""
    with crew.changed:
        if crew.over:
            return
        delivered.unsure.append(url)
    try:
        taken = relay.publish(event)
    except RelayTrouble as trouble:
        if trouble.why != "unreachable":  # a refusal is certain; a relay that hung up may have taken it
            with crew.changed:
                delivered.unsure.remove(url)
        raise
    if taken:
        with crew.changed:
            delivered.unsure.remove(url)
            delivered.taken.append(url)


class _Exchange(Generic[T]):
    """What the threads of one exchange share."""

    def __init__(self) -> None:
        self.ready = 0
        self.question: Event | None = None
        self.answer: T | None = None


class _Crew:
    """One thread for each relay, until the block ends. `over`: from now on none of them may send or say anything."""

    def __init__(
        self,
        urls: Iterable[str],
        work: Callable[["_Crew", str], None],
        troubles: dict[str, Trouble],
        seconds: float,
    ) -> None:
        self.until = time.monotonic() + seconds
        self.changed = threading.Condition()
        self.over = False
        self._fault: Exception | None = None
        self._work, self._troubles = work, troubles
        self.stop, self._stopping = socket.socketpair()
        urls = list(dict.fromkeys(urls))[:MOST]
        self.working = len(urls)
        for url in urls:
            threading.Thread(target=self._run, args=(url,), daemon=True).start()

    def wait(self, enough: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Until `enough` holds, all threads have ended, or the time is over."""
        with self.changed:
            left = max(0.0, min(seconds, self.until - time.monotonic()))
            self.changed.wait_for(lambda: enough() or not self.working, left)

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self.changed:
            self.over = True
            self.changed.notify_all()
            self._stopping.close()  # makes `stop` readable: whoever reads a socket looks up
            if not self.working:
                self.stop.close()
            if self._fault is not None and kind is None:
                raise self._fault

    def _run(self, url: str) -> None:
        trouble: Trouble | None = None
        try:
            if self.until > time.monotonic():
                self._work(self, url)
        except RelayTrouble as failed:
            trouble = failed.why
        except Exception as fault:  # noqa: BLE001  of ours: raised where the block ends
            self._fault = fault
        finally:
            with self.changed:
                if trouble is not None and not self.over:
                    self._troubles[url] = trouble
                self.working -= 1
                self.changed.notify_all()
                if self.over and not self.working:
                    self.stop.close()
