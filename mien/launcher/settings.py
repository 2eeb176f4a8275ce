"""What `mien up` and `mien gateway` read from the environment; services they start read theirs from it."""

from dataclasses import dataclass

from serving.limits import MAX_REQUEST
from serving.settings import setting


@dataclass(frozen=True)
class Settings:
    """Runs the mesh, or Envoy alone."""

    database_url: str | None = setting(
        "DATABASE_URL", "the database to use; `mien up` runs one of its own if unset", None
    )
    pack: str | None = setting(
        "EMBEDDER_PACK", "the model pack; the one that `mien models use` chose if unset, else open", None
    )
    max_request: int = setting(
        "MIEN_MAX_REQUEST_BYTES",
        "the largest request, in bytes; set it alike for every process of the mesh",
        MAX_REQUEST,
    )
    tls_certificate: str | None = setting(
        "MIEN_TLS_CERTIFICATE", "PEM file of the certificate and its chain; one is made if unset", None
    )
    tls_key: str | None = setting(
        "MIEN_TLS_KEY", "PEM file of the certificate's key, without a password", None
    )
    tls_names: str = setting(
        "MIEN_TLS_NAMES", "names and addresses, with commas, that the certificate that is made is for too", ""
    )
    rate: int | None = setting(
        "MIEN_MAX_RATE",
        "requests a second that one client address may send, twice as many at once; by cores if unset",
        None,
    )
    origins: str = setting(
        "MIEN_CORS_ORIGINS",
        "origins, with commas, whose pages may call more than CompreFace's API: https://example.org",
        "",
    )
