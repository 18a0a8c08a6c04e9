"""HTTP: API Gateway events to requests, answers and errors to responses. No handler builds an error body itself."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from billing import deadline, origin
from billing.data import dataclass, field
from billing.errors import (
    BadWebhook,
    BillingError,
    Conflict,
    FeatureLocked,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Parked,
    ProviderError,
    ProviderUnavailable,
    RequestTooLarge,
    TooManyRequests,
    TryAgain,
)
from billing.log import Log

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

# No documented request comes near this; webhooks have a limit of their own.
MAX_BODY_BYTES = 64 * 1024

# Seconds after which a caller may try again what could not be answered, where nothing more precise is known.
_RETRY_AFTER = 15

# The characters of an id in a path, ours or a provider's. "#" is not among them, because it separates the parts of
# keys.
ID = r"[A-Za-z0-9_.:@/-]{1,128}"
# A user, or what is left of an erased one: the Accounts table holds more than users, such as the audit log.
USER_ID = r"(?:usr|erased)_[A-Za-z0-9_.:@/-]{1,120}"

# The one table from what happened to the HTTP status; the most precise class is looked up first.
STATUSES: Mapping[type[BillingError], tuple[int, str]] = {
    InvalidRequest: (400, "The request is not valid"),
    BadWebhook: (400, "The delivery was refused"),
    NotAuthenticated: (401, "Sign in first"),
    FeatureLocked: (402, "This feature is locked"),
    NotAllowed: (403, "Not allowed"),
    NotFound: (404, "Not found"),
    Conflict: (409, "This contradicts the current state"),
    RequestTooLarge: (413, "The request is too large"),
    TryAgain: (409, "Somebody else was faster"),
    Parked: (409, "This cannot be applied yet"),
    TooManyRequests: (429, "Too many requests"),
    ProviderUnavailable: (503, "The payment provider did not answer"),
    ProviderError: (502, "The payment provider refused"),
    BillingError: (400, "The request was refused"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `user_id` and `role` (of an admin's call) are the authorizer's word; `context` is all it passed on.

    `address`: whence it came, if that is known; for counting alone, never stored or logged.
    """

    route: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now: int
    user_id: str = ""
    role: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""

    def parse(self, model: "type[Model]") -> "Model":
        """The body as `model`; `InvalidRequest` lists every fault with its path."""
        from pydantic import ValidationError

        try:
            return model.model_validate_json(self.body or b"{}")
        except ValidationError as error:
            faults = [
                {"path": "/".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
                for fault in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise InvalidRequest("the body is not of the documented shape", errors=faults) from error

    def only(self, *names: str) -> Mapping[str, str]:
        """The query, which may hold these parameters alone: a mistyped one must not quietly change the answer."""
        unknown = sorted(self.query.keys() - set(names))
        if unknown:
            message = f"not a parameter of this call: {', '.join(names)}"
            raise InvalidRequest(
                "the query is not of the documented shape", errors=[{"path": n, "message": message} for n in unknown]
            )
        return self.query

    def own_user(self, named: str | None = None) -> str:
        """The caller's id. Naming somebody else's is refused: a body is no proof of who one is."""
        if not self.user_id:
            raise NotAuthenticated("this call needs a signed-in user")
        if named is not None and named != self.user_id:
            raise NotAllowed("user_id must be your own, or be left out")
        return self.user_id

    def queried_user(self) -> str:
        """As `own_user`, for a call whose query may name the caller and nothing else."""
        return self.own_user(self.only("user_id").get("user_id"))


@dataclass(frozen=True, slots=True)
class Response:
    body: Mapping[str, Any] | list[Any] | str | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Call = Callable[[Request], Response | Mapping[str, Any]]


def endpoint(routes: Mapping[str, Call], logger: Log) -> Handler:
    """A Lambda handler for API Gateway payload 2.0. `routes` maps "GET /billing/plans" to a function of the request.

    Calls below /admin/ are refused unless the authorizer gives a role that may make them, however the route is wired.
    A `BillingError` becomes a problem document. Anything else fails the invocation: the caller sees a bare 500, and
    the error metric and its alarm see the fault.
    """

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        deadline.begin(context)
        route = str(event["routeKey"])
        refusal = {}
        try:
            request = request_from(event)
            if is_admin_route(route):
                _check_role(request.role, route)
            answer = routes[route](request)
            response = answer if isinstance(answer, Response) else Response(answer)
        except BillingError as error:
            response, refusal = problem(error), {"code": error.code}
        logger.info(
            "answered",
            extra={
                "route": route,
                "status": response.status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "request_id": event.get("requestContext", {}).get("requestId"),
                **refusal,
            },
        )
        return to_gateway(response)

    return handler


def _check_role(role: str, route: str) -> None:
    from billing.api import roles  # functions without admin routes never load this

    if not roles.may(role, route):
        needed = roles.needed(route)
        raise NotAllowed(f"this call needs the role {needed}", code="role_needed", role=needed)


def csv_file(text: str, name: str) -> Response:
    """A table as a file to save under a name."""
    kind = {"content-type": "text/csv; charset=utf-8"}
    return Response(text, headers={**kind, "content-disposition": f'attachment; filename="{name}"'})


def is_admin_route(route_key: str) -> bool:
    """Whether a route such as "GET /admin/plans" is for admins only."""
    return route_key.partition(" ")[2].startswith("/admin/")


def request_from(event: Mapping[str, Any], *, max_body: int = MAX_BODY_BYTES) -> Request:
    """Raises `NotAllowed` for a call past our front, `RequestTooLarge`, or `InvalidRequest` for what cannot be one."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    origin.check(headers)
    text = event.get("body") or ""
    if len(text) > max_body * 4 // 3 + 4:
        raise RequestTooLarge(f"at most {max_body} bytes are accepted")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise InvalidRequest("the body is not valid base64") from error
    if len(body) > max_body:
        raise RequestTooLarge(f"at most {max_body} bytes are accepted")
    authorizer = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
    return Request(
        route=str(event.get("routeKey", "")),
        path=_path(event.get("pathParameters") or {}),
        query=event.get("queryStringParameters") or {},
        headers=headers,
        body=body,
        now=int(time.time()),
        user_id=str(authorizer.get("user_id", "")),
        role=str(authorizer.get("role", "")),
        context=authorizer,
        address=origin.address_of(event, headers),
    )


def path_pattern(name: str) -> str:
    """The form of a path's parameter, as a regular expression for the whole of it."""
    return USER_ID if name == "user_id" else ID


def _path(named: Mapping[str, str]) -> Mapping[str, str]:
    faults = [name for name, value in named.items() if not re.fullmatch(path_pattern(name), value)]
    if faults:
        user, other = "a user's id, such as usr_5f…", "letters, digits and _.:@/- alone, at most 128"
        errors = [{"path": name, "message": user if name == "user_id" else other} for name in faults]
        raise InvalidRequest("a value in the path has the wrong form", errors=errors)
    return named


def chosen(query: Mapping[str, str], name: str, *words: str) -> str:
    """One of a few words in a query, the first by default. Raises `InvalidRequest`."""
    word = query.get(name, words[0])
    if word not in words:
        errors = [{"path": name, "message": f"one of {', '.join(words)}"}]
        raise InvalidRequest(f"{name} has a value that is not known", errors=errors)
    return word


def seconds(query: Mapping[str, str], name: str, default: int) -> int:
    """A moment in a query, in Unix seconds. Raises `InvalidRequest`."""
    text = query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise InvalidRequest(f"{name} is not a time", errors=[{"path": name, "message": "Unix seconds"}])
    return int(text)


def problem(error: BillingError) -> Response:
    """RFC 9457, with the error's stable `code` and its own members."""
    status, title = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    body = {"type": f"urn:bitsleuth:{error.code}", "title": title, "status": status, "code": error.code}
    headers = {"content-type": "application/problem+json"}
    if status in (429, 503):  # the same call may succeed later; a caller that knows when does not keep asking
        headers["retry-after"] = str(error.extensions.get("retry_after", _RETRY_AFTER))
    return Response({**body, "detail": error.detail, **error.extensions}, status, headers)


# The headers of every answer unless it sets its own: no guessing of its type, and no caching of personal data.
_HEADERS = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


def to_gateway(response: Response) -> dict[str, Any]:
    body = response.body
    return {
        "statusCode": response.status,
        "headers": {**_HEADERS, **response.headers},
        "body": "" if body is None else body if isinstance(body, str) else json.dumps(body, separators=(",", ":")),
    }


def cacheable(request: Request, content: Mapping[str, Any], max_age: int, **unstable: object) -> Response:
    """A public answer with an ETag over `content`, not over the `unstable` members; 304 for a caller who has it."""
    tag = f'"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}"'
    headers = {"cache-control": f"public, max-age={max_age}", "etag": tag}
    return unless_known(request, tag, lambda: {**content, **unstable}, headers)


def unless_known(
    request: Request, tag: str, body: Callable[[], Mapping[str, Any] | str], headers: Mapping[str, str] | None = None
) -> Response:
    """304 when the caller's If-None-Match names `tag`; else the body, which is only made then."""
    answered = {"etag": tag, **(headers or {})}
    tags = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return Response(None, 304, answered) if tag in tags else Response(body(), headers=answered)


def wants_csv(query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """By `?format=csv`, or by the Accept header. Raises `InvalidRequest` for another format."""
    by_header = "csv" if "text/csv" in headers.get("accept", "") else "json"
    return chosen({"format": by_header, **query}, "format", "json", "csv") == "csv"
