"""The pages are served in the cloud as they are here: the same headers, the same paths to the API."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.host import ROOT
from local.pages import API_PATHS, PAGE_HEADERS, Pages
from tests.test_template import RESOURCES

DISTRIBUTION = RESOURCES["PagesDistribution"]["Properties"]["DistributionConfig"]


def test_security_headers_are_the_same_here_and_in_the_cloud() -> None:
    config = RESOURCES["PagesHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert {
        "Content-Security-Policy": config["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"],
        "Referrer-Policy": config["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": config["FrameOptions"]["FrameOption"],
    } == PAGE_HEADERS


@pytest.mark.parametrize("token_url", ["", "https://id.example/token"])
def test_a_page_reaches_its_own_origin_and_the_token_address_of_the_identity_provider(
    tmp_path: Path, token_url: str
) -> None:
    (tmp_path / "index.html").write_text("")
    answer = Pages(tmp_path, token_url=token_url).answer(Request(EnvironBuilder(path="/console/plans").get_environ()))
    assert answer is not None
    sources = dict(part.split(None, 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert sources["connect-src"].split() == ["'self'", *filter(None, [token_url])]


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 200), ({"Range": "bytes=1-2"}, 206), ({"If-None-Match": "*"}, 304)]
)
def test_a_page_that_nobody_fetches_to_its_end_leaves_no_file_open(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    (tmp_path / "index.html").write_text("page")
    before = set(os.listdir("/proc/self/fd"))
    answer = Pages(tmp_path).answer(Request(EnvironBuilder(path="/", headers=headers).get_environ()))
    assert answer is not None
    assert answer.status_code == status
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("name", "accepted", "encoding"),
    [("app.js", "gzip", "gzip"), ("app.js", "", None), ("app.css", "br, gzip", "gzip"), ("font.woff2", "gzip", None)],
)
def test_text_travels_compressed_to_who_takes_it_so(
    tmp_path: Path, name: str, accepted: str, encoding: str | None
) -> None:
    data = b"a page " * 100
    (tmp_path / name).write_bytes(data)
    request = Request(EnvironBuilder(path=f"/{name}", headers={"Accept-Encoding": accepted}).get_environ())
    answer = Pages(tmp_path).answer(request)
    assert answer is not None
    assert answer.content_encoding == encoding
    assert (gzip.decompress(answer.data) if encoding else answer.data) == data
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert ("Accept-Encoding" in answer.vary) == name.startswith("app")


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


@pytest.mark.parametrize(
    ("host", "name", "status", "location"),
    [
        ("127.0.0.1:8000", "user", 303, "/pricing#token=x"),
        ("localhost:8000", "user", 303, "/pricing#token=x"),
        ("127.0.0.1:8000", "nobody", 404, None),
        ("elsewhere.example:8000", "user", 404, None),
    ],
)
def test_a_developer_signs_in_by_a_short_address_under_the_names_of_this_machine_only(
    tmp_path: Path, host: str, name: str, status: int, location: str | None
) -> None:
    pages = Pages(tmp_path, {"user": "/pricing#token=x"}.get)
    answer = pages.answer(Request(EnvironBuilder(path=f"/as/{name}", headers={"Host": host}).get_environ()))
    assert answer is not None
    assert (answer.status_code, answer.headers.get("Location")) == (status, location)


def test_the_template_knows_no_such_address() -> None:
    assert "/as/" not in (ROOT / "template.yaml").read_text()
