"""The page as one document: markup, style and script from the folder `page/`, in one file without a build."""

import base64
import hashlib
import html
from dataclasses import dataclass
from importlib import resources

# The scripts in the order in which they run, as one.
SCRIPTS = ("state.js", "draw.js", "controls.js", "map.js", "actions.js", "main.js")


@dataclass(frozen=True)
class Document:
    """The page, and the headers that it is served with.

    Attributes:
        body: The document.
        headers: They let the page run its own script and style alone, and talk to its own server alone.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, title: str) -> "Document":
        """Put the page together.

        Args:
            title: The model's name.
        """
        folder = resources.files("keras_vae.explore") / "page"
        style = (folder / "page.css").read_text("utf-8")
        script = '"use strict";\n' + "\n".join((folder / name).read_text("utf-8") for name in SCRIPTS)
        page = (folder / "page.html").read_text("utf-8")
        for mark, part in (("TITLE", html.escape(title)), ("/* STYLE */", style), ("/* SCRIPT */", script)):
            page = page.replace(mark, part)
        policy = (
            f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data: blob:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = (
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "no-referrer"),  # the URL contains the token
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        )
        return cls(page.encode(), headers)


def _digest(part: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}"
