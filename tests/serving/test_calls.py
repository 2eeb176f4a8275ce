"""Calls are counted by how they end, at a real server."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from serving.calls import Calls
from serving.faults import NoFace, Overloaded
from serving.metrics import CallMetrics
from serving.refusals import Refusals

CODES = {code.name for code in grpc.StatusCode}


async def answer(request: bytes, _: object) -> bytes:
    return request


async def refuse(request: bytes, _: object) -> bytes:
    raise Overloaded("busy") if request else NoFace("none")


async def fail(request: bytes, _: object) -> bytes:
    raise ZeroDivisionError


async def wait(request: bytes, _: object) -> bytes:
    await asyncio.sleep(30)
    return request


async def repeat(request: bytes, _: object) -> AsyncIterator[bytes]:
    yield request
    yield request
    if not request:
        await asyncio.sleep(30)


class Server(NamedTuple):
    channel: grpc.aio.Channel
    registry: CollectorRegistry

    async def call(self, method: str, request: bytes = b"", timeout: float | None = None) -> bytes:
        return await self.channel.unary_unary(f"/a.Service/{method}")(request, timeout=timeout)

    def ended(self, method: str) -> dict[str, float]:
        """How many calls of the method ended, by their codes."""
        labels = ({"method": f"a.Service/{method}", "code": code} for code in CODES)
        counted = {
            each["code"]: self.registry.get_sample_value("mien_grpc_calls_total", each) for each in labels
        }
        return {code: count for code, count in counted.items() if count}

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    server = grpc.aio.server(interceptors=[Calls(metrics), Refusals(metrics)])
    methods: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(method)
        for name, method in {"Answer": answer, "Refuse": refuse, "Fail": fail, "Wait": wait}.items()
    }
    methods["Repeat"] = grpc.unary_stream_rpc_method_handler(repeat)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("a.Service", methods)])
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Server(channel, registry)
    await server.stop(0)


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def test_calls_are_counted_by_method_and_code(server: Server) -> None:
    assert await server.call("Answer", b"x") == b"x"
    await server.call("Answer")
    for method, code in {"Refuse": "INVALID_ARGUMENT", "Fail": "INTERNAL"}.items():
        with pytest.raises(grpc.aio.AioRpcError):
            await server.call(method)
        await until(partial(lambda method, code: server.ended(method) == {code: 1}, method, code))
    assert server.ended("Answer") == {"OK": 2}
    assert server.value("mien_grpc_call_seconds_count", method="a.Service/Answer") == 2
    took = server.value("mien_grpc_call_seconds_sum", method="a.Service/Answer")
    assert took
    assert 0 < took < 1


async def test_refusals_are_counted_by_reason_and_what_fails_is_none(server: Server) -> None:
    for request, method in ((b"x", "Refuse"), (b"x", "Refuse"), (b"", "Refuse"), (b"", "Fail")):
        with pytest.raises(grpc.aio.AioRpcError):
            await server.call(method, request)
    assert server.value("mien_refusals_total", reason="OVERLOADED") == 2
    assert server.value("mien_refusals_total", reason="NO_FACE") == 1
    assert server.value("mien_refusals_total", reason="IMAGE_UNREADABLE") == 0
    (family,) = [each for each in server.registry.collect() if each.name == "mien_refusals"]
    assert sum(each.value for each in family.samples if each.name.endswith("_total")) == 3


async def test_a_call_in_progress_is_seen_and_one_given_up_is_cancelled(server: Server) -> None:
    call = server.channel.unary_unary("/a.Service/Wait")(b"")
    await until(lambda: server.value("mien_grpc_calls_in_progress", method="a.Service/Wait") == 1)
    assert server.ended("Wait") == {}
    call.cancel()
    await until(lambda: server.ended("Wait"))
    assert server.ended("Wait") == {"CANCELLED": 1}
    assert server.value("mien_grpc_calls_in_progress", method="a.Service/Wait") == 0


async def test_a_call_whose_time_is_up_is_too_late(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await server.call("Wait", timeout=0.1)
    await until(lambda: server.ended("Wait"))
    assert server.ended("Wait") == {"DEADLINE_EXCEEDED": 1}


async def test_a_stream_is_one_call_however_it_ends(server: Server) -> None:
    stream = server.channel.unary_stream("/a.Service/Repeat")
    assert [each async for each in stream(b"x")] == [b"x", b"x"]
    call = stream(b"")
    assert await call.read() == b""
    assert server.value("mien_grpc_calls_in_progress", method="a.Service/Repeat") == 1
    call.cancel()
    await until(lambda: server.value("mien_grpc_calls_in_progress", method="a.Service/Repeat") == 0)
    assert server.ended("Repeat") == {"OK": 1, "CANCELLED": 1}


async def test_a_method_that_is_not_there_leaves_no_name_behind(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
        await server.call("Invented")
    assert server.ended("Invented") == {}


async def test_health_can_be_watched_through_the_interceptors(server: Server) -> None:
    """Its method is a coroutine that writes, not a generator as those of our streams."""
    watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    method = "grpc.health.v1.Health/Watch"
    assert server.value("mien_grpc_calls_in_progress", method=method) == 1
    watch.cancel()
    await until(lambda: server.value("mien_grpc_calls_in_progress", method=method) == 0)
