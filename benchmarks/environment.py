"""The environment of a function: its variables and the folders of its code."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
QUEUE = "http://127.0.0.1/queue"

VARIABLES = {
    **dict.fromkeys(
        ("PLANS_TABLE", "ACCOUNTS_TABLE", "PAYMENT_EVENTS_TABLE", "METRICS_TABLE", "EVENT_BUS", "HOST_EVENTS_TABLE"),
        "x",
    ),
    **dict.fromkeys(("PORTAL_URL", "PUBLIC_URL", "MOCK_URL", "BTCPAY_URL"), "http://127.0.0.1"),
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
    "BILLING_PROVIDER_MODE": "mock",
    "BTCPAY_STORE_ID": "x",
    "LIVEMODE": "false",
    "CHANGES_DLQ_URL": QUEUE,
    "HOST_EVENTS_QUEUE_URL": QUEUE,
    "PAYMENT_EVENTS_DLQ_URL": QUEUE,
    "PAYMENT_EVENTS_QUEUE_URL": QUEUE,
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_SERVICE_NAME": "billing",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "STAGE": "test",
    "WALLET_KEY_ARN": "x",
}


def of_a_process(*folders: Path) -> dict[str, str]:
    """The environment of a new interpreter that imports from `folders`, with nothing from the shell but PATH."""
    return {**VARIABLES, "PYTHONPATH": os.pathsep.join(map(str, folders)), "PATH": os.environ.get("PATH", "")}
