"""Shared by all answers.

Times are RFC 3339 strings in UTC (`2026-11-22T21:00:00Z`); amounts integers in the minor unit.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from billing.rules.plans import Interval

Time = str


FeatureJson = bool | int | dict[str, int | str]


class Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlanNamed(Response):
    plan_id: str
    plan_name: str
    interval: Interval


class Empty(Response):
    """An answer without a body."""


Json = dict[str, Any]
