"""HTTP: API Gateway events to requests; answers and errors to responses. Only this module builds error bodies."""

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
    invalid_field,
)
from billing.log import Log

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

# All documented requests are far smaller. Webhooks have their own limit.
MAX_BODY_BYTES = 64 * 1024

# Default of the Retry-After header, in seconds.
_RETRY_AFTER = 15

# An id in a path, ours or a provider's. "#" is excluded, because it separates the parts of keys.
ID = r"[A-Za-z0-9_.:@/-]{1,128}"
# A user or an erased user's pseudonym. Other ids are excluded, because the Accounts table also has the audit log.
USER_ID = r"(?:usr|erased)_[A-Za-z0-9_.:@/-]{1,120}"

# Error class → (HTTP status, title). The most specific class wins.
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
    """One call. `user_id` and `role` (for admin calls) come from the authorizer; `context` is its whole context.

    `address`: the client's address, if known; only for rate limits, never stored or logged.
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
        """The query. Raises `InvalidRequest` for any other parameter, so that a typing error is not ignored."""
        unknown = sorted(self.query.keys() - set(names))
        if unknown:
            message = f"not a parameter of this call: {', '.join(names)}"
            raise InvalidRequest(
                "the query is not of the documented shape", errors=[{"path": n, "message": message} for n in unknown]
            )
        return self.query

    def own_user(self, user_id: str | None = None) -> str:
        """The caller's id. Raises `NotAllowed` if the request's `user_id` is another."""
        if not self.user_id:
            raise NotAuthenticated("this call needs a signed-in user")
        if user_id is not None and user_id != self.user_id:
            raise NotAllowed("user_id must be your own, or be left out")
        return self.user_id

    def queried_user(self) -> str:
        """As `own_user`, for a call whose only query parameter is `user_id`."""
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

    Calls below /admin/ need a sufficient role from the authorizer, whatever the template says. A `BillingError` becomes
    a problem document. Any other exception fails the invocation: the caller gets a bare 500, and the error metric and
    its alarm notice it.
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
    """A CSV table as a download."""
    kind = {"content-type": "text/csv; charset=utf-8"}
    return Response(text, headers={**kind, "content-disposition": f'attachment; filename="{name}"'})


def is_admin_route(route_key: str) -> bool:
    """Whether a route such as "GET /admin/plans" is below /admin/."""
    return route_key.partition(" ")[2].startswith("/admin/")


def request_from(event: Mapping[str, Any], *, max_body: int = MAX_BODY_BYTES) -> Request:
    """Raises `NotAllowed` for a call that bypasses our CloudFront, `RequestTooLarge`, or `InvalidRequest`."""
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
    """The regular expression that a path parameter must match entirely."""
    return USER_ID if name == "user_id" else ID


def _path(parameters: Mapping[str, str]) -> Mapping[str, str]:
    faults = [name for name, value in parameters.items() if not re.fullmatch(path_pattern(name), value)]
    if faults:
        user, other = "a user's id, such as usr_5f…", "letters, digits and _.:@/- alone, at most 128"
        errors = [{"path": name, "message": user if name == "user_id" else other} for name in faults]
        raise InvalidRequest("a value in the path has the wrong form", errors=errors)
    return parameters


def chosen(query: Mapping[str, str], name: str, *words: str) -> str:
    """A query parameter that is one of `words`; default: the first. Raises `InvalidRequest`."""
    word = query.get(name, words[0])
    if word not in words:
        raise invalid_field(name, f"one of {', '.join(words)}", f"{name} has a value that is not known")
    return word


def seconds(query: Mapping[str, str], name: str, default: int) -> int:
    """A time in the query, in Unix seconds. Raises `InvalidRequest`."""
    text = query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise invalid_field(name, "Unix seconds", f"{name} is not a time")
    return int(text)


def problem(error: BillingError) -> Response:
    """A problem document (RFC 9457) with the error's `code` and extensions."""
    status, title = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    body = {"type": f"urn:bitsleuth:{error.code}", "title": title, "status": status, "code": error.code}
    headers = {"content-type": "application/problem+json"}
    if status in (429, 503):  # the same call may succeed later
        headers["retry-after"] = str(error.extensions.get("retry_after", _RETRY_AFTER))
    return Response({**body, "detail": error.detail, **error.extensions}, status, headers)


# Default headers: no content sniffing, and no caching of personal data.
_HEADERS = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


def to_gateway(response: Response) -> dict[str, Any]:
    body = response.body
    return {
        "statusCode": response.status,
        "headers": {**_HEADERS, **response.headers},
        "body": "" if body is None else body if isinstance(body, str) else json.dumps(body, separators=(",", ":")),
    }


def cacheable(request: Request, content: Mapping[str, Any], max_age: int, **unstable: object) -> Response:
    """A public answer whose ETag covers `content` without the `unstable` members; 304 if the caller has it."""
    tag = f'"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}"'
    headers = {"cache-control": f"public, max-age={max_age}", "etag": tag}
    return unless_known(request, tag, lambda: {**content, **unstable}, headers)


def unless_known(
    request: Request, tag: str, body: Callable[[], Mapping[str, Any] | str], headers: Mapping[str, str] | None = None
) -> Response:
    """304 if the caller's If-None-Match contains `tag`; else the body, which is only computed then."""
    tagged = {"etag": tag, **(headers or {})}
    tags = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return Response(None, 304, tagged) if tag in tags else Response(body(), headers=tagged)


def wants_csv(query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Whether `?format=csv` or the Accept header asks for CSV. Raises `InvalidRequest` for another format."""
    by_header = "csv" if "text/csv" in headers.get("accept", "") else "json"
    return chosen({"format": by_header, **query}, "format", "json", "csv") == "csv"
