"""The page of endpoints, on the real stack."""

import re
import socket

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def test_an_endpoint_is_added_tested_and_its_secret_replaced(admin: Visitor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/events"  # nobody listens there
    admin.open("/console/endpoints").button("Add endpoint").click()
    admin.page.get_by_label("Address").fill("no address")
    admin.dialog().get_by_role("button", name="Add endpoint").click()
    expect(admin.text("This is no https address")).to_be_visible()
    admin.page.get_by_label("Address").fill(url)
    admin.dialog().get_by_role("button", name="Add endpoint").click()
    expect(admin.text(re.compile("^whsec_"))).to_be_visible()
    assert admin.violations() == []
    admin.button("I have kept it").click()
    line = admin.page.get_by_role("listitem").filter(has=admin.heading(url))
    line.get_by_role("button", name="Send test").click()
    admin.page.get_by_text("Failed", exact=True).click()
    expect(line.get_by_text("The test did not arrive: no connection.")).to_be_visible(timeout=30_000)
    expect(admin.text("Failed · no connection")).to_be_visible()
    assert admin.violations() == []
    line.get_by_role("button", name="New secret").click()
    admin.dialog().get_by_role("button", name="New secret").click()
    expect(admin.text(re.compile("^whsec_"))).to_be_visible()
    admin.button("I have kept it").click()
    line.get_by_role("button", name="End old secret").click()
    expect(line.get_by_role("button", name="New secret")).to_be_visible()
    line.get_by_role("button", name="Pause").click()
    expect(line).to_contain_text("Paused by an admin")
    line.get_by_role("button", name="Remove").click()
    admin.dialog().get_by_role("button", name="Remove").click()
    expect(line).to_have_count(0)
