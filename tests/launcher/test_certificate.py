"""The certificate of TLS: made, kept, made anew in time; or the operator's, if it will do."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from mien.launcher.certificate import CertificateError, given, self_made
from tests.certificates import vouched_for


def ends(file: Path) -> datetime:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc


def test_it_is_made_once_and_its_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    first = self_made(tmp_path / "tls")
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "tls/certificate.pem").read_bytes()
    assert self_made(tmp_path / "tls").fingerprint == first.fingerprint
    made = x509.load_pem_x509_certificate(first.chain.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost"} < set(names.get_values_for_type(x509.DNSName))
    assert {str(each) for each in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}


@pytest.mark.parametrize("left", [timedelta(days=59), timedelta(days=-1)])
def test_it_is_made_anew_before_it_ends(tmp_path: Path, left: timedelta) -> None:
    made = self_made(tmp_path)
    made.chain.write_bytes(vouched_for("localhost", "127.0.0.1", left))
    old = made.fingerprint
    assert self_made(tmp_path).fingerprint != old
    assert ends(made.chain) > datetime.now(UTC) + timedelta(days=365)
    assert ends(tmp_path / "certificate.pem") == ends(made.chain)


def test_it_is_made_anew_for_another_name_and_when_it_cannot_be_read(tmp_path: Path) -> None:
    first = self_made(tmp_path).fingerprint
    second = self_made(tmp_path, ["faces.example", "192.0.2.1"]).fingerprint
    assert second != first
    assert self_made(tmp_path, ["192.0.2.1"]).fingerprint == second
    (tmp_path / "private.pem").write_text("spoilt")
    assert self_made(tmp_path).fingerprint not in (first, second)


def test_the_operator_s_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes(vouched_for("faces.example", "192.0.2.1"))
    both = str(tmp_path / "both.pem")
    taken = given(both, both)
    assert taken
    assert len(taken.fingerprint.split(":")) == 32
    assert given(None, None) is None


def test_what_cannot_be_served_with_is_a_plain_sentence(tmp_path: Path) -> None:
    for name, lasts in {"one": 90, "two": 90, "old": -1}.items():
        (tmp_path / name).write_bytes(vouched_for("faces.example", "192.0.2.1", timedelta(days=lasts)))
    one, two, old = (str(tmp_path / name) for name in ("one", "two", "old"))
    (tmp_path / "text").write_text("text")
    for chain, key, says in (
        (one, None, "set both"),
        (one, two, "is not the key of"),
        (one, str(tmp_path / "text"), "must be PEM"),
        (one, str(tmp_path / "nothing"), "cannot be read"),
        (old, old, "ended on"),
    ):
        with pytest.raises(CertificateError, match=says):
            given(chain, key)
    with pytest.raises(CertificateError, match="no certificate can be made"):
        self_made(tmp_path / "text" / "tls")
