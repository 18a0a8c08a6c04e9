"""Every documented call, with whatever Schemathesis thinks of: never a fault of ours, always an answer as documented.

Half of the requests are made to fit docs/openapi.json, half to break it. A longer run:
FUZZ=200 make unit ARGS="-k fuzz".
"""

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from schemathesis.core.failures import FailureGroup

from billing.api.route import Route
from billing.api.routes import ROUTES
from samples import PLUS, USER
from tests.functions.conftest import Cloud

SCHEMA = schemathesis.openapi.from_path(Path(__file__).parents[2] / "docs" / "openapi.json")
OPERATIONS = {found.label: found for found in (result.ok() for result in SCHEMA.get_all_operations())}
CONFORMS = [status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = int(os.environ.get("FUZZ", "3"))  # of each sort, for each call
# Ids that exist, so that calls get past "not found".
KNOWN = {"user_id": USER, "plan_id": PLUS.plan_id, "feature": "ai.chat", "group": PLUS.group, "provider": "mock"}
FUZZED = settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize=EXAMPLES < 50,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def functions(cloud: Cloud, load: Callable[[str], ModuleType]) -> Callable[[str], Any]:
    """The handler of a function, loaded once."""
    cloud.seed_plans()
    modules: dict[str, ModuleType] = {}

    def handler(name: str) -> Any:
        if name not in modules:
            modules[name] = load(name)
        return modules[name].handler

    return handler


@pytest.mark.sweep
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "breaking"])
def test_fuzzed_calls_are_answered_as_documented(functions: Callable[[str], Any], mode: GenerationMode) -> None:
    found: list[str] = []
    for route in ROUTES:
        operation = OPERATIONS[f"{route.method} {route.path}"]
        for known in ({}, KNOWN) if "{" in route.path else ({},):
            names = {name: value for name, value in known.items() if f"{{{name}}}" in route.path}

            cases = operation.as_strategy(generation_mode=mode, path_parameters=names or None)
            try:
                FUZZED(given(cases)(asking(route, functions(route.function))))()
            except Unsatisfiable:
                continue  # it takes nothing that could be broken
            except (Exception, FailureGroup) as failure:  # noqa: BLE001 one call that fails must not hide the others
                found.append(f"{route.method} {route.path}: {type(failure).__name__}: {failure}")
    assert not found, "\n\n".join(found)


def test_no_call_takes_a_field_that_is_not_documented(functions: Callable[[str], Any]) -> None:
    for route in ROUTES:
        if route.request is not None and route.path != "/auth/nostr":  # that one looks at the signature first
            names = {named: KNOWN.get(named, "x") for named in re.findall(r"\{(\w+)\}", route.path)}
            operation = OPERATIONS[f"{route.method} {route.path}"]
            event = event_of(operation.Case(path_parameters=names, body={"surprise": 1}), route)
            answer = functions(route.function)(event, None)
            faults = json.loads(answer["body"]).get("errors", answer["body"])
            assert answer["statusCode"] == 400, (route, faults)
            assert "surprise" in [fault["path"] for fault in faults], route


def asking(route: Route, handler: Any) -> Callable[[Case], None]:
    def ask(case: Case) -> None:
        case.validate_response(answer_to(case, route, handler), checks=CONFORMS)

    return ask


def answer_to(case: Case, route: Route, handler: Any) -> schemathesis.Response:
    """What the function answers. A fault of it propagates: API Gateway would make a 500 of it."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url="https://billing.example")).prepare()
    answer = handler(event_of(case, route), None)
    return schemathesis.Response(
        status_code=answer["statusCode"],
        headers={name: [str(value)] for name, value in answer["headers"].items()},
        content=(answer["body"] or "").encode(),
        request=prepared,
        elapsed=0.0,
        verify=False,
    )


def event_of(case: Case, route: Route) -> dict[str, Any]:
    """The request as API Gateway hands it over (payload 2.0), behind an authorizer that said yes."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url="https://billing.example")).prepare()
    path, _, query = str(prepared.path_url).partition("?")
    named = re.fullmatch(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(route.path)), path)
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
    return {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": {k: ",".join(v) for k, v in parse_qs(query, keep_blank_values=True).items()},
        "pathParameters": {name: unquote(value) for name, value in named.groupdict().items()} if named else {},
        "headers": {name.lower(): str(value) for name, value in prepared.headers.items()},
        "requestContext": {
            "http": {"method": route.method, "path": path, "sourceIp": "203.0.113.7"},
            "requestId": "fuzz",
            "authorizer": {"lambda": {"user_id": USER, "role": route.role or ""}},
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
