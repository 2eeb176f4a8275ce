"""`python -m embedder`: the one place where its parts are put together."""

import os
import signal
import sys
import warnings

import cv2
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from embedder.device import CPU, DeviceUnusable, choose
from embedder.door import Door
from embedder.fetching.cache import default_cache
from embedder.fetching.progress import Logged
from embedder.fetching.web import FetchError
from embedder.metrics import Metrics
from embedder.networks import Networks, load
from embedder.pack import Pack, read_pack
from embedder.pack_errors import PackError
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.preparation import prepare
from embedder.servicer import Embedder
from embedder.settings import Settings
from mien.v1.embedder_pb2_grpc import add_EmbedderServiceServicer_to_server
from serving import logs
from serving.calls import Calls
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from serving.scraping import scraped
from serving.server import serve
from serving.settings import UNUSABLE, read_settings


def main() -> None:
    settings = read_settings(Settings, "EMBEDDER_")
    logs.set_up()
    # Until the server takes over: as the first process of a container it would not end by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.setswitchinterval(0.0002)  # seconds; a network that is done waits this long for the interpreter
    cv2.setNumThreads(1)  # as many images as there are cores are at work already
    # Else each counter has another beside it, of when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of strange files: their senders are told enough
    try:
        pack = read_pack(settings.pack, flip=bool(settings.flip))
        device = choose(settings.device)
        files = prepare(pack, settings.cache or default_cache(), Logged(), gpu=device != CPU)
        uvloop.run(run(settings, pack, load(pack, files, settings.precision, device)))
    except (DeviceUnusable, PackError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    except (FetchError, OSError) as error:
        raise SystemExit(str(error)) from None


async def run(settings: Settings, pack: Pack, networks: Networks) -> None:
    threads = settings.threads or len(os.sched_getaffinity(0))
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    calls, metrics = CallMetrics(registry), Metrics(registry)
    pool = Pool(threads, settings.queue, metrics)
    pipeline = Pipeline(pack, networks, pool, metrics, settings.max_pixels, settings.delay)
    with scraped(registry, settings.metrics):
        await serve(
            settings.listen,
            lambda server: add_EmbedderServiceServicer_to_server(Embedder(pipeline, calls), server),
            interceptors=[Calls(calls), Refusals(calls), Door(pool)],
            max_request=settings.max_request,
            background=[pipeline.work() for _ in range(threads)],
            ready=pipeline.warm_up(),
        )


if __name__ == "__main__":
    main()
