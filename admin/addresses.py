"""Where a call comes from, as Envoy saw it."""

import ipaddress

from admin.cookies import metadata_of
from serving.guard import Context


def address_of(context: Context) -> str:
    """The caller's address; of IPv6 its network, since one caller has as many as it likes of those."""
    # Envoy adds the address it was called from at the end; what stands before is the caller's invention.
    forwarded = metadata_of(context).get("x-forwarded-for", "")
    text = forwarded.rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return str(context.peer()).rpartition(":")[0]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text
