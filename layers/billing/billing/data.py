"""Dataclasses whose methods are made when they are first needed: `from billing.data import dataclass, field, replace`.

The standard library makes every method of every class at import, from text, and loads `inspect` to do so: half of what
a function costs to start, for classes most of which an invocation never makes. Here a class has its `__init__` made
when the first of its kind is, and the other methods are shared. What is written is what `dataclasses` documents; its
own functions (`fields`, `asdict`, `replace`) take these classes as well.
"""

import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import MISSING, asdict, dataclass, field, fields, replace
else:
    MISSING = object()

    class Field:
        """One field, as `dataclasses.Field` shows it."""

        __slots__ = ("default", "default_factory", "init", "kw_only", "name", "repr", "type")

        def __init__(self, default: object, default_factory: object, init: bool, repr_: bool) -> None:
            self.default, self.default_factory, self.init, self.repr = default, default_factory, init, repr_
            self.name, self.type, self.kw_only = "", None, False

        @property
        def _field_type(self) -> object:
            """The mark by which the standard library's own functions know a field; they are loaded when they ask."""
            return getattr(sys.modules.get("dataclasses"), "_FIELD", None)

        @property
        def required(self) -> bool:
            return self.default is MISSING and self.default_factory is MISSING

    def field(*, default=MISSING, default_factory=MISSING, init=True, repr=True) -> Any:
        return Field(default, default_factory, init, repr)

    def dataclass(*, frozen: bool = False, slots: bool = False, kw_only: bool = False) -> Callable[[type], type]:
        def decorate(cls: type) -> type:
            assert slots, "without slots a class has no use of this module"
            own = dict(cls.__dict__)
            every = {
                name: base_field
                for base in reversed(cls.__mro__[1:])
                for name, base_field in getattr(base, "__dataclass_fields__", {}).items()
            }
            names = tuple(cls.__annotations__)
            for name in names:
                value = own.pop(name, MISSING)
                own_field = value if isinstance(value, Field) else Field(value, MISSING, True, True)
                own_field.name, own_field.type, own_field.kw_only = name, cls.__annotations__[name], kw_only
                every[name] = own_field
            own.pop("__dict__", None)
            own.pop("__weakref__", None)
            inherited = {name for base in cls.__mro__[1:] for name in getattr(base, "__slots__", ())}
            values = attrgetter(*every) if len(every) > 1 else lambda self: tuple(getattr(self, n) for n in every)
            own |= {
                "__qualname__": cls.__qualname__,
                "__slots__": tuple(name for name in names if name not in inherited),
                "__dataclass_fields__": every,
                "__match_args__": tuple(f.name for f in every.values() if f.init and not f.kw_only),
                "_values": values,
                "__init__": _first_init,
                "__eq__": _eq,
                "__hash__": _hash if frozen else None,
                "__repr__": own.get("__repr__", _repr),
                "__getstate__": _getstate,
                "__setstate__": _setstate,
                "__signature__": _Signature(),
            }
            if frozen:
                own |= {"__setattr__": _frozen, "__delattr__": _frozen}
            return type(cls)(cls.__name__, cls.__bases__, own)

        return decorate

    def _first_init(self, *arguments: object, **named: object) -> None:
        """Makes the class's own `__init__`, which is then called in its place."""
        cls = next(c for c in type(self).__mro__ if c.__dict__.get("__init__") is _first_init)
        cls.__init__ = _made_init(cls)
        self.__init__(*arguments, **named)

    def _made_init(cls: type) -> Callable[..., None]:
        every = cls.__dataclass_fields__.values()
        scope = {"set_": object.__setattr__, "MISSING": MISSING}
        lines = []
        for f in every:
            scope[f"default_{f.name}"], scope[f"make_{f.name}"] = f.default, f.default_factory
            value = f.name if f.init else f"default_{f.name}"
            if f.default_factory is not MISSING:
                value = f"make_{f.name}() if {f.name} is MISSING else {f.name}" if f.init else f"make_{f.name}()"
            lines.append(f" set_(self, {f.name!r}, {value})")
        if hasattr(cls, "__post_init__"):
            lines.append(" self.__post_init__()")
        positional = [_parameter(f) for f in every if f.init and not f.kw_only]
        named = [_parameter(f) for f in every if f.init and f.kw_only]
        parameters = ", ".join(["self", *positional, *(["*", *named] if named else [])])
        exec(f"def __init__({parameters}):\n" + "\n".join(lines or [" pass"]), scope)  # noqa: S102 names of our own fields
        return scope["__init__"]

    def _parameter(f: Field) -> str:
        if f.required:
            return f.name
        return f"{f.name}=MISSING" if f.default_factory is not MISSING else f"{f.name}=default_{f.name}"

    class _Signature:
        """What `inspect.signature` shows of a class before its `__init__` is made."""

        def __get__(self, instance: object, cls: type) -> object:
            import inspect

            kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
            parameters = [
                inspect.Parameter(
                    f.name,
                    kinds[f.kw_only],
                    annotation=f.type,
                    default=inspect.Parameter.empty if f.required else None if f.default is MISSING else f.default,
                )
                for f in cls.__dataclass_fields__.values()
                if f.init
            ]
            return inspect.Signature(sorted(parameters, key=lambda parameter: parameter.kind))

    def _eq(self, other: object) -> bool:
        if self is other:
            return True
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self.__class__._values(self) == other.__class__._values(other)

    def _hash(self) -> int:
        return hash(self.__class__._values(self))

    def _repr(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in self.__dataclass_fields__.values() if f.repr)
        return f"{self.__class__.__qualname__}({', '.join(shown)})"

    def _frozen(self, name: str, value: object = None) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _getstate(self) -> list[object]:
        return [getattr(self, name) for name in self.__dataclass_fields__]

    def _setstate(self, state: Iterable[object]) -> None:
        for name, value in zip(self.__dataclass_fields__, state, strict=True):
            object.__setattr__(self, name, value)

    def replace(instance: Any, /, **changes: object) -> Any:
        """The same, with other values in these fields."""
        for f in instance.__dataclass_fields__.values():
            if f.init and f.name not in changes:
                changes[f.name] = getattr(instance, f.name)
        return instance.__class__(**changes)

    def fields(of: Any) -> tuple[Field, ...]:
        return tuple(of.__dataclass_fields__.values())

    def asdict(instance: Any) -> dict[str, Any]:
        """The fields by name, those of what they hold as well."""
        return {name: _plain(getattr(instance, name)) for name in instance.__dataclass_fields__}

    def _plain(value: object) -> object:
        if hasattr(value, "__dataclass_fields__"):
            return asdict(value)
        if isinstance(value, dict):
            return {_plain(key): _plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(map(_plain, value))
        return value


__all__ = ["MISSING", "asdict", "dataclass", "field", "fields", "replace"]
