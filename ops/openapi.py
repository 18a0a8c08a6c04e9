"""Writes docs/openapi.json from the routes and their models: `python -m ops.openapi` (a test fails on drift)."""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "billing"))

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from billing.api.answers.problems import FeatureLockedProblem, InvalidRequestProblem, Problem
from billing.api.http import path_pattern
from billing.api.route import Route
from billing.api.routes import ROUTES

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
ERRORS = {
    400: "The request is not of the documented shape",
    401: "No valid token",
    402: "The feature is locked",
    403: "The caller may not do this",
    404: "Not found",
    409: "The request contradicts the current state",
    413: "The request is too large",
    429: "Too many requests",
    500: "An error of the service",
    502: "The payment provider refused",
    503: "The payment provider did not answer",
}
EVERY_CALL = (400, 413, 429, 500)
PROBLEMS: dict[int, type[BaseModel]] = {400: InvalidRequestProblem, 402: FeatureLockedProblem}
REF = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, with every key in a stable order."""
    routes = ROUTES
    models: set[type[BaseModel]] = {Problem, *PROBLEMS.values()}
    models |= {model for route in routes for model in (route.request, route.response) if model}
    wanted = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in wanted], ref_template=REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BitSleuth Billing",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Amounts are integers in the currency's minor unit; times are RFC 3339 in UTC. "
            "Errors are problem documents (RFC 9457) with a stable `code`. API Gateway's own errors are "
            '`{"message": …}` with the same status: an unknown path, a missing or invalid token, too many requests, an '
            "internal error.",
        },
        "servers": [{"url": "/"}],
        "paths": _paths(routes),
        "components": {
            "schemas": _without_titles(dict(sorted(schemas["$defs"].items()))),
            "securitySchemes": {
                "user": {"type": "http", "scheme": "bearer", "description": "A session token"},
                "admin": {"type": "http", "scheme": "bearer", "description": "A token of an administrator"},
            },
        },
    }


def _without_titles(schema: Any) -> Any:
    """Removes the titles that Pydantic derives from property names. A property called `title` stays."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(part) for key, part in schema.items() if key != "title" or isinstance(part, dict)}


def _paths(routes: tuple[Route, ...]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return dict(sorted(paths.items()))


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.path.split("/")[1].strip(".")],
        "responses": _answers(route),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _id_in_path(name)}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ] + [{"name": name, "in": "query", "schema": {"type": "string", "maxLength": 200}} for name in route.query]
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        body = {"schema": {"$ref": REF.format(model=route.request.__name__)}}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    if route.auth != "none":
        operation["security"] = [{route.auth: []}]
    if route.role is not None:
        operation["x-role"] = route.role
    return operation


def _id_in_path(name: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": 128, "pattern": f"^{path_pattern(name)}$"}


def _operation_id(route: Route) -> str:
    """GET /admin/plans/{plan_id} -> get_admin_plans_plan_id."""
    return f"{route.method.lower()}_" + "_".join(re.findall(r"[a-z0-9_]+", route.path.replace("-", "_")))


def _answers(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": REF.format(model=route.response.__name__)}}}
    if "format" in route.query:
        content["text/csv"] = {"schema": {"type": "string"}}
    if route.text:
        content = {route.text: {"schema": {"type": "string"}}}
    done: dict[str, Any] = {"description": "Done"} | ({} if route.status == 204 else {"content": content})
    answers: dict[str, Any] = {str(route.status): done}
    statuses = {*EVERY_CALL, *route.errors, *(() if route.auth == "none" else (401, 403))}
    for status in sorted(statuses):
        model = PROBLEMS.get(status, Problem)
        problem = {"schema": {"$ref": REF.format(model=model.__name__)}}
        answers[str(status)] = {"description": ERRORS[status], "content": {"application/problem+json": problem}}
    return answers


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text())
    print(f"wrote {DOCUMENT.relative_to(Path.cwd()) if DOCUMENT.is_relative_to(Path.cwd()) else DOCUMENT}")
