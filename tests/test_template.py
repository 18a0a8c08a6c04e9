"""The template keeps its promises: least privilege, the agreed routes, queues that lose nothing, secrets elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing.api.routes import ROUTES
from billing.identity.call_limits import ROUTES as LIMITED
from billing.intake.batch import FIRST_WAIT, LONGEST
from billing.origin import HEADER
from billing.providers import PROVIDERS
from billing.store.accounts import LEDGER, PAST, SNAPSHOT
from billing_cli.deploy import PLACES_TO_RESERVE

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
Template = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """CloudFormation's short tags as {"Ref": …} and {"Fn::…": …}."""


def _intrinsic(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)
SOURCE: Template = yaml.load(TEMPLATE.read_text(), _Loader)  # noqa: S506 a SafeLoader
RESOURCES: Template = SOURCE["Resources"]
FUNCTIONS = {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
WEBHOOKS = [name for name in FUNCTIONS if name.startswith("Webhook")]


def names_in(value: Any) -> set[str]:
    """The logical ids that a value refers to."""
    if isinstance(value, dict):
        found = set()
        for key, inner in value.items():
            if key == "Ref":
                found.add(inner)
            elif key == "Fn::GetAtt":
                found.add(inner.partition(".")[0])
            elif key == "Fn::Sub":
                found |= {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", inner)}
            else:
                found |= names_in(inner)
        return found
    if isinstance(value, list):
        return {name for inner in value for name in names_in(inner)}
    return set()


def statements(function: str) -> Iterator[tuple[set[str], Any]]:
    """Actions and resources of each statement of a function's policies."""
    for policy in FUNCTIONS[function].get("Policies", []):
        shared = RESOURCES[policy["Ref"]]["Properties"]["PolicyDocument"] if "Ref" in policy else policy
        for statement in shared["Statement"]:
            action = statement["Action"]
            yield set(action if isinstance(action, list) else [action]), statement["Resource"]


def reachable(function: str, service: str) -> set[str]:
    """The resources that a function may use of a service."""
    return {
        name
        for actions, resource in statements(function)
        if any(action.startswith(f"{service}:") for action in actions)
        for name in names_in(resource)
    }


def variables(function: str) -> Template:
    return dict(FUNCTIONS[function].get("Environment", {}).get("Variables", {}))


def routes() -> dict[str, tuple[str, str]]:
    """Every route of the API: its function and its authorizer."""
    default = RESOURCES["Api"]["Properties"]["Auth"]["DefaultAuthorizer"]
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}": (
            name,
            event["Properties"].get("Auth", {}).get("Authorizer", default),
        )
        for name, properties in FUNCTIONS.items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }


# --- least privilege -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_policy_has_a_wildcard(function: str) -> None:
    assert FUNCTIONS[function].get("Policies"), "without policies of its own it would get none that a test can read"
    for actions, resource in statements(function):
        assert not any("*" in action for action in actions)
        assert names_in(resource), f"{resource} names nothing of this stack"
        assert "*" not in str(resource)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_use_exactly_the_tables_it_is_told_of(function: str) -> None:
    given = {n for key, value in variables(function).items() if key.endswith("_TABLE") for n in names_in(value)}
    assert reachable(function, "dynamodb") == given


# Only says whether there is a development issuer.
@pytest.mark.parametrize("function", sorted(FUNCTIONS.keys() - {"ConfigFunction"}))
def test_a_function_may_read_the_secrets_it_is_told_of(function: str) -> None:
    given = {
        name
        for key, value in variables(function).items()
        if "secretsmanager:" in str(value)
        for name in names_in(value) - SOURCE["Conditions"].keys()
    }
    known_to_all = names_in(SOURCE["Globals"]["Function"]["Environment"]["Variables"])
    assert given <= reachable(function, "secretsmanager") - {"AWS::NoValue"} <= given | known_to_all


def test_only_what_signs_tokens_holds_a_key_to_sign_with() -> None:
    holders = {name for name in FUNCTIONS if "TokenSigningKeys" in reachable(name, "secretsmanager")}
    assert holders == {"AuthFunction", "EntitlementsFunction"}


