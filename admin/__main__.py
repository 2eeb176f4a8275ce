"""Starts the admin service: the one place where its parts are put together."""

import sys

import grpc
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from admin.account_servicer import AccountServicer
from admin.application_servicer import ApplicationServicer
from admin.callers import Callers
from admin.errors import tell
from admin.outside import mail_of, provider_of
from admin.passwords import Passwords
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
from store.attempts import Attempts
from store.database import Database

LARGEST = 1 << 20  # bytes of a request: forms and names


async def main(settings: Settings) -> None:
    if settings.sign_up not in ("open", "closed"):
        raise SettingsError("ADMIN_SIGN_UP is open or closed")
    async with Database(settings.database_url) as database:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        metrics = CallMetrics(registry)
        mail, attempts = mail_of(settings), Attempts(database)
        parts = (database, Passwords(), mail, provider_of(settings), settings, metrics, attempts)

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
                background=[sweep_on(database), attempts.run(), *([mail.run()] if mail else [])],
                ready=database.migrated(),
            )


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
