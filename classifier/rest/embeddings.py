"""Embeddings as JSON: of numbers in lists."""

from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused


def read_vectors(told: object, member: str) -> list[list[float]]:
    """The lists of numbers that a member of a JSON object holds. Raises Refused."""
    vectors = _member(told, member)
    return [_numbers(vector) for vector in vectors]


def read_vector(told: object, member: str) -> list[float]:
    """The list of numbers that a member of a JSON object is. Raises Refused."""
    return _numbers(_member(told, member))


def _member(told: object, member: str) -> list[object]:
    value = told.get(member) if isinstance(told, dict) else None
    if not value:
        raise Refused(5, f"Field {member} cannot be empty")
    if not isinstance(value, list):
        raise Refused(0, SOMETHING_WENT_WRONG)
    return value


def _numbers(vector: object) -> list[float]:
    if not isinstance(vector, list) or not all(type(each) in (int, float) for each in vector):
        raise Refused(0, SOMETHING_WENT_WRONG)
    try:
        return [float(each) for each in vector]
    except OverflowError as error:  # an integer beyond what a float holds
        raise Refused(0, SOMETHING_WENT_WRONG) from error
