"""The certificate of TLS: the operator's, or one that is made here and made anew before it ends."""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LASTS = timedelta(days=397)  # as long as browsers take one for
_RENEWED = timedelta(days=60)  # before it ends
_ALWAYS = ("localhost", "127.0.0.1", "::1")

# Envoy's answers.lua knows one by it: browsers are not told to insist on what nobody has vouched for.
_SELF_MADE = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mien self-made")])


class CertificateError(Exception):
    """There is no certificate to serve with. The message says why, for people."""


class Certificate(NamedTuple):
    """Two PEM files, which may be one."""

    chain: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the server's own certificate, as OpenSSL and browsers show it."""
        return x509.load_pem_x509_certificate(self.chain.read_bytes()).fingerprint(hashes.SHA256()).hex(":")


def given(chain_file: str | None, key_file: str | None) -> Certificate | None:
    """The operator's, or None if none is named. Raises CertificateError if it cannot be served with."""
    if chain_file is None and key_file is None:
        return None
    if chain_file is None or key_file is None:
        raise CertificateError("MIEN_TLS_CERTIFICATE and MIEN_TLS_KEY go together: set both or none")
    chain, key = Path(chain_file), Path(key_file)
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise CertificateError(f"{error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # TypeError: the key has a password
        raise CertificateError(f"{chain} and {key} must be PEM, the key without a password") from None
    if private.public_key() != certificate.public_key():
        raise CertificateError(f"{key} is not the key of {chain}")
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise CertificateError(f"{chain} ended on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return Certificate(chain.absolute(), key.absolute())


def self_made(folder: Path, names: Sequence[str] = ()) -> Certificate:
    """The one of this folder: made if there is none, or it ends soon, or it lacks one of the names.

    Beside what holds the key, certificate.pem is for clients to trust. Raises CertificateError.
    """
    private = folder / "private.pem"
    wanted = [*_ALWAYS, socket.gethostname(), *names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _will_do(private, wanted):
            pem = _made(wanted, LASTS)
            _put(folder / "certificate.pem", pem[pem.index(b"-----BEGIN CERTIFICATE") :], 0o644)
            _put(private, pem, 0o600)
    except OSError as error:
        raise CertificateError(f"no certificate can be made in {folder}: {error.strerror}") from None
    return Certificate(private, private)


def _will_do(file: Path, names: Iterable[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError):
        return False
    enough = datetime.now(UTC) + _RENEWED < certificate.not_valid_after_utc
    return enough and set(map(_name, names)) <= set(has)


def _made(names: Sequence[str], lasts: timedelta) -> bytes:
    """A key and its certificate, in one piece: they are replaced together."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signs = dict.fromkeys(
        [
            *["content_commitment", "key_encipherment", "data_encipherment", "key_agreement"],
            *["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"],
        ],
        False,
    )
    builder = x509.CertificateBuilder(_SELF_MADE, _SELF_MADE, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + lasts)
    for extension, critical in (
        (x509.SubjectAlternativeName(map(_name, dict.fromkeys(names))), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, **signs), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (own, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False),
    ):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _put(file: Path, content: bytes, mode: int) -> None:
    """In one step, which is also what Envoy waits for to read it again."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_bytes(content)
    new.rename(file)
