"""The description of one API call: path, authorization, request and answer."""

from typing import Literal

from pydantic import BaseModel

from billing.api import roles
from billing.data import dataclass

Auth = Literal["none", "user", "admin"]


@dataclass(frozen=True, slots=True)
class Route:
    """`errors`: problem statuses beyond those of every call (400, 401, 403, 413, 429, 500).

    `query`: all its query parameters. A `user_id` must be the caller's own, else 403. `status`: of a successful answer;
    204 has no body.
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
    """The media type, if the answer is not JSON."""

    @property
    def role(self) -> roles.Role | None:
        """The lowest role that may make an admin call; None for other calls."""
        return roles.needed(f"{self.method} {self.path}") if self.auth == "admin" else None
