"""What a caller is told, as the caller reads it."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from serving.faults import Fault
from serving.status import from_status


async def refusal(call: Awaitable[Any], kind: type[Fault]) -> dict[str, str]:
    """The facts of the fault that the call is refused with, which is of this kind and code."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() == kind.code, refused.value.details()
    status = rpc_status.from_call(refused.value)
    fault = from_status(status)
    assert type(fault) is kind
    return fault.facts
