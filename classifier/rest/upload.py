"""The body of a request: an image file and form fields, as multipart or as base64 in JSON."""

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from google.api import httpbody_pb2
from multipart import MultipartError, MultipartParser, parse_options_header

from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused

EXTENSIONS = {"bmp", "gif", "ico", "jpeg", "jpg", "png", "tif", "tiff", "webp"}

# White space and the URL-safe letters count as base64, a `data:` prefix does not.
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_\-\s]*")


class Upload(NamedTuple):
    """An image file, not yet looked into, and the fields of the form it came with."""

    image: bytes
    form: Mapping[str, Sequence[str]]


def read_upload(body: httpbody_pb2.HttpBody, part: str = "file", field: str = "content") -> Upload:
    """The image in the multipart part or JSON member named `part`. Takes milliseconds: not for a loop.

    Raises Refused; `field` is what CompreFace calls the JSON member when it is empty.
    """
    kind, options = parse_options_header(body.content_type)
    if kind == "multipart/form-data":
        return _from_multipart(body.data, options.get("boundary", ""), part)
    return Upload(_from_json(body.data, part, field), {})


def _from_multipart(data: bytes, boundary: str, wanted: str) -> Upload:
    image: bytes | None = None
    form: defaultdict[str, list[str]] = defaultdict(list)
    try:
        # In memory from first to last: a photograph must not be spooled to a disk.
        parser = MultipartParser(
            BytesIO(data), boundary, spool_limit=len(data), memory_limit=len(data), disk_limit=0
        )
        for part in parser:
            if part.filename is None:
                form[part.name].append(part.value)
            elif part.name == wanted and image is None:
                _check_extension(part.filename)
                image = part.raw
    except (MultipartError, UnicodeDecodeError, ValueError) as error:
        raise Refused(0, SOMETHING_WENT_WRONG) from error
    if image is None:
        raise Refused(34, f"Required part {wanted} is missing")
    return Upload(image, form)


def _check_extension(filename: str) -> None:
    if filename.rpartition(".")[2].lower() not in EXTENSIONS:
        raise Refused(21, f"File [{filename}] has an unavailable extension")


def _from_json(data: bytes, member: str, field: str) -> bytes:
    try:
        content = json.loads(data)[member]
    except (KeyError, TypeError):
        content = None
    except (ValueError, RecursionError) as error:
        raise Refused(0, SOMETHING_WENT_WRONG) from error
    if not content or not isinstance(content, str):
        raise Refused(5, f"Field {field} cannot be empty")
    text = content.encode(errors="replace")
    if not _BASE64.fullmatch(text):
        raise Refused(21, "Provided value is not Base64")
    try:
        letters = re.sub(rb"[\s=]+", b"", text)
        return base64.urlsafe_b64decode(letters.translate(bytes.maketrans(b"+/", b"-_")) + b"==")
    except binascii.Error as error:
        raise Refused(21, "Provided value is not Base64") from error
