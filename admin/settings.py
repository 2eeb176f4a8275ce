"""What the admin service reads from the environment."""

from dataclasses import dataclass

from serving.settings import setting


@dataclass(frozen=True)
class Settings:
    """Keeps accounts, applications and their services."""

    database_url: str = setting(
        "DATABASE_URL",
        "the database, as postgresql://USER:PASSWORD@HOST:PORT/NAME; `python -m store` makes its schema",
    )
    listen: str = setting("ADMIN_LISTEN", "address to serve gRPC on", "127.0.0.1:50053")
    metrics: str | None = setting(
        "ADMIN_METRICS", "where to serve metrics, over HTTP, as host:port; nowhere if unset", None
    )
    public_url: str | None = setting(
        "ADMIN_PUBLIC_URL",
        "where browsers reach this installation, as https://HOST; OIDC and mail need it",
        None,
    )
    oidc_issuer: str | None = setting(
        "ADMIN_OIDC_ISSUER", "the OpenID provider to sign in by, as https://HOST/PATH; none if unset", None
    )
    oidc_client_id: str | None = setting("ADMIN_OIDC_CLIENT_ID", "what that provider calls us", None)
    oidc_client_secret: str | None = setting(
        "ADMIN_OIDC_CLIENT_SECRET", "what that provider knows us by; unset for a public client", None
    )
    smtp: str | None = setting(
        "ADMIN_SMTP",
        "the server for mail, as smtp://USER:PASSWORD@HOST:PORT, or smtps://; no mail if unset",
        None,
    )
    mail_from: str | None = setting("ADMIN_MAIL_FROM", "whom mail is from, as mien@HOST", None)
    sign_up: str = setting(
        "ADMIN_SIGN_UP",
        "who may sign up by password after the first, who is the owner: open, anybody; closed, nobody",
        "open",
    )
