"""What CompreFace's REST stands on: the native functions, and the limits of uploads."""

from typing import NamedTuple

from classifier.analysis import Analyses
from classifier.enrolment import Enrolment
from classifier.keys import Keys
from classifier.recognition import Recognition
from classifier.rest.upload import Limits
from classifier.verification import Verification
from store.gallery import GalleryStore


class Parts(NamedTuple):
    analyses: Analyses
    recognition: Recognition
    verification: Verification
    enrolment: Enrolment
    store: GalleryStore
    keys: Keys
    limits: Limits


class Paths:
    """Some of CompreFaceService's paths."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
