"""The package index that this user's pip is configured for."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from embedder.fetching.web import FetchError, Web, persistently

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

# Environment variables that name an index, the first that is set counts.
NAMING = ("MIEN_INDEX_URL", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")

_REMEDY = "MIEN_INDEX_URL names another package index, with its user and password if it needs them"


def configured(environ: Mapping[str, str] = os.environ) -> Web:
    """The index of the environment, else of pip's configuration, else pip's default."""
    named = next((environ[name] for name in NAMING if environ.get(name)), None)
    trusted = _trusted(environ)
    if named is None or trusted is None:
        pip = _pip_configuration()
        named = named or pip.get("index-url") or _pip_default()
        trusted = trusted or pip.get("cert")
    return Web(re.sub(r"^[\w-]+=", "", named), trusted, _REMEDY)  # uv may give an index a name: name=url


def authority(environ: Mapping[str, str] = os.environ) -> str | None:
    """The file or folder of certificates that pip is told to trust in place of the system's, if any."""
    return _trusted(environ) or _pip_configuration().get("cert")


def find(web: Web, project: str, file: str) -> str:
    """The address of `file`, one of the files of `project`. Raises FetchError if there is none."""
    name = re.sub(r"[-_.]+", "-", project).lower()  # PEP 503
    page = f"{web.index.rstrip('/')}/{name}/"
    base, kind, text = persistently(lambda: _read(web, page))
    for address, called in _of_json(page, text) if kind == JSON else _of_html(text):
        if file in (called, unquote(urlsplit(address).path).rpartition("/")[2]):
            return urljoin(base, address)
    raise FetchError(f"{page} does not list {file}: name an index that does with MIEN_INDEX_URL")


def _trusted(environ: Mapping[str, str]) -> str | None:
    return environ.get("PIP_CERT") or environ.get("REQUESTS_CA_BUNDLE")


def _read(web: Web, page: str) -> tuple[str, str, str]:
    with web.get(page, accept=ACCEPT) as response:
        text = b"".join(web.chunks(page, response)).decode("utf-8", "replace")
        return response.url, response.headers.get_content_type(), text


def _of_json(page: str, text: str) -> list[tuple[str, str]]:  # PEP 691
    try:
        return [(file["url"], file["filename"]) for file in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError):
        raise FetchError(f"{page} is no page of a package index: set MIEN_INDEX_URL") from None


def _of_html(text: str) -> Iterator[tuple[str, str]]:  # PEP 503
    page = _Anchors()
    page.feed(text)
    yield from ((address, "") for address in page.addresses)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (address := dict(attrs).get("href")):
            self.addresses.append(address)


def _pip_configuration() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = re.findall(r"^(?:global|install|:env:)\.([\w-]+)=(.+)$", listed, re.MULTILINE)
    return {name: str(ast.literal_eval(value)) for name, value in lines}


def _pip_default() -> str:
    try:
        from pip._internal.models.index import PyPI  # the one place where pip keeps its default
    except ImportError:
        raise FetchError("this Python has no pip to say which index to use: set MIEN_INDEX_URL") from None
    return str(PyPI.simple_url)
