"""Starts the admin service: the one place where its parts are put together."""

import sys
from urllib.parse import urlsplit

import grpc
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from admin.account_servicer import AccountServicer
from admin.application_servicer import ApplicationServicer
from admin.callers import Callers
from admin.errors import tell
from admin.passwords import Passwords
from admin.provider import Provider
from admin.settings import Settings
from admin.sweeping import sweep_on
from mien.v1.account_pb2_grpc import add_AccountServiceServicer_to_server
from mien.v1.application_pb2_grpc import add_ApplicationServiceServicer_to_server
from serving import logs
from serving.calls import Calls
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from serving.scraping import scraped
from serving.server import serve
from serving.settings import UNUSABLE, SettingsError, read_settings
from store.database import Database

LARGEST = 1 << 20  # bytes of a request: forms and names


async def main(settings: Settings) -> None:
    async with Database(settings.database_url) as database:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        metrics = CallMetrics(registry)
        parts = (database, Passwords(), None, provider_of(settings), settings)

        def register(server: grpc.aio.Server) -> None:
            add_AccountServiceServicer_to_server(AccountServicer(*parts), server)
            add_ApplicationServiceServicer_to_server(ApplicationServicer(*parts), server)

        tellings = dict.fromkeys(("mien.v1.AccountService", "mien.v1.ApplicationService"), tell)
        with scraped(registry, settings.metrics):
            await serve(
                settings.listen,
                register,
                interceptors=[Calls(metrics), Refusals(metrics, tellings), Callers(database)],
                max_request=LARGEST,
                background=[sweep_on(database)],
                ready=database.migrated(),
            )


def provider_of(settings: Settings) -> Provider | None:
    """The other provider to sign in by, if one is set. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    host = urlsplit(settings.oidc_issuer)
    if host.scheme != "https" and host.hostname not in ("127.0.0.1", "localhost"):
        raise SettingsError("ADMIN_OIDC_ISSUER is https://HOST/PATH")
    if not settings.oidc_client_id or not settings.public_url:
        raise SettingsError("ADMIN_OIDC_ISSUER needs ADMIN_OIDC_CLIENT_ID and ADMIN_PUBLIC_URL too")
    redirect_uri = f"{settings.public_url.rstrip('/')}/admin/oidc/callback"
    return Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, redirect_uri)


if __name__ == "__main__":
    settings = read_settings(Settings, "ADMIN_")
    logs.set_up()
    # Else each counter has another beside it, of when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        uvloop.run(main(settings))
    except OSError as error:
        raise SystemExit(str(error)) from None
    except SettingsError as error:
        print(f"{error}\nTry --help.", file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
