"""Every wait ends before whoever waits for it does: computed from the template and from what the code allows itself."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing import deadline
from billing.aws import transport
from billing.identity import oidc
from billing.providers import breaker
from billing.selling.refunds import ASKING
from tests.test_template import FUNCTIONS, RESOURCES, SOURCE, names_in, reachable, routes

CLIENT = Path(__file__).parents[1] / "frontend" / "packages" / "api-client" / "src" / "index.ts"
DEFAULT = SOURCE["Globals"]["Function"]["Timeout"]
# Seconds after which API Gateway gives up, on a function and on an authorizer. Both run while a new process starts.
INTEGRATION, AUTHORIZER = 30, 10
STARTING = 1.5
# What one silent provider costs whoever asks it first; after that it is left alone.
SILENCE = breaker.CONNECT + breaker.ANSWER
PROVIDERS_KEYS = {"StripeSecretKey", "BitpayApiKey", "BtcpayApiKey"}


def timeout(function: str) -> int:
    seconds: int = FUNCTIONS[function].get("Timeout", DEFAULT)
    return seconds


def asking() -> Iterator[str]:
    """The functions that call a provider."""
    return (name for name in FUNCTIONS if name[:7] != "Webhook" and reachable(name, "secretsmanager") & PROVIDERS_KEYS)


@pytest.mark.parametrize("function", sorted({function for function, _ in routes().values()}))
def test_a_call_is_answered_by_us_and_not_by_the_gateway(function: str) -> None:
    assert timeout(function) + STARTING <= INTEGRATION


@pytest.mark.parametrize(
    "function",
    sorted(
        {
            name
            for authorizer in RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"].values()
            for name in names_in(authorizer["FunctionArn"])
        }
    ),
)
def test_an_authorizer_is_done_before_the_gateway_gives_it_up(function: str) -> None:
    assert timeout(function) + STARTING <= AUTHORIZER
    assert (timeout(function) - deadline.RESERVE) / 2 > oidc.FETCH_SECONDS, "a silent issuer leaves time for the table"


@pytest.mark.parametrize("function", sorted(asking()))
def test_who_asks_a_silent_provider_has_time_to_say_so(function: str) -> None:
    assert timeout(function) > SILENCE + deadline.RESERVE + deadline.LEAST


def test_two_silent_providers_leave_a_batch_time_for_the_events_of_others() -> None:
    assert timeout("ProcessPaymentEventsFunction") > 2 * SILENCE + deadline.RESERVE + deadline.LEAST


def test_a_call_to_aws_is_over_before_what_hides_the_message_is() -> None:
    hidden = RESOURCES["PaymentEventsQueue"]["Properties"]["VisibilityTimeout"]
    assert transport.CALL_SECONDS < timeout("ProcessPaymentEventsFunction") < hidden / 5


def test_nobody_asks_for_a_refund_while_another_may_still_be_asking() -> None:
    """The rounds that settle refunds begin none that cannot end: they run as long as they like."""
    makes = [name for name in asking() if "refunds" in str(FUNCTIONS[name].get("Events", "")) or "Invoices" in name]
    assert makes
    assert all(timeout(name) + STARTING < ASKING for name in makes)


def test_a_round_of_each_minute_ends_within_it() -> None:
    assert timeout("PollCryptoInvoicesFunction") + STARTING < 60


def test_a_page_waits_longer_than_a_silent_provider_and_the_gateway_take() -> None:
    limits = dict(re.findall(r"const (READ|WRITE)_MS = ([\d_]+);", CLIENT.read_text()))
    assert int(limits["READ"]) / 1000 > SILENCE + STARTING
    assert int(limits["WRITE"]) / 1000 > INTEGRATION
