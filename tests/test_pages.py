"""The pages are served in the cloud as they are here: the same headers, the same paths to the API."""

import json
import re
import subprocess

import pytest

from local.pages import API_PATHS, PAGE_HEADERS
from tests.test_template import RESOURCES

DISTRIBUTION = RESOURCES["PagesDistribution"]["Properties"]["DistributionConfig"]


def test_security_headers_are_the_same_here_and_in_the_cloud() -> None:
    config = RESOURCES["PagesHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert {
        "Content-Security-Policy": config["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Referrer-Policy": config["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": config["FrameOptions"]["FrameOption"],
    } == PAGE_HEADERS


def test_no_policy_allows_code_or_style_from_elsewhere_or_inline() -> None:
    policy = PAGE_HEADERS["Content-Security-Policy"]
    assert not re.search(r"unsafe|https?:|\*|data:", policy)
    assert policy.startswith("default-src 'none'")


def test_the_same_paths_lead_to_the_api() -> None:
    patterns = {behaviour["PathPattern"] for behaviour in DISTRIBUTION["CacheBehaviors"]}
    assert patterns == {f"{prefix}*" for prefix in API_PATHS}
    for behaviour in DISTRIBUTION["CacheBehaviors"]:
        assert behaviour["TargetOriginId"] == "api"
        assert "Host" not in behaviour, "API Gateway must see its own host"


@pytest.mark.parametrize(
    ("uri", "accept", "becomes"),
    [
        ("/pricing", "text/html", "/index.html"),
        ("/account/billing", "text/html", "/index.html"),
        ("/assets/index-abc.js", "*/*", "/assets/index-abc.js"),
        ("/mark.svg", "image/*", "/mark.svg"),
        ("/admin/plans", "*/*", "/admin/plans"),
        ("/admin/plans", "text/html,application/xhtml+xml", 302),
    ],
)
def test_page_paths_find_the_application(uri: str, accept: str, becomes: str | int) -> None:
    code = RESOURCES["PagesPaths"]["Properties"]["FunctionCode"]
    event = {"request": {"method": "GET", "uri": uri, "headers": {"accept": {"value": accept}}}}
    script = f"{code}\nconst answer = handler({json.dumps(event)});\nconsole.log(answer.statusCode || answer.uri);"
    shown = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True).stdout.strip()
    assert shown == str(becomes)
