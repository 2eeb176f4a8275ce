"""What makes a decision about a face less sure than its rate says."""

from enum import Enum

from classifier.faces import Found


class Doubt(Enum):
    """As the contract's Doubt says."""

    SMALL = 1
    BLURRED = 2
    TURNED_AWAY = 3
    BADLY_LIT = 4


def doubts(found: Found) -> tuple[Doubt, ...]:
    """What of a face makes a decision less sure; nothing if its quality is not known."""
    if found.quality is None:
        return ()
    _, sharpness, size, frontality, exposure = found.quality
    seen = {
        Doubt.SMALL: size < 0.5,
        Doubt.BLURRED: sharpness < 0.5,
        Doubt.TURNED_AWAY: frontality < 0.7,
        Doubt.BADLY_LIT: exposure < 0.5,
    }
    return tuple(doubt for doubt, holds in seen.items() if holds)
