"""Our dataclasses are the standard library's, but for when their methods are made."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from billing import data
from billing.rules import facts, records

ROOT = __file__.rpartition("/tests/")[0]


def made_by(module: Any) -> tuple[type, type]:
    """The same two classes, by the standard library or by ours."""
    dataclass, field = module.dataclass, module.field

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        name: str
        amount: int = 7
        tags: Mapping[str, int] = field(default_factory=dict)

        @property
        def label(self) -> str:
            return f"{self.name}:{self.amount}"

    @dataclass(frozen=True, slots=True)
    class More(Base):
        first: int
        second: tuple[int, ...] = ()
        index: dict[str, int] = field(init=False, repr=False, default_factory=dict)

        def __post_init__(self) -> None:
            self.index["first"] = self.first

    return Base, More


OURS, THEIRS = made_by(data), made_by(dataclasses)


def test_a_class_is_made_compared_shown_and_copied_alike() -> None:
    for ours, theirs in zip(OURS, THEIRS, strict=True):
        expected = str(inspect.signature(theirs)).removesuffix(" -> None").replace("= <factory>", "= None")
        assert str(inspect.signature(ours)) == expected
    shown = []
    for base, more in (OURS, THEIRS):
        one, same, other = more(1, name="a"), more(1, (), name="a"), more(2, (3,), name="a", amount=9, tags={"x": 1})
        assert (one == same, one == other, one == base(name="a"), one != other) == (True, False, False, True)
        assert (other.first, other.second, other.name, other.amount, other.index) == (2, (3,), "a", 9, {"first": 2})
        assert one.tags is not same.tags
        assert other.label == "a:9"
        changed = data.replace(other, second=(4,), name="b")
        assert changed == dataclasses.replace(other, second=(4,), name="b")
        assert dataclasses.asdict(changed) == data.asdict(changed)
        assert [f.name for f in dataclasses.fields(changed)] == [f.name for f in data.fields(changed)]
        assert copy.copy(other) == copy.deepcopy(other) == other
        shown.append((repr(other), data.asdict(other), more.__match_args__, more.__slots__, base.__slots__))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("wrong", [(), (1, 2, 3, 4), ("a", {"amount": 1})], ids=str)
def test_what_a_class_refuses_it_refuses_alike(wrong: tuple[Any, ...]) -> None:
    for _, more in (OURS, THEIRS):
        with pytest.raises(TypeError):
            more(*wrong)
        with pytest.raises(TypeError):
            more(1, name="a", unknown=1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            more(1, name="a").first = 2
        with pytest.raises((AttributeError, TypeError)):
            more(1, name="a").unheard_of = 2


def test_hashes_follow_equality_and_the_real_records_survive_a_pickle() -> None:
    one = records.Grant(grant_id="g", features={}, granted_by="usr_admin", reason="r", granted_at=1)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 our own
    assert {facts.Ref("payment", "x")} == {facts.Ref("payment", "x")}
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_neither_the_rules_nor_the_store_load_what_makes_methods_from_text() -> None:
    code = (
        "import sys, billing.store.accounts, billing.rules.apply; print({'dataclasses', 'inspect'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=f"{ROOT}/layers/billing", capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
