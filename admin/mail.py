"""Mail to users, by a server that is set: sent by and by, so that nobody learns from how long it takes."""

import asyncio
import logging
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

WAITING = 100  # messages that may wait; one more is dropped
PATIENCE = 10.0  # seconds that the server may take for a step

_TEXT = """Somebody, you we hope, wants a new password for {to} at {url}.

Set it within 15 minutes:

  {url}/reset-password?token={token}

or at a terminal:

  curl -X PUT "{url}/admin/user/reset-password?token={token}" \\
    -H content-type:application/json -d '{{"password": "..."}}'

If it was not you, do nothing.
"""


class Mail:
    """`server` is smtp://USER:PASSWORD@HOST:PORT, with TLS if it is offered, or smtps://, with it at once."""

    def __init__(self, server: str, sender: str, public_url: str) -> None:
        self._server, self._sender, self._url = urlsplit(server), sender, public_url.rstrip("/")
        self._waiting: asyncio.Queue[EmailMessage] = asyncio.Queue(WAITING)

    def send_reset(self, to: str, token: str) -> None:
        """A link to set a new password."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, "A new password"
        message.set_content(_TEXT.format(to=to, url=self._url, token=token))
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("a mail was dropped: too many wait for the server")

    async def run(self) -> None:
        """Sends, until it is cancelled."""
        while True:
            message = await self._waiting.get()
            try:
                await asyncio.to_thread(self._send, message)
            except (OSError, smtplib.SMTPException) as error:
                # The message of an error may name whom it was for.
                log.warning("a mail could not be sent: %s", type(error).__name__)

    def _send(self, message: EmailMessage) -> None:
        host, tls = self._server.hostname or "", ssl.create_default_context()
        if self._server.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self._server.port or 465, timeout=PATIENCE, context=tls
            )
        else:
            server = smtplib.SMTP(host, self._server.port or 587, timeout=PATIENCE)
        with server:
            server.ehlo_or_helo_if_needed()
            if self._server.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=tls)
            if self._server.username:
                if not isinstance(server.sock, ssl.SSLSocket):
                    raise smtplib.SMTPNotSupportedError("no TLS, so no password")
                server.login(unquote(self._server.username), unquote(self._server.password or ""))
            server.send_message(message)
