"""The OpenAPI document of CompreFace's REST, made from the contract, and a page to read it on."""

from classifier.openapi.assembly import document
from classifier.openapi.reader import page

__all__ = ["document", "page"]
