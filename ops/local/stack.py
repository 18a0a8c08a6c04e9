"""Deploys the build with `sam deploy` and reads back the stack: outputs, resources, functions, processed template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from botocore.exceptions import ClientError

from .build import Build
from .emulator import CREDENTIALS, Emulator
from .host import run
from .supervisor import FunctionConfig

NAME = "billing"
BUCKET = "deployments"
PROXY_VARIABLE = "MINISTACK_LAMBDA_PROXY_URL"


def deploy(
    emulator: Emulator,
    build: Build,
    parameters: Mapping[str, str],
    name: str = NAME,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Deploys this build with these parameters, after calling `before`; does nothing if the stack is up to date."""
    inputs = json.dumps([build.digest, emulator.endpoint_url, dict(parameters)])
    wanted = hashlib.sha256(inputs.encode()).hexdigest()[:40]
    if _deployed(emulator, name) == wanted:
        return
    before()
    emulator.client("s3").create_bucket(Bucket=BUCKET)
    options = ["--stack-name", name, "--s3-bucket", BUCKET, "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    options += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--tags", f"inputs={wanted}"]
    if parameters:
        options += ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in parameters.items())]
    # As JSON: sam reads the template seven times, and each time takes a second for YAML.
    with NamedTemporaryFile("w", dir=build.template.parent, suffix=".json") as template:
        json.dump(with_defaults(build.read(), parameters), template)
        template.flush()
        run(
            ["sam", "deploy", "--template-file", template.name, *options],
            cwd=build.template.parent,
            environment={
                **CREDENTIALS,
                "AWS_ENDPOINT_URL": emulator.endpoint_url,
                "SAM_CLI_TELEMETRY": "0",
                "SAM_CLI_POLL_DELAY": "0.1",
            },
        )


def with_defaults(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Sets the values as defaults too: the emulator's SAM transform uses the defaults, AWS's uses the given values."""
    declared = template.get("Parameters", {})
    for name in parameters.keys() & {name for name in declared if "Default" in declared[name]}:
        declared[name]["Default"] = parameters[name]
    return template


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _deployed(emulator: Emulator, name: str) -> str | None:
    """The hash of inputs in the stack's tag, written by `deploy`; None if there is no complete stack."""
    try:
        stack = emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return None
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return None
    return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == "inputs"), None)


class Stack:
    """The deployed stack. `template` is CloudFormation's processed template, after SAM's transform.

    `layers`: folders, by ARN, of the layers that it may import from another stack.
    """

    def __init__(
        self, emulator: Emulator, build: Build, name: str = NAME, layers: Mapping[str, Path] | None = None
    ) -> None:
        cloudformation = emulator.client("cloudformation")
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        self._emulator = emulator
        self._build = build
        self._imported = layers or {}
        self.name = name
        self.template: dict[str, Any] = cloudformation.get_template(StackName=name, TemplateStage="Processed")[
            "TemplateBody"
        ]
        self.outputs: dict[str, str] = {
            output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
        }
        self.resources: dict[str, str] = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources
        }
        self.parameters: dict[str, str] = {
            item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Logical id → properties of every deployed resource of a type."""
        return {
            logical_id: resource.get("Properties", {})
            for logical_id, resource in self.template["Resources"].items()
            if resource["Type"] == kind and logical_id in self.resources
        }

    @property
    def exports(self) -> dict[str, str]:
        """The exports of all stacks in the account, by name."""
        exports = self._emulator.client("cloudformation").list_exports()["Exports"]
        return {export["Name"]: export["Value"] for export in exports}

    @property
    def layers(self) -> dict[str, Path]:
        """The folders of this stack's layers, by ARN."""
        layers = self.of_type("AWS::Lambda::LayerVersion")
        return {self.resources[logical_id]: self._build.artifact(_source(logical_id)) for logical_id in layers}

    def _layer(self, layer: Mapping[str, Any], arn: str) -> Path:
        """The folder of a layer of this template or, by its ARN, of another stack."""
        ours = layer.get("Ref") in self.of_type("AWS::Lambda::LayerVersion")
        return self._build.artifact(_source(layer["Ref"])) if ours else self._imported[arn]

    def functions(self) -> list[FunctionConfig]:
        """Every function, with its configuration in Lambda and the folders of its code and layers."""
        client = self._emulator.client("lambda")
        configs = []
        for logical_id, properties in self.of_type("AWS::Lambda::Function").items():
            config = client.get_function_configuration(FunctionName=self.resources[logical_id])
            variables = dict(config.get("Environment", {}).get("Variables", {}))
            variables.pop(PROXY_VARIABLE, None)
            configs.append(
                FunctionConfig(
                    logical_id=logical_id,
                    name=config["FunctionName"],
                    arn=config["FunctionArn"],
                    handler=config["Handler"],
                    role=config["Role"],
                    timeout=config["Timeout"],
                    memory=config["MemorySize"],
                    variables=variables,
                    code=self._build.artifact(logical_id),
                    layers=tuple(
                        self._layer(layer, attached["Arn"])
                        for layer, attached in zip(properties.get("Layers", []), config.get("Layers", []), strict=False)
                    ),
                )
            )
        return configs


def _source(layer_version: str) -> str:
    """The layer's name in our template: SAM appends ten hash digits so that each version is its own resource."""
    return layer_version[:-10]
