"""Where a call came from."""

from ipaddress import ip_address
from urllib.parse import unquote

from serving.guard import Context

HEADER = "x-envoy-external-address"  # Envoy sets it, whatever a caller says


def origin(context: Context) -> str | None:
    """The IP address that Envoy was called from, or that this process was, past Envoy."""
    told = dict(context.invocation_metadata() or ()).get(HEADER)
    if isinstance(told, str) and (address := _address(told)):
        return address
    kind, _, peer = unquote(context.peer()).partition(":")  # such as ipv6:[::1]:50052
    return _address(peer.rpartition(":")[0].strip("[]")) if kind in ("ipv4", "ipv6") else None


def _address(text: str) -> str | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address).partition("%")[0]
