"""Does through the emulator's API what its deployment leaves out, then checks that nothing declared is missing.

Each step can be removed once the emulator does it itself.
"""

from __future__ import annotations

from typing import Any

from .build import Build
from .emulator import Emulator
from .gateway import Gateway
from .host import EngineError
from .stack import PROXY_VARIABLE, Stack
from .supervisor import FunctionConfig


def send_triggers_to(emulator: Emulator, functions: list[FunctionConfig], proxy_url: str) -> None:
    """Makes queue, stream, rule and schedule triggers invoke our supervisor in place of the emulator's executor."""
    client = emulator.client("lambda")
    for function in functions:
        variables = {**function.variables, PROXY_VARIABLE: f"{proxy_url}/{function.name}"}
        client.update_function_configuration(FunctionName=function.name, Environment={"Variables": variables})


def enable_expiry(emulator: Emulator, stack: Stack) -> None:
    """Turns on the time to live that the template declares and the emulator ignores."""
    client = emulator.client("dynamodb")
    for logical_id, properties in stack.of_type("AWS::DynamoDB::Table").items():
        declared = properties.get("TimeToLiveSpecification")
        if declared and _expiry_attribute(client, stack.resources[logical_id]) != declared["AttributeName"]:
            client.update_time_to_live(TableName=stack.resources[logical_id], TimeToLiveSpecification=declared)


def number_limits(emulator: Emulator, stack: Stack) -> None:
    """Sets concurrency limits as numbers: from a parameter they are text, which the emulator cannot compare."""
    client = emulator.client("lambda")
    for logical_id in stack.of_type("AWS::Lambda::EventSourceMapping"):
        mapping = client.get_event_source_mapping(UUID=stack.resources[logical_id])
        limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        if limit is not None:
            scaling = {"MaximumConcurrency": int(limit)}
            client.update_event_source_mapping(UUID=stack.resources[logical_id], ScalingConfig=scaling)


def _expiry_attribute(client: Any, table: str) -> str | None:
    settings = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    attribute: str | None = settings.get("AttributeName")
    return attribute if settings["TimeToLiveStatus"] in {"ENABLED", "ENABLING"} else None


def check(emulator: Emulator, build: Build, stack: Stack, gateway: Gateway) -> None:
    """Raises EngineError that lists every route, authorizer, time to live and trigger declared but not deployed."""
    missing = [
        *_missing_routes(build.read(), gateway),
        *_missing_expiry(emulator, stack),
        *_missing_triggers(emulator, stack),
    ]
    if missing:
        raise EngineError("The deployed stack lacks what the template declares:\n  " + "\n  ".join(missing))


def _missing_routes(source: dict[str, Any], gateway: Gateway) -> list[str]:
    missing = []
    for name, resource in source["Resources"].items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] != "HttpApi":
                continue
            declared = event["Properties"]
            key = f"{declared['Method'].upper()} {declared['Path']}"
            authorizer = declared.get("Auth", {}).get("Authorizer")
            route = gateway.routes.get(key)
            if route is None or route.function != name:
                missing.append(f"route {key} to {name}")
            elif authorizer == "NONE" and route.authorizer:
                missing.append(f"route {key} open to everyone")
            elif authorizer not in (None, "NONE", route.authorizer and route.authorizer.name):
                missing.append(f"authorizer {authorizer} of route {key}")
    return missing


def _missing_expiry(emulator: Emulator, stack: Stack) -> list[str]:
    client = emulator.client("dynamodb")
    return [
        f"time to live of {logical_id}"
        for logical_id, properties in stack.of_type("AWS::DynamoDB::Table").items()
        if properties.get("TimeToLiveSpecification", {}).get("AttributeName")
        != _expiry_attribute(client, stack.resources[logical_id])
    ]


def _missing_triggers(emulator: Emulator, stack: Stack) -> list[str]:
    client = emulator.client("lambda")
    return [
        f"trigger {logical_id}"
        for logical_id in stack.of_type("AWS::Lambda::EventSourceMapping")
        if client.get_event_source_mapping(UUID=stack.resources[logical_id])["State"] != "Enabled"
    ]
