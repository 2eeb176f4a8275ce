"""The subjects of a matrix: a number for each that has a face in it, its name, and how many it has."""

from array import array

from classifier.ids import Places


class Subjects:
    """Numbers are used again once their subject has gone."""

    def __init__(self) -> None:
        self._ids = bytearray()
        self._names: list[str] = []
        self._faces = array("i")
        self._free: list[int] = []
        self._numbers = Places(self.id_of)

    def __len__(self) -> int:
        return len(self._names) - len(self._free)

    def id_of(self, number: int) -> bytes:
        return bytes(self._ids[16 * number : 16 * number + 16])

    def name_of(self, number: int) -> str:
        return self._names[number]

    def faces_of(self, number: int) -> int:
        return self._faces[number]

    def find(self, id_: bytes) -> int | None:
        """The number of a subject, or None if it has no face here."""
        return self._numbers.find(id_)

    def take(self, id_: bytes, name: str, faces: int) -> int:
        """The number of a subject that gets so many faces more, and this name if it is new here."""
        number = self._numbers.find(id_)
        if number is None:
            if self._free:
                number = self._free.pop()
            else:
                number = len(self._names)
                self._ids += bytes(16)
                self._names.append("")
                self._faces.append(0)
            self._ids[16 * number : 16 * number + 16] = id_
            self._names[number] = name
            self._numbers.put(id_, number)
        self._faces[number] += faces
        return number

    def lose(self, number: int, faces: int) -> None:
        """Takes so many faces from a subject. Of one that has none left nothing stays in memory."""
        self._faces[number] -= faces
        if not self._faces[number]:
            self._numbers.remove(self.id_of(number))
            self._ids[16 * number : 16 * number + 16] = bytes(16)
            self._names[number] = ""
            self._free.append(number)

    def rename(self, number: int, name: str) -> None:
        self._names[number] = name

    @property
    def nbytes(self) -> int:
        """Its memory, with names as long as they commonly are."""
        return len(self._ids) + 12 * len(self._names) + 64 * len(self) + self._numbers.nbytes
