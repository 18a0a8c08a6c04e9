"""That a figure leads on to what it is made of."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def test_a_cell_leads_to_the_lines_that_add_up_to_it(admin: Visitor, visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    for _ in range(20):  # the publisher needs a moment
        admin.open("/console/revenue").settle()
        months = admin.page.get_by_role("figure", name="Month by month")
        if (cell := months.get_by_role("button", name=re.compile("^Gross, .* so far"))).count():
            break
    figure = str(cell.text_content())
    cell.click()
    sums = admin.dialog().get_by_label("Sums by kind")
    more = admin.dialog().get_by_role("button", name="Older")
    admin.dialog().get_by_role("table").wait_for()
    while more.count():
        more.click()
        expect(admin.dialog().locator("[aria-busy=true]")).to_have_count(0)
    expect(sums).to_contain_text(figure)
    assert admin.violations() == []
