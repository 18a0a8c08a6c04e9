"""The stack that a command works on: its tables, queues and settings, read from CloudFormation."""

import getpass
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from billing.aws import AwsError
from billing.rules.history import By
from billing.settings import REFERENCE, Settings
from billing.wiring import Wiring
from billing_cli.operator_aws import OperatorAws

LOCAL = "local"
_LOCAL_STACK = "billing"
_EMULATOR_PORT = Path(__file__).parents[2] / ".local" / "state" / "emulator-port"
# Environment variable of the functions → the template's output or parameter that holds its value.
_NAMES = {
    "PLANS_TABLE": "PlansTableName",
    "ACCOUNTS_TABLE": "AccountsTableName",
    "PAYMENT_EVENTS_TABLE": "PaymentEventsTableName",
    "METRICS_TABLE": "MetricsTableName",
    "HOST_EVENTS_TABLE": "HostEventsTableName",
    "HOST_EVENTS_QUEUE_URL": "HostEventsQueueUrl",
    "PAYMENT_EVENTS_QUEUE_URL": "PaymentEventsQueueUrl",
    "PAYMENT_EVENTS_DLQ_URL": "PaymentEventsDlqUrl",
    "EVENT_BUS": "EventBusName",
    "STAGE": "Stage",
    "LIVEMODE": "Livemode",
    "BILLING_PROVIDER_MODE": "ProviderMode",
    "DOUBLE_SUBSCRIPTIONS": "DoubleSubscriptions",
    "PUBLIC_URL": "PublicUrl",
    "PORTAL_URL": "PortalUrl",
    "MOCK_URL": "MockUrl",
    "STRIPE_API_BASE": "StripeApiBase",
    "BITPAY_URL": "BitpayUrl",
    "BTCPAY_URL": "BtcpayUrl",
    "BTCPAY_STORE_ID": "BtcpayStoreId",
    "BTCPAY_PROXY": "BtcpayProxy",
    "NOSTR_INDEXES": "NostrIndexes",
}
# The secrets that each provider requires.
NEEDED = {
    "stripe": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
    "bitpay": ("BITPAY_API_KEY",),
    "btcpay": ("BTCPAY_API_KEY", "BTCPAY_WEBHOOK_SECRET"),
    "mock": ("BILLING_WEBHOOK_SECRET",),
}
_SECRETS = (
    *(secret for needed in NEEDED.values() for secret in needed),
    "BITPAY_MERCHANT_TOKEN",
    "BITPAY_MERCHANT_KEY",
    "ENDPOINT_SECRETS_KEY",
    "NOSTR_SERVICE_KEY",
    "VOUCHER_SECRET",
)


class Stack:
    """What the stack's functions have, but with the rights of the operator.

    Read on first use, so that a command that needs no stack works without one.
    """

    def __init__(self, name: str) -> None:
        self.name = _LOCAL_STACK if name == LOCAL else name
        self._local = name == LOCAL

    @cached_property
    def aws(self) -> OperatorAws:
        if self._local:
            _use_local_emulator()
        return OperatorAws()

    @cached_property
    def wire(self) -> Wiring:
        """The stack's stores and use cases, made as its functions make them."""
        return Wiring(self._environment(), aws=self.aws)

    @property
    def settings(self) -> Settings:
        return self.wire.settings

    @cached_property
    def operator(self) -> str:
        """The operator's name in the audit log: the AWS identity or, for the local stack, the user's login name."""
        return f"cli:{getpass.getuser() if self._local else self.aws.call('sts', 'get_caller_identity')['Arn']}"

    def note(self, action: str, subject: str, *, before: Mapping[str, Any] | None = None, after: Any = None) -> None:
        """Records an action of the command line in the audit log."""
        by = By(actor=self.operator, action=action, subject=subject)
        self.wire.audit.note(by, int(time.time()), before=before, after=after)

    def _environment(self) -> dict[str, str]:
        try:
            described = self.aws.call("cloudformation", "describe_stacks", StackName=self.name)["Stacks"][0]
        except AwsError as error:
            raise _refuse(
                f"The stack {self.name} cannot be read: {error}\n"
                "Account and region come from your shell: AWS_PROFILE, AWS_REGION. `--stack local` is `make run`."
            ) from error
        values: dict[str, Any] = {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}
        values |= {p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])}
        environment = {name: values[key] for name, key in _NAMES.items() if key in values}
        if self._local:
            environment["NOSTR_LOCAL_RELAYS"] = "true"
        if values.get("BtcpayCaArn"):
            environment["BTCPAY_CA"] = f"{REFERENCE}{values['BtcpayCaArn']}"
        return environment | {name: f"{REFERENCE}{self.name}/{name}" for name in _SECRETS}


def _use_local_emulator() -> None:
    if not _EMULATOR_PORT.exists():
        raise _refuse("No local stack runs: start it with `make run`, or name another: --stack bitsleuth-billing-dev")
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_EMULATOR_PORT.read_text().strip()}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "no_proxy": "*",
    }
    os.environ.pop("AWS_PROFILE", None)


def _refuse(why: str) -> typer.Exit:
    typer.secho(why, fg="red", err=True)
    return typer.Exit(1)
