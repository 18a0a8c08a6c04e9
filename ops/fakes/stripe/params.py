"""Checks form-encoded requests against the typed parameters of Stripe's SDK; unknown or mistyped fields are refused.

Values are converted to their types (integers, booleans). Where the SDK types a parameter as "one of these words, or any
string", only the words are accepted, so that a typo fails here and not at Stripe.
"""

import functools
import sys
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Union, get_args, get_origin

import stripe
import typing_extensions

_CALL_OPTIONS = frozenset(stripe.RequestOptions.__annotations__)


class BadParam(Exception):
    """A parameter that Stripe would refuse with 400; `param` is its path."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def decode(pairs: Mapping[str, str]) -> dict[str, Any]:
    """items[0][price]=p&metadata[a]=b -> {"items": {"0": {"price": "p"}}, "metadata": {"a": "b"}}."""
    root: dict[str, Any] = {}
    for name, value in pairs.items():
        first, *rest = name.replace("]", "").split("[")
        here, key = root, first
        for part in rest:
            here, key = here.setdefault(key, {}), part
        here[key] = value
    return root


def typed(params: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    """The parameters converted to the types of the SDK's TypedDict `shape`. Raises `BadParam`."""
    value: dict[str, Any] = _typed_dict(params, shape, "")
    return value


@functools.cache
def _hints(shape: Any) -> dict[str, Any]:
    # Inherited annotations refer to names of the module that defines them.
    modules = [sys.modules[m] for m in (stripe.RequestOptions.__module__, shape.__module__)]
    names = {"StripeContext": stripe.StripeContext, **{k: v for m in modules for k, v in vars(m).items()}}
    return typing_extensions.get_type_hints(shape, localns=names, include_extras=True)


def _typed_dict(value: Any, shape: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise BadParam(f"Invalid object: {path}", path)
    hints = {k: v for k, v in _hints(shape).items() if path or k not in _CALL_OPTIONS}
    for name in shape.__required_keys__ & hints.keys() - value.keys():
        raise BadParam(f"Missing required param: {_join(path, name)}.", _join(path, name))
    result = {}
    for name, inner in value.items():
        if name not in hints:
            raise BadParam(f"Received unknown parameter: {_join(path, name)}", _join(path, name))
        result[name] = _value(inner, hints[name], _join(path, name))
    return result


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _value(value: Any, hint: Any, path: str) -> Any:
    origin = get_origin(hint)
    if origin in (typing_extensions.NotRequired, typing_extensions.Required, typing.NotRequired, typing.Required):
        return _value(value, get_args(hint)[0], path)
    if origin in (Union, types.UnionType):
        return _union(value, get_args(hint), path)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise BadParam(f"Invalid {path}: must be one of {', '.join(map(str, get_args(hint)))}", path)
    if origin is list:
        if not isinstance(value, Mapping):
            raise BadParam(f"Invalid array: {path}", path)
        return [_value(v, get_args(hint)[0], _join(path, k)) for k, v in value.items()]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise BadParam(f"Invalid hash: {path}", path)
        return {k: _value(v, get_args(hint)[1], _join(path, k)) for k, v in value.items()}
    if typing_extensions.is_typeddict(hint):
        return _typed_dict(value, hint, path)
    return _scalar(value, hint, path)


def _union(value: Any, options: tuple[Any, ...], path: str) -> Any:
    words = [o for o in options if get_origin(o) is Literal and any(get_args(o))]
    # The SDK writes "Literal[...] | str" to allow future words; only the literals are accepted here.
    tried = [o for o in options if not (o is str and words)]
    for option in sorted(tried, key=lambda o: o is str):
        try:
            return _value(value, option, path)
        except BadParam as wrong:
            last = wrong
    raise last


def _scalar(value: Any, hint: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        raise BadParam(f"Invalid {path}: a {getattr(hint, '__name__', hint)} is expected", path)
    try:
        if hint is bool:
            return {"true": True, "false": False}[value]
        if hint is int:
            return int(value)
        if hint in (float, Decimal):
            return Decimal(value)
    except (KeyError, ValueError, InvalidOperation):
        raise BadParam(f"Invalid {getattr(hint, '__name__', hint)}: {value}", path) from None
    if hint is str:
        return value
    raise BadParam(f"Invalid {path}", path)
