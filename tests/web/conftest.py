"""A server and a browser, each started once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import WIDE, Form
from serving import REQUIRED, needed, served

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of a server."""
    for module in ("fastapi", "uvicorn", "ziamath"):
        needed(module, "web")
    with served() as found:
        yield found


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[Any]:
    """An HTTP client of the server."""
    httpx = needed("httpx", "browser")
    with httpx.Client(base_url=address, timeout=30) as made:
        yield made


# Playwright runs an event loop in this thread while it lives, beside which there is no other.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Chromium that Playwright drives."""
    playwright = needed("playwright.sync_api", "browser")
    path = os.environ.get("TCALC_CHROMIUM") or shutil.which("chromium")
    if path is None and not REQUIRED:
        pytest.skip("there is no Chromium; apt-get install chromium adds it")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(chromium):
    made = chromium.new_context(viewport=WIDE, accept_downloads=True)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


# A tab takes longer to open than a page to load, so that the tests share one.
@pytest.fixture(scope="module")
def page(context):
    made = context.new_page()
    yield made
    made.close()


@pytest.fixture
def form(page, address):
    """The page; whatever a test does, nothing leaves the machine and the console stays empty."""
    made = Form(page, address)
    yield made
    made.leave()
    assert not made.complaints
    assert not made.elsewhere
