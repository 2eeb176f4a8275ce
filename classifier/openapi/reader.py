"""The page to read the document on: one answer, that fetches nothing but the document."""

import base64
import hashlib
from importlib import resources

_FOLDER = resources.files("classifier.openapi")


def page() -> bytes:
    """The page as HTML, with its style and script inside, and no others let in."""
    html, style, script = (
        (_FOLDER / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    for place, text in {"POLICY": policy, "STYLE": style, "SCRIPT": script}.items():
        html = html.replace(f"/*{place}*/", text)
    return html.encode()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
