"""HTTP as a place of published files needs it: its certificate, its login, parts of files, another try."""

import http.client
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

T = TypeVar("T")

PAUSES = (0.3, 1.0, 2.0)  # seconds before each further try
PATIENCE = 30.0  # seconds without a byte before a try counts as failed
CHUNK = 1 << 18  # bytes


class FetchError(Exception):
    """Something could not be fetched. The message is one line and ends with what to do."""


class Interrupted(FetchError):
    """Trouble of the network that may have passed at the next try."""


class Web:
    """GET, with the certificates of `authority` (a file or folder) in place of the system's if given.

    A user and password in `index` go along to its host, and to no other. `remedy` is what its errors say
    can be done.
    """

    def __init__(self, index: str, authority: str | None, remedy: str) -> None:
        self.index = _without_login(index)
        self.remedy = remedy
        parts = urlsplit(index)
        self._host = parts.hostname
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._login = f"Basic {b64encode(login.encode()).decode()}" if parts.username else None
        try:
            trusted = {"capath" if Path(authority).is_dir() else "cafile": authority} if authority else {}
            self._ssl = ssl.create_default_context(**trusted)  # type: ignore[arg-type]
        except OSError as error:
            raise FetchError(f"{authority}: no certificates there ({error}); set PIP_CERT right") from None

    def get(self, url: str, *, accept: str = "*/*", start: int = 0) -> Any:
        """The response to a GET of `url` from byte `start` on; its status is 206 if that was heeded.

        Raises Interrupted, or FetchError if another try would not help.
        """
        try:
            request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "mien"})  # noqa: S310
        except ValueError as error:
            raise FetchError(self._told(url, str(error), self.remedy)) from None
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self._login and urlsplit(url).hostname == self._host:
            request.add_unredirected_header("Authorization", self._login)  # not to a host it sends us to
        try:
            # Of the index that the operator chose, or a file that it names; what comes is held to its sha256.
            return urllib.request.urlopen(request, timeout=PATIENCE, context=self._ssl)  # noqa: S310 # nosec B310
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:  # there is nothing after that byte: what we have is wrong
                return self.get(url, accept=accept)
            if error.code == 429 or error.code >= 500:
                raise Interrupted(self._told(url, f"answers {error.code}", "try again later")) from None
            raise FetchError(self._told(url, f"answers {error.code} {error.reason}", self.remedy)) from None
        except ValueError as error:
            raise FetchError(self._told(url, str(error), self.remedy)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._interrupted(url, error) from None

    def chunks(self, url: str, response: Any) -> Iterator[bytes]:
        """What is left of a response, until it ends or breaks off. Raises Interrupted."""
        while True:
            try:
                chunk: bytes = response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise self._interrupted(url, error) from None
            if not chunk:
                return
            yield chunk

    def _interrupted(self, url: str, error: Exception) -> Interrupted:
        reason = getattr(error, "reason", None) or error
        return Interrupted(
            self._told(url, f"cannot be reached ({reason})", f"check the network; {self.remedy}")
        )

    def _told(self, url: str, trouble: str, remedy: str) -> str:
        return f"{_without_login(url)} {trouble}: {remedy}"


def persistently(attempt: Callable[[], T]) -> T:
    """Calls `attempt` until it is not Interrupted, or for the last time."""
    for pause in PAUSES:
        try:
            return attempt()
        except Interrupted:
            time.sleep(pause)
    return attempt()


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