def test_who_sets_flags_can_change_nothing_else_in_the_table_of_plans() -> None:
    (policy,) = FUNCTIONS["AdminFlagsFunction"]["Policies"]
    (of_plans,) = [s for s in policy["Statement"] if names_in(s["Resource"]) == {"PlansTable"}]
    assert of_plans["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["#flags"]}}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_scans_no_table_and_deletes_none(function: str) -> None:
    asked = {action for actions, _ in statements(function) for action in actions}
    assert not asked & {"dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:CreateTable"}


@pytest.mark.parametrize("webhook", WEBHOOKS)
def test_a_webhook_is_open_to_the_world_and_touches_no_table(webhook: str) -> None:
    assert not reachable(webhook, "dynamodb")
    assert not any(key.endswith("_TABLE") for key in variables(webhook))
    assert reachable(webhook, "sqs") == {"PaymentEventsQueue"}
    (route,) = [route for route, (name, _) in routes().items() if name == webhook]
    assert route.startswith("POST /billing/webhook/")
    assert routes()[route] == (webhook, "NONE")


# --- the API ---------------------------------------------------------------------------------------------------------


def test_the_api_has_the_agreed_routes_and_webhooks_and_no_others() -> None:
    authorizers = {"none": "NONE", "user": "UserAuthorizer", "admin": "AdminAuthorizer"}
    agreed = {
        f"{route.method} {route.path}": (
            "".join(part.capitalize() for part in route.function.split("_")) + "Function",
            authorizers[route.auth],
        )
        for route in ROUTES
    }
    served = {route: served for route, served in routes().items() if "/webhook/" not in route}
    assert served == agreed


def test_every_function_is_named_after_its_module() -> None:
    for name, properties in FUNCTIONS.items():
        module = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower()
        assert properties["Handler"] == f"{module}.handler"
        assert (TEMPLATE.parent / "functions" / f"{module}.py").exists()


def test_admins_and_users_have_authorizers_of_their_own() -> None:
    """A result is kept per identity for all routes of its authorizer: one for both would open the admin's routes."""
    authorizers = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"]
    assert set(authorizers) == {"UserAuthorizer", "AdminAuthorizer"}
    for authorizer in authorizers.values():
        assert authorizer["EnableSimpleResponses"] is True
        assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
        assert authorizer["Identity"] == {"Headers": ["Authorization"], "ReauthorizeEvery": 60}


def test_the_api_is_throttled_but_no_few_junk_calls_shut_out_everybody() -> None:
    """What is dear is limited per caller: a throttle of the gateway is one for all of them."""
    api = RESOURCES["Api"]["Properties"]
    usual = api["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert usual > 0
    tighter = {route for route, settings in api["RouteSettings"].items() if settings["ThrottlingRateLimit"] < usual}
    assert tighter == {"POST /billing/track"}
    assert LIMITED.keys() <= routes().keys()


def test_only_cloudfront_is_told_the_key_that_closes_the_api() -> None:
    (api,) = (
        origin
        for origin in RESOURCES["PagesDistribution"]["Properties"]["DistributionConfig"]["Origins"]
        if origin["Id"] == "api"
    )
    condition, headers, otherwise = api["OriginCustomHeaders"]["Fn::If"]
    assert (condition, otherwise) == ("ApiIsClosed", {"Ref": "AWS::NoValue"})
    assert headers == [{"HeaderName": HEADER, "HeaderValue": {"Fn::Sub": "{{resolve:secretsmanager:${OriginKey}}}"}}]


def test_a_page_of_the_host_may_read_the_headers_that_the_client_reads() -> None:
    """Without that, a call from another origin has no id to tell whoever helps."""
    client = (ROOT / "frontend/packages/api-client/src/index.ts").read_text()
    read = set(re.findall(r'response\.headers\.get\("([\w-]+)"\)', client)) - {"x-request-id"}  # of another gateway
    assert read == {"apigw-requestid"}
    assert read <= set(RESOURCES["Api"]["Properties"]["CorsConfiguration"]["ExposeHeaders"])


def test_only_our_own_pages_may_read_an_answer_and_no_cookie_rides_along() -> None:
    cors = RESOURCES["Api"]["Properties"]["CorsConfiguration"]
    portal, host = cors["AllowOrigins"]
    assert portal["Fn::If"][:2] == ["HasPortalUrl", {"Ref": "PortalUrl"}]
    assert host == {"Fn::If": ["HostIsElsewhere", {"Ref": "HostOrigin"}, {"Ref": "AWS::NoValue"}]}
    assert not cors.get("AllowCredentials")


# --- the pages -------------------------------------------------------------------------------------------------------


def test_the_pages_lie_in_a_bucket_that_cloudfront_alone_reads() -> None:
    assert set(RESOURCES["PagesBucket"]["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    allowed = [
        s for s in RESOURCES["PagesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"
    ]
    assert [s["Principal"] for s in allowed] == [{"Service": "cloudfront.amazonaws.com"}]
    assert names_in(allowed[0]["Condition"]["StringEquals"]["AWS:SourceArn"]) >= {"PagesDistribution"}


def test_a_page_runs_our_own_scripts_alone_and_in_no_frame_and_over_tls() -> None:
    headers = RESOURCES["PagesHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    policy = headers["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "connect-src 'self' ${OidcTokenUrl}" in policy
    assert not [part for part in policy if "unsafe" in part or "*" in part]
    assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
    assert headers["FrameOptions"]["FrameOption"] == "DENY"
    assert "ContentTypeOptions" in headers


def test_no_answer_of_the_api_is_kept_by_cloudfront() -> None:
    distribution = RESOURCES["PagesDistribution"]["Properties"]["DistributionConfig"]
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    for behaviour in distribution["CacheBehaviors"]:
        assert behaviour["TargetOriginId"] == "api"
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
    kept = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in distribution["CustomErrorResponses"]}
    assert kept == dict.fromkeys((500, 502, 503, 504), 0), "errors have a lifetime of their own"


# --- queues, tables, logs --------------------------------------------------------------------------------------------


def test_a_delivery_is_hidden_for_six_timeouts_and_then_set_aside() -> None:
    queue = RESOURCES["PaymentEventsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS["ProcessPaymentEventsFunction"]["Timeout"]
    assert names_in(queue["RedrivePolicy"]) == {"PaymentEventsDlq"}
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    hours = sum(min(FIRST_WAIT * 2**n, LONGEST * FIRST_WAIT) * 0.8 for n in range(tries)) / 3600
    assert hours > 8, "an outage of six hours is outlasted, whatever the spread of the waits"
    assert hours * 3600 < queue["MessageRetentionPeriod"]


def test_only_the_failed_messages_of_a_batch_come_again() -> None:
    for name in ("ProcessPaymentEventsFunction", "PublishChangesFunction"):
        for event in FUNCTIONS[name]["Events"].values():
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_the_stream_cannot_publish_is_set_aside() -> None:
    (event,) = FUNCTIONS["PublishChangesFunction"]["Events"].values()
    assert names_in(event["Properties"]["DestinationConfig"]) == {"ChangesDlq"}


@pytest.mark.parametrize("queue", [n for n, r in RESOURCES.items() if r["Type"] == "AWS::SQS::Queue"])
def test_a_queue_is_encrypted_and_a_dead_letter_has_days_left(queue: str) -> None:
    """A letter that SQS itself sets aside keeps the time of its first day."""
    properties = RESOURCES[queue]["Properties"]
    assert properties["SqsManagedSseEnabled"] is True
    days = properties["MessageRetentionPeriod"] / 86_400
    assert days == (4 if "RedrivePolicy" in properties else 14)


@pytest.mark.parametrize("table", [n for n, r in RESOURCES.items() if r["Type"] == "AWS::DynamoDB::Table"])
def test_a_table_outlives_its_stack_and_every_mistake(table: str) -> None:
    resource, properties = RESOURCES[table], RESOURCES[table]["Properties"]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsProd", True, False]}


def test_what_shall_go_by_itself_goes() -> None:
    lived = {n: r["Properties"].get("TimeToLiveSpecification") for n, r in RESOURCES.items() if "::Table" in r["Type"]}
    assert {name: set(ttl.values()) for name, ttl in lived.items() if ttl} == {
        "AccountsTable": {"ttl", True},
        "PaymentEventsTable": {"expires_at", True},
        "HostEventsTable": {"ttl", True},
    }


def test_the_stream_wakes_its_consumer_for_ledger_lines_and_for_what_decides_access() -> None:
    (event,) = FUNCTIONS["PublishChangesFunction"]["Events"].values()
    patterns = " ".join(found["Pattern"] for found in event["Properties"]["FilterCriteria"]["Filters"])
    woken = set(re.findall(r'"prefix": "([^"]+)"', patterns))
    kept = {"subscription#", "purchase#", "term#", "grant#", "renewal#", "mandate#"}
    assert woken == {LEDGER, SNAPSHOT, *PAST, *kept}


def test_logs_are_kept_for_a_while_and_not_for_ever() -> None:
    config = SOURCE["Globals"]["Function"]["LoggingConfig"]
    assert names_in(config["LogGroup"]) == {"FunctionLogs"}
    assert RESOURCES["FunctionLogs"]["Properties"]["RetentionInDays"] == 30
    assert not any("LoggingConfig" in properties for properties in FUNCTIONS.values())


@pytest.mark.parametrize(
    "consumer",
    [n for n, f in FUNCTIONS.items() if any(e["Type"] == "DynamoDB" for e in f.get("Events", {}).values())],
)
def test_a_consumer_of_the_stream_that_falls_behind_raises_an_alarm(consumer: str) -> None:
    """One record that fails holds up those after it for hours."""
    ages = [r["Properties"] for r in RESOURCES.values() if r.get("Properties", {}).get("MetricName") == "IteratorAge"]
    assert any(consumer in names_in(alarm["Dimensions"]) for alarm in ages)


def test_a_consumer_of_a_queue_without_dead_letters_raises_an_alarm_when_it_fails() -> None:
    queues = {n: r.get("Properties", {}) for n, r in RESOURCES.items() if r["Type"] == "AWS::SQS::Queue"}
    kept = {name for name, queue in queues.items() if "RedrivePolicy" not in queue}
    consumers = {
        name
        for name, function in FUNCTIONS.items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS" and names_in(event["Properties"]["Queue"]) & kept
    }
    errors = [r["Properties"] for r in RESOURCES.values() if r.get("Properties", {}).get("MetricName") == "Errors"]
    assert consumers == {"DeliverHostEventsFunction"}
    assert all(any(consumer in names_in(alarm["Dimensions"]) for alarm in errors) for consumer in consumers)


def test_dead_letters_raise_an_alarm() -> None:
    alarm = RESOURCES["DeadLettersAlarm"]["Properties"]
    assert "PaymentEventsDlq" in names_in(alarm["Dimensions"])
    assert alarm["Threshold"] == 0


@pytest.mark.parametrize("name", [n for n, r in RESOURCES.items() if r["Type"] == "AWS::Logs::MetricFilter"])
def test_a_metric_counts_a_line_that_is_really_logged(name: str) -> None:
    pattern = RESOURCES[name]["Properties"]["FilterPattern"]
    (message,) = re.findall(r'\$\.message = "([\w ]+)"', pattern)
    sources = [
        path.read_text() for folder in ("functions", "layers/billing") for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    assert any(re.search(rf'logger\.\w+\(\s*"{message}"', source) for source in sources)
    for field, value in re.findall(r'\$\.(\w+) = "(\w+)"', pattern):
        assert field in ("message", "level", "code", "outcome") or any(f'"{field}": "{value}"' in s for s in sources)


def test_cloudwatch_may_publish_to_the_topic_of_the_alarms() -> None:
    """The key alias/aws/sns has a policy that nobody can change and that does not know CloudWatch."""
    assert "KmsMasterKeyId" not in RESOURCES["Alarms"].get("Properties", {})


def test_a_round_that_nobody_shall_repeat_is_repeated_neither_by_its_schedule_nor_by_lambda() -> None:
    """A schedule hands over and is done: what fails after that is tried twice again by Lambda, unless it is told."""
    alone = {name for name, properties in FUNCTIONS.items() if "ReservedConcurrentExecutions" in properties}
    assert alone == {
        "PollCryptoInvoicesFunction",
        "ReconcileFunction",
        "RenewByWalletFunction",
        "SendMessagesFunction",
        "MoveSubscribersFunction",
    }
    for name in alone:
        (schedule,) = FUNCTIONS[name]["Events"].values()
        assert schedule["Properties"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
        assert FUNCTIONS[name]["EventInvokeConfig"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["Globals", *FUNCTIONS])
def test_a_secret_is_a_reference_and_never_a_value(function: str) -> None:
    known = SOURCE["Globals"]["Function"]["Environment"]["Variables"] if function == "Globals" else variables(function)
    for key, value in known.items():
        if re.search(r"(_KEYS?|_SECRET|_TOKEN|PEPPER)$", key):
            assert "secretsmanager:" in str(value), key


@pytest.mark.parametrize("secret", [n for n, r in RESOURCES.items() if r["Type"] == "AWS::SecretsManager::Secret"])
def test_a_secret_is_created_empty_unless_nobody_has_to_know_it(secret: str) -> None:
    made_here = {"GenerateSecretString"} if secret == "OriginKey" else {"Name"}
    assert set(RESOURCES[secret]["Properties"]) == made_here


def test_a_stack_that_takes_real_money_is_prod() -> None:
    """Other stages let the development issuer and the mock provider in."""
    rule = SOURCE["Rules"]["RealMoneyIsProd"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Livemode"}, "true"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [{"Fn::Equals": [{"Ref": "Stage"}, "prod"]}]


def test_no_parameter_takes_a_secret() -> None:
    assert not [name for name in SOURCE["Parameters"] if re.search(r"(Keys?|Secret|Token|Password)$", name)]


def test_the_mock_provider_and_development_keys_are_not_in_prod() -> None:
    assert RESOURCES["WebhookMockFunction"]["Condition"] == "IsNotProd"
    assert RESOURCES["DevTokenKeys"]["Condition"] == "IsNotProd"
    named = [value for name in FUNCTIONS if (value := variables(name).get("DEV_TOKEN_KEYS")) is not None]
    assert [value["Fn::If"][::2] for value in named] == [["IsNotProd", ""]] * len(named)


@pytest.mark.parametrize("secret", [n for n, r in RESOURCES.items() if r["Type"] == "AWS::SecretsManager::Secret"])
def test_a_secret_outlives_its_stack(secret: str) -> None:
    """CloudFormation deletes without the days in which a secret can be had back; every user id hangs on the pepper."""
    assert RESOURCES[secret]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[secret]["UpdateReplacePolicy"] == "Retain"


def test_a_place_is_reserved_only_by_parameter() -> None:
    """An account that may run ten functions at once refuses the first deployment otherwise."""
    reserved = [p["ReservedConcurrentExecutions"] for p in FUNCTIONS.values() if "ReservedConcurrentExecutions" in p]
    assert reserved == [{"Fn::If": ["ReservesConcurrency", 1, {"Ref": "AWS::NoValue"}]}] * len(reserved)
    assert 100 + len(reserved) == PLACES_TO_RESERVE
    assert SOURCE["Parameters"]["ReserveConcurrency"]["Default"] == "false"


def test_a_burst_of_payment_events_leaves_the_api_its_share() -> None:
    (deliveries,) = FUNCTIONS["ProcessPaymentEventsFunction"]["Events"].values()
    assert deliveries["Properties"]["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "ProcessorConcurrency"}}
    assert SOURCE["Parameters"]["ProcessorConcurrency"]["Default"] < 10


@pytest.mark.parametrize("origin", ["PublicUrl", "PortalUrl", "HostOrigin"])
def test_an_origin_is_an_origin(origin: str) -> None:
    pattern = SOURCE["Parameters"][origin]["AllowedPattern"]
    assert all(re.fullmatch(pattern, good) for good in ("", "https://a.example", "http://127.0.0.1:8000"))
    assert not any(re.fullmatch(pattern, bad) for bad in ("https://a.example/", "https://A.example", "a.example", "*"))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ProviderMode", ("stripe", "mock, btcpay,bitpay", *PROVIDERS), ("", "strip", "stripe,", "stripe;btcpay")),
        ("RenewalReminderDays", ("7,1", "0", " 30, 7 "), ("", "7;1", "7,", "seven", "-3")),
        (
            "PagesCertificateArn",
            ("", "arn:aws:acm:us-east-1:123456789012:certificate/0a1b-2c"),
            ("arn:aws:acm:eu-central-1:123456789012:certificate/0a1b-2c", "0a1b-2c"),
        ),
    ],
)
def test_what_no_function_could_read_is_refused_before_it_is_deployed(
    name: str, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    pattern = SOURCE["Parameters"][name]["AllowedPattern"]
    assert [value for value in good if not re.fullmatch(pattern, value)] == []
    assert [value for value in bad if re.fullmatch(pattern, value)] == []


def test_a_value_that_changes_with_each_build_is_no_export() -> None:
    """An export cannot change while another stack imports it."""
    exported = [output["Value"] for output in SOURCE["Outputs"].values() if "Export" in output]
    assert {"Ref": "BillingLayer"} not in exported
    assert RESOURCES["BillingLayer"]["Properties"]["RetentionPolicy"] == "Retain"
