"""Resolves CloudFormation's intrinsic functions in a processed template, as far as an API definition uses them."""

from __future__ import annotations

import re
from typing import Any

from .emulator import REGION
from .host import EngineError
from .stack import Stack
from .supervisor import FunctionConfig

ACCOUNT = "000000000000"


class Intrinsics:
    """The values of one stack. Raises EngineError for what it cannot resolve."""

    def __init__(self, stack: Stack, functions: list[FunctionConfig]) -> None:
        self._stack = stack
        self._conditions: dict[str, Any] = stack.template.get("Conditions", {})
        self._mappings: dict[str, Any] = stack.template.get("Mappings", {})
        pseudo = {
            "Partition": "aws",
            "Region": REGION,
            "AccountId": ACCOUNT,
            "StackName": stack.name,
            "URLSuffix": "local",
        }
        self._names: dict[str, str] = {
            **{f"AWS::{name}": value for name, value in pseudo.items()},
            **stack.resources,
            **stack.parameters,
            **{f"{function.logical_id}.Arn": function.arn for function in functions},
        }

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced by its value."""
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        return self._lookup(name)

    def _lookup(self, name: str) -> str:
        try:
            return self._names[name]
        except KeyError:
            raise EngineError(f"The local engine cannot resolve {name} in the template's API definition") from None

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "GetAtt", [str(resource), str(attribute)]:
                return self._lookup(f"{resource}.{attribute}")
            case "GetAtt", str(path):
                return self._lookup(path)
            case "Sub", [str(text), dict(variables)]:
                return self._substitute(text, self.resolve(variables))
            case "Sub", str(text):
                return self._substitute(text, {})
            case "If", [condition, then, otherwise]:
                return self.resolve(then if self._holds({"Condition": condition}) else otherwise)
            case "Join", [str(separator), parts]:
                return separator.join(self.resolve(parts))
            case "Split", [str(separator), text]:
                return self.resolve(text).split(separator)
            case "Select", [index, items]:
                return self.resolve(items)[int(index)]
            case "ImportValue", name:
                return self._stack.exports[self.resolve(name)]
            case "FindInMap", [name, first, second]:
                return self._mappings[name][self.resolve(first)][self.resolve(second)]
        raise EngineError(f"The local engine does not know Fn::{function} in an API definition")

    def _substitute(self, text: str, variables: dict[str, str]) -> str:
        return re.sub(r"\$\{([^!}]+)\}", lambda match: variables.get(match[1]) or self._lookup(match[1]), text)

    def _holds(self, condition: Any) -> bool:
        [(name, argument)] = condition.items()
        match name:
            case "Condition":
                return self._holds(self._conditions[argument])
            case "Fn::Equals":
                first, second = self.resolve(argument)
                return bool(first == second)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(map(self._holds, argument))
            case "Fn::Or":
                return any(map(self._holds, argument))
        raise EngineError(f"The local engine does not know the condition {name}")


_NO_VALUE = object()
