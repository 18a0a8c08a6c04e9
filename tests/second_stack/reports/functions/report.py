"""What another team sells: a report, for those who bought it."""

import os
from typing import Any

from billing.protect import Protection

billing = Protection(os.environ["BILLING_API_URL"])


@billing.requires_feature("tax.enhanced")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"statusCode": 200, "body": "the report"}
