"""The files of the page, read once; each is served under a tag of its content.

The font is that of the installed ziamath package: STIX Two Math, under the SIL Open Font License.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FONT = "/font/stix-two-math.ttf"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
REVALIDATED = "no-cache"
KEPT = "public, max-age=31536000, immutable"
"""For the font, which is most of what a page loads, and never changes."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    content: bytes
    type: str
    caching: str
    tag: str

    @classmethod
    def of(cls, name: str, content: bytes, caching: str = REVALIDATED) -> Asset:
        kind = TYPES["." + name.rpartition(".")[2]]
        return cls(content, kind, caching, f'"{hashlib.sha256(content).hexdigest()[:20]}"')

    def respond(self, request: Request) -> Response:
        """The file, or word that the browser's copy of it is still right."""
        headers = {"ETag": self.tag, "Cache-Control": self.caching}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.type, headers=headers)


def load() -> dict[str, Asset]:
    """All files by the path that they are served under."""
    found: dict[str, Asset] = {}
    for entry in files(__package__).joinpath("static").iterdir():
        if entry.is_file():
            found[f"/static/{entry.name}"] = Asset.of(entry.name, entry.read_bytes())
    found[FONT] = Asset.of(FONT, _font().read_bytes(), KEPT)
    found["/"] = found.pop("/static/index.html")
    found["/api"] = found.pop("/static/api.html")
    return found


def _font() -> Path:
    """The font file of ziamath, which is found without being imported."""
    spec = find_spec("ziamath")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'ziamath'", name="ziamath")
    return Path(spec.submodule_search_locations[0]) / "fonts" / "STIXTwoMath-Regular.ttf"
