"""A real browser on a live site."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    # The driver turns a loop of its own in this thread, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(request, chromium, live_server, admin_user) -> Iterator[object]:
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.scheme = request.param
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text) if is_ours(message) else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(f"{live_server.url}/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "password")
    page.click("[type=submit]")
    yield page
    context.close()


def is_ours(message) -> bool:
    """Tell an error of our pages from the browser's own wish for an icon."""
    return message.type == "error" and "favicon" not in message.location["url"]


@pytest.fixture
def shoot(page):
    """Take a picture where SCREENSHOTS names a folder for them."""

    def take(name: str) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{folder}/{name}-{page.scheme}.png", full_page=True)

    return take
