"""The site of these tests forbids scripts and styles within pages, and says so where one is tried."""

import pytest

pytestmark = pytest.mark.browser


def test_a_style_within_a_page_is_refused_and_seen(page, live_server):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/job/")
    assert page.problems == []
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate("document.body.setAttribute('style', 'margin: 1px')")
    assert "Content Security Policy" in page.problems.pop()
