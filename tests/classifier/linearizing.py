"""Whether the calls of a history could have happened one after another.

Each at some moment between its beginning and its end, on one gallery: the search of Wing and Gong, with the
memory of Lowe.
"""

import math
from collections.abc import Hashable, Iterator
from typing import NamedTuple

# What became of a call whose answer was lost: it may have happened, at any later time, or not.
UNKNOWN = object()


class Call(NamedTuple):
    began: float
    ended: float  # math.inf if its answer was lost
    kind: str
    arguments: tuple[Hashable, ...]
    answer: object  # or UNKNOWN


class State(NamedTuple):
    """A gallery as the model has it. Of several faces the one with the lowest number is the best match."""

    faces: frozenset[tuple[int, str]] = frozenset()  # number and subject
    subjects: frozenset[str] = frozenset()  # those without faces too


def applied(state: State, kind: str, *arguments: Hashable) -> tuple[State, object]:
    """The state after a call, and what it answers."""
    faces, subjects = state
    match kind, *arguments:
        case "add", int(face), str(subject):
            return State(faces | {(face, subject)}, subjects | {subject}), "added"
        case "delete", int(face):
            found = [each for each in faces if each[0] == face]
            return (State(faces - {*found}, subjects), found[0][1]) if found else (state, "missing")
        case "rename", str(subject), str(new):
            if subject not in subjects:
                return state, "missing"
            moved = frozenset((face, new if name == subject else name) for face, name in faces)
            return State(moved, subjects - {subject} | {new}), "merged" if new in subjects else "renamed"
        case "delete subject", str(subject):
            if subject not in subjects:
                return state, "missing"
            gone = {each for each in faces if each[1] == subject}
            return State(faces - gone, subjects - {subject}), len(gone)
        case "search", *_:
            best: dict[str, int] = {}
            for face, subject in sorted(faces):
                best.setdefault(subject, face)
            return state, tuple(best.items())
    raise ValueError(kind)


def is_linearizable(history: list[Call]) -> bool:
    must = sum(1 << index for index, call in enumerate(history) if call.answer is not UNKNOWN)
    pending, seen = [(0, State())], set()
    while pending:
        place = done, state = pending.pop()
        if done & must == must:
            return True
        if place in seen:
            continue
        seen.add(place)
        for index, call in _next(history, done):
            after, answer = applied(state, call.kind, *call.arguments)
            if call.answer is UNKNOWN or call.answer == answer:
                pending.append((done | 1 << index, after))
    return False


def _next(history: list[Call], done: int) -> Iterator[tuple[int, Call]]:
    """The calls that may have happened before every other one that has not."""
    left = [(index, call) for index, call in enumerate(history) if not done >> index & 1]
    first = min((call.ended for _, call in left), default=math.inf)
    return ((index, call) for index, call in left if call.began <= first)
