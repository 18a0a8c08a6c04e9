"""The Accounts stream's consumer: committed changes become domain events on the bus."""

import os
from typing import Any

from aws_lambda_powertools import Logger

from billing.aws import Aws
from billing.changes import publish
from billing.settings import Settings

aws = Aws("events")
settings = Settings(os.environ, aws.fetch_secret)
bus = settings.required("EVENT_BUS")
logger = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return publish(aws, bus, event["Records"], logger)
