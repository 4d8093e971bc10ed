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
# Milliseconds, as for all else: a part of the overview is fetched each five seconds, and answers take their time.
PATIENCE = 30_000


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
def window(request, chromium) -> Iterator[object]:
    """An empty page that remembers what went wrong on it; what the site's policy forbids, no page may even try."""
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    window = context.new_page()
    window.scheme = request.param
    window.problems = []
    window.on("console", lambda message: window.problems.append(message.text) if is_ours(message) else None)
    window.on("pageerror", lambda error: window.problems.append(str(error)))
    yield window
    context.close()
    assert [text for text in window.problems if "Content Security Policy" in text] == []


@pytest.fixture
def page(window, live_server, admin_user) -> object:
    log_in(window, f"{live_server.url}/admin/", "password")
    return window


def log_in(window, address: str, password: str) -> None:
    window.goto(address)
    window.fill("#id_username", "admin")
    window.fill("#id_password", password)
    window.click("[type=submit]")


def is_ours(message) -> bool:
    """Tell an error of our pages from the browser's own wish for an icon."""
    return message.type == "error" and "favicon" not in message.location["url"]


@pytest.fixture
def shoot(window):
    """Take a picture where SCREENSHOTS names a folder for them."""

    def take(name: str) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            window.screenshot(path=f"{folder}/{name}-{window.scheme}.png", full_page=True)

    return take


def sees(window, where: str, text: str) -> None:
    """Wait until a text stands at a place: a page may still be on its way after a click."""
    expecting(window, where).to_contain_text(text, timeout=PATIENCE)


def sees_no(window, where: str, text: str) -> None:
    expecting(window, where).not_to_contain_text(text, timeout=PATIENCE)


def counts(window, where: str, number: int) -> None:
    expecting(window, where).to_have_count(number, timeout=PATIENCE)


def expecting(window, where: str) -> object:
    return pytest.importorskip("playwright.sync_api").expect(window.locator(where))
