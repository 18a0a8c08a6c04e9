"""A buyer's calendar: a file to save, and a feed with a secret address, which can be replaced and revoked."""

import hashlib
import secrets
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from billing.errors import NotFound
from billing.rules.ends import Ahead, ahead
from billing.rules.icalendar import Entry, calendar
from billing.rules.languages import Language, language_of
from billing.rules.money import format_money
from billing.rules.times import DAY, rfc3339
from billing.selling.calendar_texts import TEXTS
from billing.store.accounts import AccountStore
from billing.store.calendars import Calendar, CalendarStore
from billing.store.dynamodb import retry
from billing.store.plans import PlanStore

ENDING = ".ics"
# The length of an address, 256 bits: whoever has it can read the calendar, so it must not be guessed.
_SECRET_BYTES = 32
_SECRET_LETTERS = 43
_REFRESH_HOURS = 6


class Calendars:
    """`days`: how long before an end its buyer is reminded to renew. `public_url`: of this API; `billing_page`: where
    the buyer acts on an entry."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        store: CalendarStore,
        public_url: str,
        billing_page: str,
        days: int,
    ) -> None:
        self._accounts, self._plans, self._store = accounts, plans, store
        self._public_url, self._billing_page, self._days = public_url, billing_page, days

    def show(self, user_id: str) -> dict[str, Any]:
        """Whether there is a feed. Its address is shown once, when it is made."""
        calendar = self._store.find(user_id)
        return {"feed": calendar and _feed(calendar)}

    def make(self, user_id: str, language: Language, now: int) -> dict[str, Any]:
        """Makes a new address; the previous one becomes invalid."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)

        def write() -> Calendar:
            before = self._store.find(user_id)
            seed = before.seed if before is not None else _seed()
            made = Calendar(seed=seed, language=language, made_at=now, address_hash=_hash(secret))
            self._store.put(user_id, before, made)
            return made

        made = retry(write)
        return {**(_feed(made) or {}), "address": f"{self._public_url}/billing/calendar/feed/{secret}{ENDING}"}

    def revoke(self, user_id: str) -> None:
        """Makes the address invalid. The entries keep their ids, for files that were saved."""

        def write() -> None:
            before = self._store.find(user_id)
            if before is not None and before.address_hash is not None:
                self._store.put(user_id, before, Calendar(seed=before.seed))

        retry(write)

    def feed(self, name: str, now: int) -> str:
        """The feed of an address, by its last part. `NotFound` alike for one that never was and one that was
        revoked."""
        secret = name.removesuffix(ENDING)
        user_id = self._store.owner(_hash(secret)) if name.endswith(ENDING) and len(secret) == _SECRET_LETTERS else None
        stored = None if user_id is None else self._store.find(user_id)
        if user_id is None or stored is None or stored.address_hash != _hash(secret):
            raise NotFound("there is no calendar at this address")
        return self._text(user_id, stored, language_of(stored.language), now)

    def file(self, user_id: str, language: Language, now: int) -> dict[str, str]:
        """The calendar as a file to save, without a feed."""

        def seeded() -> Calendar:
            before = self._store.find(user_id)
            if before is not None:
                return before
            made = Calendar(seed=_seed())
            self._store.put(user_id, None, made)
            return made

        text = self._text(user_id, retry(seeded), language, now, private=True)
        return {"name": f"renewals{ENDING}", "content": text}

    def _text(self, user_id: str, stored: Calendar, language: Language, now: int, *, private: bool = False) -> str:
        account = self._accounts.load(user_id)
        changed_at = max(self._store.changed_at(user_id), stored.made_at or 0)
        named = uuid.UUID(stored.seed)
        entries = [
            Entry(
                uid=str(uuid.uuid5(named, f"{one.key} {what}")),
                at=at,
                summary=summary,
                description=about,
                changed_at=changed_at,
                sequence=account.version,
                alarm=alarm,
            )
            for one in ahead(account, self._plans.catalogue(), now)
            for what, at, summary, about, alarm in _entries(one, TEXTS[language], self._days)
        ]
        product = f"-//BitSleuth//Billing//{language.upper()}"
        return calendar(
            TEXTS[language]["name"],
            product,
            self._billing_page,
            entries,
            refresh_hours=_REFRESH_HOURS,
            private=private,
        )


# Which entry of one end, when, its summary, its description, and how many days before to alert.
_Texts = tuple[str, int, str, str, int]


def _entries(one: Ahead, texts: Mapping[str, str], days: int) -> Iterator[_Texts]:
    """The end itself, and as an entry of its own the day on which it is renewed: calendars that follow a feed ignore
    early alarms."""
    plan = one.plan.name if one.plan else one.plan_id
    price = "" if one.amount_cents is None else format_money(one.amount_cents, one.currency)

    def said(text: str) -> str:
        return texts[text].format(plan=plan, price=price).removesuffix(": ")

    if one.act == "charged":
        text = "charged.trial" if one.kind == "trial" else "charged"
        if one.due_at is not None:
            yield "charge", one.due_at, said(text), said(f"{text}.about"), 1
        return
    if one.ends_at is None:
        return
    about = "by_hand" if one.act in ("renew", "wallet_trouble", "buy") else one.act
    yield "end", one.ends_at, said("ends.trial" if one.kind == "trial" else "ends"), said(f"ends.{about}"), 1
    if one.act in ("renew", "wallet_trouble"):
        yield "renewal", one.ends_at - days * DAY, said("renew"), said("renew.about"), 0
    elif one.act == "wallet_pays" and one.due_at is not None:
        yield "renewal", one.due_at, said("wallet"), said("wallet.about"), 0
    elif one.act == "fix_payment" and one.due_at is not None:
        yield "charge", one.due_at, said("tried"), said("tried.about"), 0


def _feed(calendar: Calendar) -> dict[str, Any] | None:
    if calendar.address_hash is None:
        return None
    return {"made_at": rfc3339(calendar.made_at), "language": language_of(calendar.language)}


def _hash(secret: str) -> str:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _seed() -> str:
    return str(uuid.uuid4())
