"""How large requests may be, at Envoy and at every service behind it alike."""

MAX_REQUEST = 10 << 20  # bytes; MIEN_MAX_REQUEST_BYTES sets another
MAX_FILE = 5 << 20  # bytes of one image in CompreFace's REST; MIEN_MAX_FILE_BYTES sets another

SMALL_BODY = 1 << 20  # bytes of a body without images or embeddings; Envoy refuses more


def largest_body(max_request: int) -> int:
    """The bytes of a body that Envoy takes: base64 in JSON makes a third more of an image."""
    return max_request * 7 // 5


def largest_message(max_request: int) -> int:
    """The bytes of a gRPC message: above what Envoy takes, so that Envoy's refusal comes first."""
    return largest_body(max_request) + (2 << 20)
