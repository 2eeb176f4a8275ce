"""Where a call came from."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

from serving.guard import Context

_OWN = 64  # bits of an IPv6 address, which are its owner's to choose

HEADER = "x-envoy-external-address"  # Envoy sets it, whatever a caller says


def origin(context: Context) -> str | None:
    """The IP address that Envoy was called from, or that this process was, past Envoy."""
    told = dict(context.invocation_metadata() or ()).get(HEADER)
    if isinstance(told, str) and (address := _address(told)):
        return address
    kind, _, peer = unquote(context.peer()).partition(":")  # such as ipv6:[::1]:50052
    return _address(peer.rpartition(":")[0].strip("[]")) if kind in ("ipv4", "ipv6") else None


def owner(context: Context) -> str:
    """The same, in so far as it has one owner, for whom it is counted: of IPv6 the network."""
    address = origin(context)
    if address is None:
        return context.peer()
    return network(address)


def network(text: str) -> str:
    """An IPv4 address; of an IPv6 address its network, since one owner has all of that."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> _OWN << _OWN))
    return text


def _address(text: str) -> str | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address).partition("%")[0]
