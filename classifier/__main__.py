"""Starts the classifier: the one place where its parts are put together."""

import logging

import grpc
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from classifier.adding import Adding
from classifier.allowances import Allowances
from classifier.analysis import Analyses
from classifier.batches import Batches
from classifier.enrolment import Enrolment
from classifier.exporting import Exporting
from classifier.galleries import Galleries
from classifier.gallery_servicer import GalleryServicer
from classifier.hashes import Hashes
from classifier.keyring import Keyring
from classifier.keys import Keys, most_faces
from classifier.memory import budget
from classifier.metrics import Holdings, lag
from classifier.moving import Mover
from classifier.presence import Presence
from classifier.recognition import Recognition
from classifier.recognition_servicer import RecognitionServicer
from classifier.requests import Requests
from classifier.rest.errors import tell
from classifier.rest.parts import Parts
from classifier.rest.servicer import CompreFace
from classifier.rest.upload import Limits
from classifier.settings import Settings
from classifier.upkeep import Upkeep
from classifier.vacuums import Vacuums
from classifier.verification import Verification
from mien.rest.v1.compreface_pb2_grpc import add_CompreFaceServiceServicer_to_server
from mien.v1.gallery_pb2_grpc import add_GalleryServiceServicer_to_server
from mien.v1.recognition_pb2_grpc import add_RecognitionServiceServicer_to_server
from serving import logs
from serving.calls import Calls
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from serving.scraping import scraped
from serving.server import serve, sizes
from serving.settings import read_settings
from store.additions import Additions
from store.attempts import Attempts
from store.chain import sealing
from store.database import Database
from store.follower import Follower
from store.gallery import GalleryStore
from store.held import Held
from store.receipts import Receipts

log = logging.getLogger(__name__)

# After an embedder or Envoy was away, the channel tries again this soon, at most.
SOON = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]


async def main(settings: Settings) -> None:
    async with (
        Database(settings.database_url) as database,
        grpc.aio.insecure_channel(settings.embedder, [*SOON, *sizes(settings.max_request)]) as channel,
    ):
        keyring, allowances = Keyring(database), Allowances(database)
        attempts = Attempts(database)
        keys = Keys(keyring, allowances, settings.max_staleness, attempts)
        analyses = Analyses(channel, settings.max_request, keys.spend_image)
        store, additions = GalleryStore(database), Additions(database)
        receipts = Receipts(database)
        registry = CollectorRegistry()
        memory = settings.memory or budget()
        log.info("galleries may take %d MiB here", memory >> 20)
        mover, requests = Mover(database, memory), Requests(database)
        galleries = Galleries(database, memory, settings.max_staleness, lag(registry).observe, mover.outgrown)
        hashes = Hashes(galleries)
        recognition, enrolment = Recognition(analyses, galleries), Enrolment(analyses, additions, most_faces)
        exporting = Exporting(Held(database))
        verification = Verification(analyses, store)
        ProcessCollector(registry=registry)
        registry.register(Holdings(galleries, hashes))
        metrics = CallMetrics(registry)
        adding = Adding(enrolment, Batches(additions), metrics, keys.still)
        limits = Limits(settings.max_file, settings.max_request)
        compreface = CompreFace(Parts(analyses, recognition, verification, enrolment, store, keys, limits))

        def register(server: grpc.aio.Server) -> None:
            add_RecognitionServiceServicer_to_server(
                RecognitionServicer(analyses, recognition, verification), server
            )
            add_GalleryServiceServicer_to_server(
                GalleryServicer(enrolment, adding, store, hashes, receipts, exporting, mover), server
            )
            add_CompreFaceServiceServicer_to_server(compreface, server)

        with scraped(registry, settings.metrics):
            await serve(
                settings.listen,
                register,
                interceptors=[
                    Calls(metrics),
                    Refusals(metrics, {"mien.rest.v1.CompreFaceService": tell}),
                    keys,
                    requests,
                ],
                max_request=settings.max_request,
                background=[
                    Follower(database, galleries.catch_up, keyring.wake).run(),
                    *(hashes.run(), keyring.run(), allowances.run(), attempts.run(), mover.run()),
                    *(requests.run(), sealing(database), Vacuums(database).run()),
                    Upkeep(database, settings.audit_days).run(),
                    Presence(receipts, galleries, settings.listen).run(),
                ],
                ready=database.migrated(),
            )


if __name__ == "__main__":
    settings = read_settings(Settings, "CLASSIFIER_")
    logs.set_up()
    # Else each counter has another beside it, of when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        uvloop.run(main(settings))
    except OSError as error:
        raise SystemExit(str(error)) from None
