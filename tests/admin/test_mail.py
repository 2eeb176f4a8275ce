"""Forgotten passwords, with a mail server."""

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from queue import Queue

import pytest

from tests.admin.conftest import Admin, admin_behind_envoy
from tests.admin.test_accounts import refused
from tests.postgres import Server, new_database

PUBLIC = "https://mien.example"


class Mailbox(socketserver.ThreadingTCPServer):
    """As little of SMTP as there can be; what arrives is in `mails`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.mails: Queue[str] = Queue()


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 hello\r\n")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part.decode())
                self.server.mails.put("".join(lines))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if line == "QUIT" else b"250 good\r\n")
            if line == "QUIT":
                return


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        yield mailbox
        mailbox.shutdown()


@pytest.fixture(scope="module")
def site(mailbox: Mailbox, postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    settings = {
        "ADMIN_PUBLIC_URL": PUBLIC,
        "ADMIN_SMTP": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
        "ADMIN_MAIL_FROM": "mien@mien.example",
    }
    folder = tmp_path_factory.mktemp("mail")
    with new_database(postgres) as url, admin_behind_envoy(url, folder, **settings) as site:
        yield site


def forgot(site: Admin, email: str) -> object:
    return site.call("POST", "/user/forgot-password", json={"email": email})


def test_a_forgotten_password_is_mended_by_mail(site: Admin, mailbox: Mailbox) -> None:
    person = site.person("forgetful")
    assert site.call("GET", "/config").json()["mailServiceEnabled"] is True
    assert forgot(site, person.email.upper()).status_code == 200  # type: ignore[attr-defined]
    mail = mailbox.mails.get(timeout=10)
    assert f"To: {person.email}" in mail
    (token,) = set(re.findall(rf"{PUBLIC}/\S*?token=(?:3D)?([\w-]+)", mail.replace("=\r\n", "")))
    body = {"password": "battery staple"}
    assert site.call("PUT", f"/user/reset-password?token={token}", json=body).status_code == 200
    assert site.sign_in(person.email, "battery staple").status_code == 200


def test_who_has_no_account_is_answered_the_same_and_gets_no_mail(site: Admin, mailbox: Mailbox) -> None:
    person = site.person("known")
    answers = [forgot(site, email) for email in ("unknown@example.org", person.email)]
    assert answers[0].json() == answers[1].json()  # type: ignore[attr-defined]
    assert f"To: {person.email}" in mailbox.mails.get(timeout=10)  # the later one, and alone
    assert mailbox.mails.empty()


def test_links_are_not_sent_without_end(site: Admin, mailbox: Mailbox) -> None:
    person = site.person("flooded")
    for _ in range(3):
        assert forgot(site, person.email).status_code == 200  # type: ignore[attr-defined]
    assert refused(forgot(site, person.email))[:2] == (429, 0)
    deadline = time.monotonic() + 10
    while mailbox.mails.qsize() < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert mailbox.mails.qsize() == 3
