"""A stand-in for a Lightning wallet with Nostr Wallet Connect (NIP-47), and a page to control it.

It listens on a stand-in relay and pays the Lightning invoices of the BTCPay Server stand-in. `kind_name`: the wallet
whose quirks it has; `mode`: what it does with the next requests.
"""

import json
import secrets
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from billing.nostr import encryption
from billing.nostr.bolt11 import BadInvoice, Bolt11, decode
from billing.nostr.events import Event, signed
from billing.nostr.keys import Key
from fakes.base import Answer, App, Clock, Request, json_answer, redirect
from fakes.nostr.relay import Relay
from fakes.nostr.wallet_kinds import KINDS, MODES, Connected, Kind
from fakes.nostr.wallet_pages import connection_page, wallet_page

INFO, REQUEST, RESPONSE = 13194, 23194, 23195
# Maximum age in seconds of a request that arrived while the wallet was offline.
OLDEST = 6 * 3_600


class Wallet(App):
    """`pay(bolt11)` pays an invoice and returns the preimage, or None. `memory`: a file that keeps the state."""

    def __init__(
        self,
        relay: Relay,
        pay: Callable[[str], str | None],
        clock: Clock | None = None,
        memory: Path | None = None,
    ) -> None:
        super().__init__(clock)
        self._relays, self._pay, self._memory = [relay], pay, memory
        self._key, self.kind_name, self.mode = Key.new(), "Alby Hub", "pay"
        self.late_seconds = 5.0
        self.connections: dict[str, Connected] = {}
        self.paid: list[str] = []
        """The payment hash of each payment, in order."""
        self._preimages: dict[str, str] = {}
        self._seen: set[str] = set()
        self._missed: list[Event] = []
        if memory is not None and memory.exists():
            stored = json.loads(memory.read_text())
            self._key, self.kind_name = Key(bytes.fromhex(stored["key"])), stored["kind"]
            for connection in stored["connections"]:
                connection["spent"] = [(when, msat) for when, msat in connection["spent"]]
                self.connections[connection["id"]] = Connected(**connection)
        relay.listeners.append(self._received)
        self.announce()
        self.route("GET", "/", self._home)
        self.route("POST", "/connections", self._connect)
        self.route("GET", "/connections/{id}", self._show)
        self.route("POST", "/connections/{id}", self._change)
        self.route("POST", "/wallet", self._set)

    # --- actions of its owner ----------------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind:
        return KINDS[self.kind_name]

    @property
    def public(self) -> str:
        return self._key.public

    def connect(
        self,
        name: str = "billing",
        *,
        budget_sat: int | None = 100_000,
        renewal: str = "monthly",
        seconds: int | None = None,
    ) -> Connected:
        """Creates a connection, valid for `seconds` or for good."""
        expires_at = None if seconds is None else self.clock.now() + seconds
        made = Connected(secrets.token_hex(4), name, Key.new().secret, budget_sat, renewal, expires_at)
        made.made_at = self.clock.now()
        self.connections[made.id] = made
        self.remember()
        return made

    def string_of(self, connected: Connected) -> str:
        """The connection string, as the buyer copies it."""
        relays = "&".join(f"relay={urllib.parse.quote(relay.url, safe='')}" for relay in self._relays)
        return f"nostr+walletconnect://{self.public}?{relays}&secret={connected.secret}&lud16=me%40wallet.example"

    def join(self, relay: Relay) -> None:
        """Makes the wallet listen and answer on this relay too."""
        self._relays.append(relay)
        relay.listeners.append(self._received)
        self.announce()

    def become(self, kind: str) -> None:
        """Makes it behave as another wallet, with the same key."""
        self.kind_name = kind
        self.announce()

    def play(self, mode: str) -> None:
        """Sets the mode. After being offline, the wallet handles the requests that it missed."""
        with self._lock:
            self.mode = mode
            missed, self._missed = (self._missed, []) if mode != "offline" else ([], self._missed)
        for event in missed:
            if event.created_at >= self.clock.now() - OLDEST:
                self._work(event)

    def remove(self, connected: Connected) -> None:
        """Removes a connection. Alby Hub has a key per connection and withdraws its info event; here all connections
        share one key, so the event is withdrawn with the last one."""
        connected.removed = True
        if all(one.removed for one in self.connections.values()):
            self.withdraw()
        self.remember()

    def withdraw(self) -> None:
        """Removes the wallet's info event from all relays."""
        for relay in self._relays:
            relay.forget(INFO, self.public)

    def announce(self) -> None:
        """Publishes the wallet's info event: its methods and encryptions."""
        tags = [["encryption", self.kind.encryptions]] if self.kind.encryptions else []
        published = [
            event.created_at
            for relay in self._relays
            for event in relay.kept
            if (event.kind, event.pubkey) == (INFO, self.public)
        ]
        at = max(self.clock.now(), *(when + 1 for when in published), 0)
        self._publish(signed(self._key, INFO, self.kind.methods, [*tags, ["notifications", ""]], at))

    def spent_msat(self, connected: Connected) -> int:
        since = self._period(connected)[0]
        return sum(msat for when, msat in connected.spent if when >= since)

    # --- requests ----------------------------------------------------------------------------------------------------

    def _received(self, event: Event) -> None:
        if event.kind != REQUEST or self.public not in event.values("p"):
            return
        with self._lock:
            if event.id in self._seen:
                return
            self._seen.add(event.id)
            if self.mode == "offline":
                self._missed.append(event)
                return
        # In its own thread, so that the relay's thread is not blocked.
        threading.Thread(target=self._work, args=(event,), daemon=True).start()

    def _work(self, event: Event) -> None:
        connected = next((one for one in self.connections.values() if one.public == event.pubkey), None)
        if connected is None or self.mode == "gone":
            return
        scheme = next(iter(event.values("encryption")), "nip04")
        if scheme not in (self.kind.encryptions or "nip04").split():
            self._answer(event, self.kind.encryptions, {"error": _error("UNSUPPORTED_ENCRYPTION")})
            return
        read = encryption.decrypt if scheme == "nip44_v2" else encryption.decrypt_nip04
        try:
            request = json.loads(read(event.content, self._key, event.pubkey))
        except ValueError:
            return
        method = request["method"]
        expiration = next(iter(event.values("expiration")), None)
        if self.kind_name == "Electrum":
            old = self.clock.now() > int(expiration) if expiration else self.clock.now() > event.created_at + 30
            if old:
                self._answer(event, scheme, {"error": _error("OTHER")})
                return
        with self._lock:
            outcome, content = self._outcome(connected, method, request["params"])
            connected.asked.append((self.clock.now(), method, outcome))
            self.remember()
        if content is None:
            return
        if self.mode == "slow" and method == "pay_invoice":
            threading.Event().wait(self.late_seconds)
        self._answer(event, scheme, {"result_type": method, **content})

    def _outcome(
        self, connected: Connected, method: str, params: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any] | None]:
        """The outcome for the wallet's history, and the answer; None: no answer is sent."""
        refusal = None
        if connected.removed:
            refusal = self.kind.removed
        elif connected.expires_at is not None and self.clock.now() >= connected.expires_at:
            refusal = self.kind.expired
        elif method not in self.kind.methods.split():
            refusal = self.kind.unknown_method
        if refusal is not None:
            return refusal or "no answer", {"error": _error(refusal)} if refusal else None
        match method:
            case "get_budget":
                return "answered", {"result": self._budget(connected)}
            case "pay_invoice":
                return self._paying(connected, params)
            case _:
                return "answered", {"result": {"alias": "a node", "methods": self.kind.methods.split()}}

    def _paying(self, connected: Connected, params: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
        def no(code: str) -> tuple[str, dict[str, Any] | None]:
            return code, {"error": _error(code)}

        try:
            wanted = decode(params["invoice"])
        except BadInvoice:
            return no("OTHER")
        msat = wanted.amount_msat or 0
        if wanted.payment_hash in self._preimages or self.clock.now() >= wanted.expires_at:
            return no("INTERNAL")  # already paid, or expired
        if self.mode in ("fail", "empty", "busy"):
            return no({"fail": self.kind.failed, "empty": self.kind.no_money, "busy": "RATE_LIMITED"}[self.mode])
        if self.mode == "liar":
            return "not paid, answered paid", {"result": {"preimage": secrets.token_hex(32)}}
        reserve = max(msat // 100, 10_000) if self.kind.reserve else 0
        if connected.budget_sat is not None:
            room = connected.budget_sat * 1_000 - self.spent_msat(connected)
            if msat + reserve > room:
                return no(self.kind.over_budget)
        return self._pay_it(connected, params["invoice"], wanted)

    def _pay_it(self, connected: Connected, invoice: str, wanted: Bolt11) -> tuple[str, dict[str, Any] | None]:
        preimage = self._pay(invoice)
        if preimage is None:
            return self.kind.failed, {"error": _error(self.kind.failed)}
        self._preimages[wanted.payment_hash] = preimage
        self.paid.append(wanted.payment_hash)
        connected.spent.append((self.clock.now(), wanted.amount_msat or 0))
        if self.mode == "silent":
            return "paid, answer lost", None
        if self.mode == "false failure":
            return "paid, answered failed", {"error": _error(self.kind.failed)}
        stated = preimage if self.kind.preimage else "0" * 64
        return "paid", {"result": {"preimage": "" if self.mode == "no preimage" else stated, "fees_paid": 1_000}}

    def _answer(self, request: Event, scheme: str, content: Mapping[str, Any]) -> None:
        write = encryption.encrypt if "nip44_v2" in scheme else encryption.encrypt_nip04
        text = write(json.dumps({"error": None, "result": None} | dict(content)), self._key, request.pubkey)
        tags = [["e", request.id], *([["p", request.pubkey]] if self.kind.names_us else [])]
        self._publish(signed(self._key, RESPONSE, text, tags, self.clock.now()))

    def _publish(self, event: Event) -> None:
        for relay in self._relays:
            relay.publish(event)

    # --- budgets -----------------------------------------------------------------------------------------------------

    def _budget(self, connected: Connected) -> dict[str, Any]:
        if connected.budget_sat is None:
            return {}
        budget = {
            "used_budget": self.spent_msat(connected),
            "total_budget": connected.budget_sat * 1_000,
            "renewal_period": connected.renewal,
        }
        ends = self._period(connected)[1]
        return budget if ends is None else {**budget, "renews_at": ends}

    def _period(self, connected: Connected) -> tuple[int, int | None]:
        """Start and end of the budget's current calendar period; no end if the budget is never renewed."""
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        match connected.renewal:
            case "daily":
                begin, end = day, day + timedelta(days=1)
            case "weekly":
                begin = day - timedelta(days=day.weekday())
                end = begin + timedelta(days=7)
            case "monthly":
                begin = day.replace(day=1)
                end = (begin + timedelta(days=32)).replace(day=1)
            case "yearly":
                begin = day.replace(month=1, day=1)
                end = begin.replace(year=begin.year + 1)
            case _:
                return 0, None
        return int(begin.timestamp()), int(end.timestamp())

    # --- its page ----------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        if self._memory is not None:
            rows = [asdict(one) for one in self.connections.values()]
            self._memory.touch(mode=0o600)
            self._memory.write_text(json.dumps({"key": self._key.secret, "kind": self.kind_name, "connections": rows}))

    def _home(self, _: Request) -> Answer:
        return wallet_page(self)

    def _connect(self, request: Request) -> Answer:
        form = request.form
        budget, days = form.get("budget_sat", ""), form.get("days", "")
        made = self.connect(
            form.get("name") or "billing",
            budget_sat=int(budget) if budget else None,
            renewal=form.get("renewal", "monthly"),
            seconds=int(days) * 86_400 if days else None,
        )
        return redirect(f"/connections/{made.id}")

    def _show(self, request: Request) -> Answer:
        one = self.connections.get(request.params["id"])
        return json_answer({"error": "no such connection"}, 404) if one is None else connection_page(self, one)

    def _change(self, request: Request) -> Answer:
        connection, form = self.connections[request.params["id"]], request.form
        match form["act"]:
            case "remove":
                self.remove(connection)
            case "expire":
                connection.expires_at = self.clock.now()
            case "budget":
                connection.budget_sat = int(form["budget_sat"]) if form["budget_sat"] else None
            case "forget":
                connection.spent.clear()
        self.remember()
        return redirect(f"/connections/{connection.id}")

    def _set(self, request: Request) -> Answer:
        form = request.form
        if form.get("kind") in KINDS:
            self.become(form["kind"])
        if form.get("mode") in MODES:
            self.play(form["mode"])
        self.remember()
        return redirect("/")


def _error(code: str) -> dict[str, str]:
    return {"code": code, "message": "injected by the stand-in"}
