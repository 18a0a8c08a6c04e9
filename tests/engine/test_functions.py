"""Functions run on AWS's runtime client as they would there: environments, errors, timeouts, rights."""

from concurrent.futures import ThreadPoolExecutor

import botocore.session
import pytest
from botocore.exceptions import ClientError

from local.emulator import REGION
from local.host import EngineError
from local.supervisor import FunctionError


@pytest.fixture
def echo(probe_engine):
    return lambda **event: probe_engine.invoke("EchoFunction", event)


def test_an_environment_is_used_again(echo):
    first, second = echo(), echo()
    assert second["pid"] == first["pid"]
    assert second["calls"] == first["calls"] + 1


def test_an_exception_is_reported_with_its_trace_and_keeps_the_environment(echo):
    before = echo()
    with pytest.raises(FunctionError, match=r"(?s)as asked.*probe\.py") as failed:
        echo(do="raise")
    assert failed.value.kind == "ValueError"
    assert echo()["pid"] == before["pid"]


def test_a_process_that_exits_is_replaced(echo):
    before = echo()
    with pytest.raises(FunctionError, match="exit status 7") as failed:
        echo(do="exit")
    assert failed.value.kind == "Runtime.ExitError"
    assert echo()["pid"] != before["pid"]


def test_a_function_that_takes_too_long_is_stopped_and_replaced(echo):
    before = echo()
    with pytest.raises(FunctionError, match=r"timed out after 2\.00 seconds"):
        echo(do="sleep", seconds=5)
    assert echo()["pid"] != before["pid"]


def test_workers_can_be_killed_in_the_middle_of_an_invocation(probe_engine, echo, eventually):
    echo()
    begun = probe_engine.logs("EchoFunction").count("SLEEPS")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(echo, do="sleep", seconds=1.9)
        eventually(lambda: probe_engine.logs("EchoFunction").count("SLEEPS") > begun)
        assert probe_engine.kill_workers("EchoFunction") >= 1
        with pytest.raises(FunctionError, match="exited"):
            running.result()
    assert echo()["calls"] == 1


def test_invocations_at_once_run_in_environments_of_their_own(echo):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: echo(do="sleep", seconds=0.8), range(4)))
    assert len({answer["pid"] for answer in answers}) == 4


def test_a_function_sees_its_variables_and_nothing_of_ours(probe_engine, echo, monkeypatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "of the developer's shell")
    probe_engine.kill_workers("EchoFunction")
    answer = echo()
    assert answer["environment"]["TABLE"] == probe_engine.resource("Table")
    assert answer["environment"]["AWS_ENDPOINT_URL"] == probe_engine.endpoint_url
    assert not {"STRIPE_SECRET_KEY", "HOME", "VIRTUAL_ENV"} & answer["environment"].keys()
    assert not answer["sees_pytest"]
    assert 0 < answer["milliseconds_left"] <= 2000


def test_a_log_holds_a_report_per_invocation(probe_engine, echo):
    assert f"REPORT RequestId: {echo()['request_id']} Duration: " in probe_engine.logs("EchoFunction")


def test_asking_for_what_the_template_lacks_names_what_it_has(probe_engine):
    with pytest.raises(EngineError, match=r"no function Nothing; the template has .*EchoFunction"):
        probe_engine.invoke("Nothing", {})


@pytest.mark.parametrize(("function", "may_write"), [("WriterFunction", True), ("ReaderFunction", False)])
def test_a_function_may_do_what_its_policies_say_and_no_more(probe_engine, function, may_write):
    variables = probe_engine.invoke(function, {})["environment"]
    dynamodb = botocore.session.get_session().create_client(
        "dynamodb",
        endpoint_url=probe_engine.endpoint_url,
        region_name=REGION,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )
    try:
        dynamodb.put_item(TableName=variables["TABLE"], Item={"pk": {"S": function}})
        refused = None
    except ClientError as error:
        refused = error.response["Error"]["Code"]
    assert refused == (None if may_write else "AccessDeniedException")
