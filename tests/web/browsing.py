"""The page in a browser, as the tests see it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

WAIT = 10_000
"""Milliseconds."""

WIDE = {"width": 1440, "height": 900}

# Chromium's own words for answers that are errors: the page asks and the server says no.
ANSWERED = "Failed to load resource: the server responded with a status of 422"


class Form:
    """The page, as a user sees it."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.complaints, self.elsewhere = [], []
        self._listeners = {
            "console": self._heard,
            "pageerror": lambda error: self.complaints.append(str(error)),
            "request": self._asked,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def leave(self):
        """Leave the tab as it was."""
        self.page.evaluate("localStorage.clear()")
        self.page.goto("about:blank")
        self.page.set_viewport_size(WIDE)
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _heard(self, message):
        if message.type in ("error", "warning") and not message.text.startswith(ANSWERED):
            self.complaints.append(message.text)

    def _asked(self, request):
        if urlsplit(request.url).scheme not in ("data", "blob") and not request.url.startswith(
            self.address
        ):
            self.elsewhere.append(request.url)

    def open(self, **fields):
        fragment = "&".join(f"{key}={quote(value)}" for key, value in fields.items())
        self.page.goto(f"{self.address}/{'#' if fragment else ''}{fragment}")
        return self

    def settle(self):
        """Wait until there is a result or a complaint."""
        done = "#panel > *, #complaint > *, #operations > *"
        self.page.locator(done).first.wait_for(timeout=WAIT)

    def type(self, formula):
        self.page.get_by_label("Formula", exact=True).fill(formula)

    def reads(self, text, where=".result .plain"):
        """Wait until a result reads so."""
        found = self.page.locator(where, has_text=re.compile(f"^{re.escape(text)}$"))
        found.first.wait_for(timeout=WAIT)

    def tab(self, title):
        self.page.get_by_role("tab", name=title).click()
