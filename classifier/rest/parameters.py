"""Parameters as CompreFace reads them: from the query, and from the fields of a form."""

import re
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_LARGEST_INTEGER = 2**31 - 1
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_FLAGS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


class Parameters:
    """The parameters of one request. Of a number sent several times the first counts; texts are joined.

    What is not a parameter of the request counts as absent.
    """

    def __init__(self, form: Mapping[str, Sequence[str]], **query: Sequence[str]) -> None:
        self._values = {name: [*values, *form.get(name, ())] for name, values in query.items()}

    @classmethod
    def of(cls, request: Message, form: Mapping[str, Sequence[str]] | None = None) -> "Parameters":
        """Those of a request of the contract, which are its fields of type `repeated string`."""
        fields = request.DESCRIPTOR.fields
        names = [each.name for each in fields if each.is_repeated and each.type == each.TYPE_STRING]
        return cls(form or {}, **{name: getattr(request, name) for name in names})

    def text(self, name: str) -> str | None:
        """None if it is absent; it may be empty."""
        values = self._values.get(name)
        return ",".join(values) if values else None

    def required(self, name: str) -> str:
        """Its text, which may be empty. Raises Refused if it is absent."""
        text = self.text(name)
        if text is None:
            raise Refused(33, f"Required parameter {name} is missing")
        return text

    def integer(self, name: str, default: int, *, least: int, too_small: str) -> int:
        """Raises Refused if it is no integer, or with the message `too_small` if it is below `least`."""
        text = self._first(name)
        if not text:
            return default
        if not _INTEGER.fullmatch(text) or abs(int(text)) > _LARGEST_INTEGER:
            raise Refused(0, SOMETHING_WENT_WRONG)
        if (value := int(text)) < least:
            raise Refused(26, f"{too_small}; ")
        return value

    def number(self, name: str) -> float | None:
        """None if it is absent or empty. Raises Refused if it is no decimal number."""
        text = self._first(name)
        if not text:
            return None
        if not _DECIMAL.fullmatch(text):
            raise Refused(0, SOMETHING_WENT_WRONG)
        return float(text)

    def share(self, name: str, default: float) -> float:
        """A number in [0, 1]. Raises Refused if it is none."""
        value = self.number(name)
        if value is None:
            return default
        if not 0 <= value <= 1:
            raise Refused(26, f"{name} should be from 0 to 1; ")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Raises Refused if it is neither of the words for yes nor for no, in any letter case."""
        text = self._first(name).lower()
        if not text:
            return default
        if text not in _FLAGS:
            raise Refused(0, SOMETHING_WENT_WRONG)
        return _FLAGS[text]

    def page(self, name: str, default: int, *, least: int, most: int) -> int:
        """A number of a page: what cannot be read is the default, what is too large the most."""
        text = self._first(name)
        if not _INTEGER.fullmatch(text) or int(text) < least:
            return default
        return min(int(text), most)

    def _first(self, name: str) -> str:
        return next(iter(self._values.get(name, ())), "")
