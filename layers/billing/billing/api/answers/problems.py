"""Error answers."""

from pydantic import BaseModel, ConfigDict

from billing.api.answers.base import Response
from billing.api.answers.gate import SourceView
from billing.rules.entitlements import Scenario
from billing.rules.plans import Interval


class Problem(BaseModel):
    """RFC 9457 with a stable `code`. Further fields depend on the code."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str


class FaultyField(Response):
    path: str
    message: str
    code: str | None = None
    """A stable code for an error in a plan; none for a value of the wrong form."""


class InvalidRequestProblem(Problem):
    errors: list[FaultyField]


class Offer(Response):
    """A plan that would unlock the feature."""

    plan_id: str
    name: str
    price_cents: int
    currency: str
    interval: Interval


class FeatureLockedProblem(Problem):
    feature: str
    scenario: Scenario
    offers: list[Offer]
    upgrade_url: str
    sources: list[SourceView] = []
    """The records that gave it earlier, or would if they were paid."""
