"""HTTP on this machine, where there is no TLS."""

import ssl

# httpx would read the certificates of the world for each client, which takes longer than most calls.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
