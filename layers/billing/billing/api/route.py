"""One call of the API: its path, who may call it, what it takes and what it answers."""

from typing import Literal

from pydantic import BaseModel

from billing.api import roles
from billing.data import dataclass

Auth = Literal["none", "user", "admin"]


@dataclass(frozen=True, slots=True)
class Route:
    """`errors` are the problem statuses beyond those every call has (400, 401, 403, 413, 429, 500).

    `query` names all parameters there are. A `user_id` may only be the caller's own; anything else is 403.
    `status` is what success answers; with 204 there is no body.
    """

    method: str
    path: str
    function: str
    summary: str
    response: type[BaseModel]
    request: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    status: int = 200
    auth: Auth = "user"
    text: str = ""
    """The media type of an answer that is no JSON."""

    @property
    def role(self) -> roles.Role | None:
        """Which role an admin's call needs at least; None for everybody else's calls."""
        return roles.needed(f"{self.method} {self.path}") if self.auth == "admin" else None
