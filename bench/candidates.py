"""The ways to find faces that are compared."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.quantising import quantised
from embedder.centerface import CenterFace
from embedder.chips import read_chip
from embedder.detector import Detector
from embedder.refining import Refined
from embedder.yunet import YuNet

SIZES = (320, 480, 640, 800, 1024)  # pixels along the longer side
BEFORE = "CenterFace 640"  # to which milliseconds and embeddings are compared
SHIPPED = "YuNet 640, 160 + CenterFace"


class Candidate(NamedTuple):
    detector: Detector
    min_score: float
    template: NDArray[np.float64]  # (5, 2): where its landmarks lie on dlib's chips


def candidates(networks: dict[str, Path], samples: Path, folder: Path) -> dict[str, Candidate]:
    """By their names. Networks of bytes are calibrated on photographs in `samples` and put in `folder`."""
    templates = {
        name: read_chip("dlib150", name).template for name in ("centerface", "yunet", "yunet+centerface")
    }
    center, yunet = networks["centerface"], networks["yunet"]
    center8, yunet8 = (quantised(name, networks[name], samples, folder) for name in ("centerface", "yunet"))

    def centerface(path: Path, size: int) -> Candidate:
        return Candidate(CenterFace(path, size), 0.5, templates["centerface"])

    def small(path: Path, size: int) -> Candidate:
        return Candidate(YuNet(path, size), 0.6, templates["yunet"])

    def both(placer: Path, sides: tuple[int, ...]) -> Candidate:
        return Candidate(Refined(yunet, placer, sides), 0.5, templates["yunet+centerface"])

    return {
        BEFORE: centerface(center, 640),
        **{f"CenterFace {size}": centerface(center, size) for size in SIZES if size != 640},
        "CenterFace 640, int8": centerface(center8, 640),
        **{f"YuNet {size}": small(yunet, size) for size in SIZES},
        "YuNet 640, int8": small(yunet8, 640),
        **{f"YuNet {size} + CenterFace": both(center, (size,)) for size in SIZES},
        "YuNet 640, 320 + CenterFace": both(center, (640, 320)),
        SHIPPED: both(center, (640, 160)),
        f"{SHIPPED}, int8": both(center8, (640, 160)),
    }
