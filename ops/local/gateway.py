"""The HTTP API: serves the routes, authorizers and CORS of the processed template by invoking the functions directly.

The emulator's own gateway is not used: it drops the API's definition, and handles errors, cookies and CORS unlike AWS.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from .authorizer import Authorizer, Refused
from .host import EngineError
from .intrinsics import ACCOUNT, Intrinsics
from .stack import Stack
from .supervisor import FunctionConfig
from .worker import Outcome

LARGEST_BODY = 10 * 1024 * 1024
_TEXT = re.compile(r"text/|application/(.*\+)?(json|xml)|application/javascript")
Invoke = Callable[[str, bytes], Outcome]


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `key` as in the template (`GET /plans/{id}`), `function` is a logical id."""

    key: str
    function: str
    authorizer: Authorizer | None
    pattern: re.Pattern[str]

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """API Gateway's order: a full match before a greedy one, fewer variables first, a method before ANY."""
        return "+}" in self.key, self.key.count("{"), self.key.startswith("ANY ")


class Gateway:
    """The HTTP API of the stack. `invoke` runs a function by logical id."""

    def __init__(self, stack: Stack, functions: list[FunctionConfig], invoke: Invoke) -> None:
        self._invoke = invoke
        self._logical_ids = {function.arn: function.logical_id for function in functions}
        self._cors: dict[str, Any] = {}
        self._api_id = "none"
        self.routes: dict[str, Route] = {}
        intrinsics = Intrinsics(stack, functions)
        apis = stack.of_type("AWS::ApiGatewayV2::Api")
        if len(apis) > 1:
            raise EngineError(f"The local engine serves one HTTP API; the template has {', '.join(apis)}")
        for logical_id, properties in apis.items():
            self._api_id = stack.resources[logical_id]
            self._read(properties["Body"], intrinsics)

    def _read(self, body: dict[str, Any], intrinsics: Intrinsics) -> None:
        schemes = body.get("components", {}).get("securitySchemes", {})
        authorizers = {name: self._authorizer(name, scheme, intrinsics) for name, scheme in schemes.items()}
        self._cors = intrinsics.resolve(body.get("x-amazon-apigateway-cors", {}))
        if not isinstance(self._cors, dict) or not isinstance(self._cors.get("allowOrigins", []), list):
            raise EngineError("The API's AllowOrigins must be a list: SAM turns a list parameter there into one string")
        for path, methods in intrinsics.resolve(body["paths"]).items():
            for method, operation in methods.items():
                name = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                function = self._target(operation["x-amazon-apigateway-integration"]["uri"])
                required = {scheme for entry in operation.get("security", []) for scheme in entry} - {"NONE"}
                authorizer = authorizers[required.pop()] if required else None
                route = Route(f"{name} {path}", function, authorizer, _pattern(path))
                self.routes[route.key] = route
        self._ordered = sorted(self.routes.values(), key=lambda route: route.rank)

    def _authorizer(self, name: str, scheme: dict[str, Any], intrinsics: Intrinsics) -> Authorizer:
        definition = scheme.get("x-amazon-apigateway-authorizer", {})
        if definition.get("type") != "request" or not definition.get("enableSimpleResponses"):
            raise EngineError(
                f"Authorizer {name}: the local engine supports only request authorizers with simple responses"
            )
        function = self._target(intrinsics.resolve(definition["authorizerUri"]))
        ttl = int(definition.get("authorizerResultTtlInSeconds", 300))
        return Authorizer(name, definition.get("identitySource", []), ttl, partial(self._invoke, function))

    def _target(self, uri: str) -> str:
        arn = uri.split("/functions/")[-1].removesuffix("/invocations")
        if arn not in self._logical_ids:
            raise EngineError(f"The HTTP API calls {arn}, which the stack does not have")
        return self._logical_ids[arn]

    def answer(self, request: Request) -> Response:
        """Answers one request as API Gateway would."""
        if self._cors and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = Response(status=204)
            self._allow(request, response, preflight=True)
            return response
        request_id = str(uuid.uuid4())
        try:
            response = self._respond(request, request_id)
        except Refused as refusal:
            response = _message(refusal.status, refusal.message)
        response.headers["apigw-requestid"] = request_id
        self._allow(request, response)
        return response

    def _respond(self, request: Request, request_id: str) -> Response:
        route, variables = self._match(request.method, request.path)
        if (request.content_length or 0) > LARGEST_BODY:
            raise Refused(413, "Request Entity Too Large")
        event = self._event(request, route, variables, request_id)
        if route.authorizer:
            event["requestContext"]["authorizer"] = {"lambda": route.authorizer.authorize(event)}
        outcome = self._invoke(route.function, json.dumps(event).encode())
        if outcome.failed:
            raise Refused(500, "Internal Server Error")
        return _response(json.loads(outcome.payload))

    def _match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for route in self._ordered:
            match = route.pattern.fullmatch(path)
            if match and route.key.split()[0] in {method, "ANY"}:
                return route, match.groupdict()
        raise Refused(404, "Not Found")

    def _event(self, request: Request, route: Route, variables: dict[str, str], request_id: str) -> dict[str, Any]:
        """The request in payload format 2.0: repeated headers and parameters joined by commas, cookies in a list."""
        headers: dict[str, str] = {}
        for name, value in request.headers:
            headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
        cookies = headers.pop("cookie", None)
        query: dict[str, str] = {}
        raw_query = request.query_string.decode()
        for name, value in parse_qsl(raw_query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        now = time.time()
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": request.path,
            "rawQueryString": raw_query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": self._api_id,
                "domainName": request.host,
                "domainPrefix": request.host.split(".")[0],
                "http": {
                    "method": request.method,
                    "path": request.path,
                    "protocol": request.environ["SERVER_PROTOCOL"],
                    "sourceIp": request.remote_addr,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": request_id,
                "routeKey": route.key,
                "stage": "$default",
                "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "timeEpoch": int(now * 1000),
            },
            "isBase64Encoded": False,
        }
        if cookies:
            event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
        if query:
            event["queryStringParameters"] = query
        if variables:
            event["pathParameters"] = variables
        if body := request.get_data():
            event["body"], event["isBase64Encoded"] = _encoded(body, headers.get("content-type", ""))
        return event

    def _allow(self, request: Request, response: Response, *, preflight: bool = False) -> None:
        """Adds the API's CORS headers if the origin is allowed; they replace those of the function."""
        origin = request.headers.get("Origin")
        origins = self._cors.get("allowOrigins", [])
        if not origin or not ("*" in origins or origin in origins):
            return
        credentials = self._cors.get("allowCredentials", False)
        response.headers["Access-Control-Allow-Origin"] = origin if credentials or "*" not in origins else "*"
        response.headers["Vary"] = "Origin"
        if credentials:
            response.headers["Access-Control-Allow-Credentials"] = "true"
        names = {"Access-Control-Expose-Headers": "exposeHeaders"}
        if preflight:
            names = {"Access-Control-Allow-Methods": "allowMethods", "Access-Control-Allow-Headers": "allowHeaders"}
            if "maxAge" in self._cors:
                response.headers["Access-Control-Max-Age"] = str(self._cors["maxAge"])
        for header, setting in names.items():
            if self._cors.get(setting):
                response.headers[header] = ",".join(self._cors[setting])


