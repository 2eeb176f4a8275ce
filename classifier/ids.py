"""A hash table from ids of 16 bytes to places, which keeps the places alone: some 8 bytes for each."""

from array import array
from collections.abc import Callable, Iterable

_SHARDS = 4096  # small tables, so that none takes long to grow: 2 ms each at ten million ids
_LEAST = 8  # slots of a shard
_EMPTY = -1


class Places:
    """Where ids are. `id_at` says which id is at a place; places are in [0, 2^31).

    Open addressing with linear probing. What is removed leaves no mark behind: those that follow move up.
    """

    def __init__(self, id_at: Callable[[int], bytes]) -> None:
        self._id_at = id_at
        self._shards: dict[int, array[int]] = {}
        self._filled: dict[int, int] = {}
        self._least = _LEAST
        self._slots = 0  # of all shards

    def expect(self, ids: int) -> None:
        """Makes room for so many from the start, so that nothing has to grow on the way."""
        while 2 * self._least * _SHARDS < 3 * ids:  # at two thirds a shard would grow
            self._least *= 2

    def find(self, id_: bytes) -> int | None:
        """The place of an id, or None."""
        key = hash(id_)
        slots = self._shards.get(key % _SHARDS)
        if slots is None:
            return None
        place = slots[self._slot(slots, key, id_)]
        return None if place == _EMPTY else place

    def put(self, id_: bytes, place: int) -> None:
        """Remembers where an id is from now on. `id_at(place)` must answer it already."""
        key = hash(id_)
        number = key % _SHARDS
        slots = self._shards.get(number)
        if slots is None:
            slots = self._shards[number] = array("i", [_EMPTY]) * self._least
            self._slots += len(slots)
            self._filled[number] = 0
        slot = self._slot(slots, key, id_)
        if slots[slot] == _EMPTY:
            if 3 * (self._filled[number] + 1) > 2 * len(slots):
                self._slots += len(slots)  # so many more
                slots = self._shards[number] = self._grown(slots)
                slot = self._slot(slots, key, id_)
            self._filled[number] += 1
        slots[slot] = place

    def put_new(self, ids: Iterable[bytes], first: int) -> None:
        """The same for ids that are nowhere yet, at places from `first` on: several times as quick."""
        shards, filled = self._shards, self._filled
        for place, id_ in enumerate(ids, first):
            key = hash(id_)
            number = key % _SHARDS
            slots = shards.get(number)
            if slots is None or 3 * (filled[number] + 1) > 2 * len(slots):
                self.put(id_, place)
                continue
            last = len(slots) - 1
            slot = (key // _SHARDS) & last
            while slots[slot] != _EMPTY:
                slot = (slot + 1) & last
            slots[slot] = place
            filled[number] += 1

    def remove(self, id_: bytes) -> None:
        """Forgets an id that is there. `id_at` must still answer it at its place."""
        key = hash(id_)
        slots = self._shards[key % _SHARDS]
        last = len(slots) - 1
        hole = self._slot(slots, key, id_)
        slots[hole] = _EMPTY
        self._filled[key % _SHARDS] -= 1
        slot = hole
        while (place := slots[slot := (slot + 1) & last]) != _EMPTY:
            home = _home(hash(self._id_at(place)), last)
            # It may fill the hole unless its own way to `slot` begins behind the hole.
            if (slot - home) & last >= (slot - hole) & last:
                slots[hole], slots[slot] = place, _EMPTY
                hole = slot

    @property
    def nbytes(self) -> int:
        """The memory of its slots. Asked for at every change of a gallery: it is counted as they grow."""
        return self._slots * array("i").itemsize

    def _slot(self, slots: "array[int]", key: int, id_: bytes) -> int:
        """Where the id is among the slots, or where it would be."""
        last = len(slots) - 1
        slot = _home(key, last)
        while (place := slots[slot]) != _EMPTY and self._id_at(place) != id_:
            slot = (slot + 1) & last
        return slot

    def _grown(self, slots: "array[int]") -> "array[int]":
        grown = array("i", [_EMPTY]) * (2 * len(slots))
        last = len(grown) - 1
        for place in slots:
            if place != _EMPTY:
                slot = _home(hash(self._id_at(place)), last)
                while grown[slot] != _EMPTY:
                    slot = (slot + 1) & last
                grown[slot] = place
        return grown


def _home(key: int, last: int) -> int:
    return (key // _SHARDS) & last
