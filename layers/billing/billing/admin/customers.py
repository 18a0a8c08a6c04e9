"""The list of customers as admins see it: filtered, searched by any part of an id, page by page."""

import re
from collections.abc import Mapping
from typing import Any

from billing.admin.users import AdminUsers
from billing.api.http import chosen
from billing.errors import invalid_cursor, invalid_field
from billing.providers import PROVIDERS
from billing.rules.times import DAY, rfc3339
from billing.store.customers import CustomerIndex, Filters

View = dict[str, Any]
FILTERS = ("plan", "version", "status", "rail", "at_risk", "has_credits", "ends_within_days")
_COLUMNS = ("user_id", "status", "plans", "versions", "rails", "at_risk", "has_credits", "since", "ends_at")
_FOUND = 50
_CURSOR = re.compile(r"\d{12}#.{1,200}")
_PAGE, _LONGEST_PAGE = 50, 1_000
_LONGEST_AHEAD = 400
_HIGHEST_VERSION = 999_999


def filters_of(query: Mapping[str, str], now: int) -> Filters:
    """Raises `InvalidRequest`."""
    days = _number(query, "ends_within_days", 1, _LONGEST_AHEAD) if "ends_within_days" in query else None
    version = _number(query, "version", 1, _HIGHEST_VERSION) if "version" in query else None
    if version is not None and not query.get("plan"):
        raise invalid_field("plan", "missing", "a version is one of a plan")
    rail = query.get("rail") or None
    if rail is not None and rail not in PROVIDERS:
        raise invalid_field("rail", f"one of {', '.join(PROVIDERS)}", "nobody pays this way")
    return Filters(
        plan=query.get("plan") or None,
        version=version,
        status=query.get("status") or None,
        rail=rail,
        at_risk=chosen(query, "at_risk", "false", "true") == "true",
        has_credits=chosen(query, "has_credits", "false", "true") == "true",
        ends_by=None if days is None else now + days * DAY,
    )


class Customers:
    """`users` finds by whole ids, at once and in every account; the index finds by parts, a moment later."""

    def __init__(self, index: CustomerIndex, users: AdminUsers) -> None:
        self._index = index
        self._users = users

    def find(self, query: Mapping[str, str], now: int) -> Mapping[str, Any]:
        """By `q`, an id whole or in part; without it a page of those who fit the filters."""
        return self.search(query["q"], now) if "q" in query else self.page(filters_of(query, now), query, now)

    def page(self, filters: Filters, query: Mapping[str, str], now: int) -> Mapping[str, Any]:
        if query.get("cursor") and not _CURSOR.fullmatch(query["cursor"]):
            raise invalid_cursor()
        limit = _number(query, "limit", 1, _LONGEST_PAGE) if "limit" in query else _PAGE
        customers, following = self._index.page(filters, query.get("cursor", ""), limit, now)
        return {"users": [_view(one) for one in customers], "next": following, "index": self._state()}

    def search(self, text: str, now: int) -> Mapping[str, Any]:
        """Raises `InvalidRequest` for an empty search."""
        text = text.strip()
        exact = self._users.find(text)
        matches = [(*exact, text)] if exact else []
        matches += [(one.user_id, one.what, one.id) for one in self._index.search(text, _FOUND)]
        by_user: dict[str, View] = {}
        for user_id, what, matched_id in matches:
            if user_id in by_user:
                continue
            shown = self._index.of(user_id, now)
            by_user[user_id] = _view(shown or _bare(user_id)) | {"matched": what, "matched_id": matched_id}
        return {"users": list(by_user.values()), "next": None, "index": self._state()}

    @staticmethod
    def rows(answer: Mapping[str, Any]) -> list[View]:
        """A page as rows of a table."""
        return [
            {
                **{name: user[name] for name in _COLUMNS},
                "plans": " ".join(user["plans"]),
                "versions": " ".join(user["versions"]),
                "rails": " ".join(user["rails"]),
            }
            for user in answer["users"]
        ]

    def _state(self) -> View:
        state = self._index.state()
        if state is None:
            return {"changed_at": None, "lag_seconds": None}
        lag = max(0, state["taken_in_at"] - state["changed_at"])
        return {"changed_at": rfc3339(state["changed_at"]), "lag_seconds": lag}


def _view(customer: Mapping[str, Any]) -> View:
    return {
        "user_id": customer["user_id"],
        "matched": None,
        "matched_id": None,
        "plans": list(customer["plans"]),
        "versions": list(customer.get("versions", ())),
        "status": customer["status"],
        "rails": list(customer["rails"]),
        "at_risk": bool(customer["at_risk"]),
        "has_credits": bool(customer["has_credits"]),
        "since": rfc3339(customer["since"]),
        "ends_at": rfc3339(customer["ends_at"]),
    }


def _bare(user_id: str) -> View:
    """A user of whom only an id is known."""
    nothing = {"plans": [], "rails": [], "at_risk": False, "has_credits": False, "since": None, "ends_at": None}
    return {"user_id": user_id, "status": "free", **nothing}


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = query[name]
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not least <= int(text) <= most:
        raise invalid_field(name, f"a number from {least} to {most}", f"{name} is no such number")
    return int(text)
