"""What lies outside of the mesh, as the settings name it: a provider to sign in by, a server for mail."""

from urllib.parse import urlsplit

from admin.mail import Mail
from admin.provider import Provider
from admin.settings import Settings
from serving.settings import SettingsError


def provider_of(settings: Settings) -> Provider | None:
    """None if none is set. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    host = urlsplit(settings.oidc_issuer)
    if host.scheme != "https" and host.hostname not in ("127.0.0.1", "localhost"):
        raise SettingsError("ADMIN_OIDC_ISSUER is https://HOST/PATH")
    if not settings.oidc_client_id or not settings.public_url:
        raise SettingsError("ADMIN_OIDC_ISSUER needs ADMIN_OIDC_CLIENT_ID and ADMIN_PUBLIC_URL too")
    redirect_uri = f"{settings.public_url.rstrip('/')}/admin/oidc/callback"
    return Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, redirect_uri)


def mail_of(settings: Settings) -> Mail | None:
    """None if none is set. Raises SettingsError."""
    if not settings.smtp:
        return None
    server = urlsplit(settings.smtp)
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        raise SettingsError("ADMIN_SMTP is smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS at once")
    if not settings.mail_from or not settings.public_url:
        raise SettingsError("ADMIN_SMTP needs ADMIN_MAIL_FROM and ADMIN_PUBLIC_URL too")
    return Mail(settings.smtp, settings.mail_from, settings.public_url)
