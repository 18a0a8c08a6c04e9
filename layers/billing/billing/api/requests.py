"""Field types and bodies shared by the requests of buyers and admins.

Unknown fields, wrong types and oversize values are refused; every text has a maximum length.
"""

import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from billing.providers import PROVIDERS


def _one_line(text: str) -> str:
    """Refuses invisible characters: control and format characters, line breaks, direction marks."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("one line of visible characters, without control or direction marks")
    return text


Visible = AfterValidator(_one_line)
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:@/-]+$")]
PlanId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
FeatureKey = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.:-]*$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
IdempotencyKey = Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=500), Visible]
UnixTime = Annotated[int, Field(ge=0, le=4_102_444_800, description="Unix seconds, UTC")]
if TYPE_CHECKING:
    ProviderName = str
else:
    ProviderName = Literal[tuple(PROVIDERS)]


class RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ChangeSubscription(RequestBody):
    preview_id: Annotated[str, Field(min_length=1, max_length=2000)]


CancelReason = Literal[
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
]
