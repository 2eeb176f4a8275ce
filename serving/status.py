"""Between faults and the google.rpc.Status that carries them over the wire."""

from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

from mien.v1 import errors_pb2 as pb
from serving import faults

DOMAIN = "mien"  # of every ErrorInfo


def to_status(fault: faults.Fault) -> status_pb2.Status:
    """What gRPC clients and, through Envoy, REST clients of the native contract see of a fault."""
    info = Any()
    reason = pb.ErrorReason.Name(fault.reason).removeprefix("ERROR_REASON_")
    info.Pack(error_details_pb2.ErrorInfo(domain=DOMAIN, reason=reason, metadata=fault.facts))
    details = [info]
    if fault.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(fault.retry_after * 1e9))
        details.append(Any())
        details[-1].Pack(retry)
    return status_pb2.Status(code=fault.code.value[0], message=str(fault), details=details)


def from_status(status: status_pb2.Status) -> faults.Fault | None:
    """The fault another service of the mesh answered, to be raised on; None if it is not one of ours."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        for each in (info, retry):
            detail.Unpack(each)
    if info.domain != DOMAIN or info.reason not in _KINDS:
        return None
    fault = _KINDS[info.reason](status.message, **info.metadata)
    if retry.HasField("retry_delay"):
        fault.retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return fault


_KINDS = {
    pb.ErrorReason.Name(kind.reason).removeprefix("ERROR_REASON_"): kind
    for kind in faults.Fault.__subclasses__()
}
