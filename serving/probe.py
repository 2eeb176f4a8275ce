"""`python -m serving.probe HOST:PORT`: ends well if the gRPC service there says it is SERVING."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PATIENCE = 3.0  # seconds


def is_serving(address: str, patience: float = PATIENCE) -> bool:
    """Asks once. A port where nothing answers in `patience` seconds is not serving."""
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=patience
            )
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m serving.probe HOST:PORT")
    raise SystemExit(0 if is_serving(sys.argv[1]) else f"{sys.argv[1]} is not serving")