def _pattern(path: str) -> re.Pattern[str]:
    """`/plans/{id}` and `/files/{proxy+}` as regular expressions."""
    parts = re.split(r"\{([\w.-]+\+?)\}", path)
    text = ""
    for literal, variable in zip(parts[::2], [*parts[1::2], ""], strict=True):
        text += re.escape(literal)
        if variable:
            text += f"(?P<{variable.removesuffix('+')}>{'.+' if variable.endswith('+') else '[^/]+'})"
    return re.compile(text)


def _encoded(body: bytes, content_type: str) -> tuple[str, bool]:
    """The body for an event, and whether it is base64: text types stay text, everything else is encoded."""
    if _TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _response(result: Any) -> Response:
    """A function's result as HTTP. Without a `statusCode` the whole result is the JSON body."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return Response(json.dumps(result), 200, mimetype="application/json")
    body = result.get("body") or ""
    if not isinstance(body, str) or not isinstance(result["statusCode"], int):
        raise Refused(500, "Internal Server Error")
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    response = Response(content, result["statusCode"], mimetype="text/plain")
    for name, value in (result.get("headers") or {}).items():
        response.headers[name] = str(value)
    for cookie in result.get("cookies") or []:
        response.headers.add("Set-Cookie", cookie)
    return response


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, mimetype="application/json")
