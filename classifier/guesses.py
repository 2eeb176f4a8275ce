"""Keys that open nothing, counted by the address they come from: who tries many is not let to try more."""

from collections import OrderedDict

from classifier.buckets import Bucket
from serving.faults import ApiKeyGuessed

AT_ONCE = 60  # keys that open nothing
A_SECOND = 1.0  # more of them
REMEMBERED = 10_000  # addresses


class Guesses:
    """Nobody guesses one of 2^122 keys. What this bounds is the look-ups in Postgres that trying costs."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def begin(self, address: str) -> None:
        """Before a key is looked up. Counts it as one that opens nothing. Raises ApiKeyGuessed."""
        bucket = self._buckets.setdefault(address, Bucket(A_SECOND, AT_ONCE))
        self._buckets.move_to_end(address)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if wait := bucket.take():
            raise ApiKeyGuessed(
                "too many API keys that open nothing came from this address; see to the one that you send,"
                " and try again later",
                wait,
            )

    def was_none(self, address: str) -> None:
        """After the look-up, if the key opened something, or nobody knows."""
        if bucket := self._buckets.get(address):
            bucket.give_back()
