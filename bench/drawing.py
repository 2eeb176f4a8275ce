"""The picture of a calibration: how far apart faces are, and what similarity makes of it."""

from pathlib import Path

import numpy as np

from bench.curve import similarity
from bench.pairs import Kind, Numbers, Pairs
from embedder.pack import Calibration

LEFT, RIGHT, TOP, BOTTOM = 64, 736, 84, 364  # where the axes lie, of 800 by 452 pixels
FARTHEST = 0.9  # the distance at the right end
BIN = 0.03
MOST = 25  # percent, at the top

# In the order of drawing: what each is called, and where that stands.
KINDS = {
    Kind.APART: ("strangers in two (%d)", LEFT + 456),
    Kind.TOGETHER: ("strangers in one photograph (%d)", LEFT + 196),
    Kind.GENUINE: ("one person (%d pairs)", LEFT),
}


def draw(pairs: Pairs, calibration: Calibration, pack: str) -> str:
    """An SVG of its own, for light and dark pages."""
    threshold = calibration.threshold
    style = Path(__file__).with_suffix(".css").read_text()
    x, y = f"{_x(threshold):.1f}", f"{_y(0.5):.1f}"
    title = f"Distance of two faces, and their similarity: pack {pack}"
    parts = [
        f'<text class="title" x="{LEFT}" y="28">{title}</text>',
        *_axes(),
        *(part for kind in KINDS for part in _bars(pairs.of(kind).distances, kind)),
        f'<path class="mark" d="M{x} {BOTTOM}V{TOP + 14}M{x} {y}H{RIGHT}"/>',
        f'<path class="curve" d="{_curve(calibration)}"/>',
        f'<circle class="point" cx="{x}" cy="{y}" r="5"/>',
        f'<text class="bold" x="{x}" y="{TOP + 26}" dx="8">similarity 0.5 at {threshold:g}</text>',
        f'<text class="bold" x="{RIGHT + 8}" y="{y}" dy="4">0.5</text>',
    ]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 452" role="img">',
            f"<title>{title}</title>",
            f'<style>\n{style}</style>\n<rect class="paper" width="800" height="452"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _x(distance: float) -> float:
    return LEFT + (RIGHT - LEFT) * distance / FARTHEST


def _y(share: float) -> float:
    """`share` of the height: of 1 on the right axis, of MOST on the left."""
    return BOTTOM - (BOTTOM - TOP) * share


def _axes() -> list[str]:
    parts = []
    for share in np.linspace(0, 1, 6):
        y = _y(share)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>')
        parts.append(f'<text class="quiet right" x="{LEFT - 8}" y="{y + 4:.1f}">{share * MOST:g} %</text>')
        parts.append(f'<text x="{RIGHT + 8}" y="{y + 4:.1f}">{share:g}</text>')
    for distance in np.arange(0, FARTHEST + 0.01, 0.1):
        x, cosine = _x(distance), 1 - distance**2 / 2
        parts.append(f'<path class="axis" d="M{x:.1f} {BOTTOM}v5"/>')
        parts.append(f'<text class="middle" x="{x:.1f}" y="{BOTTOM + 21}">{distance:.1f}</text>')
        parts.append(f'<text class="quiet middle" x="{x:.1f}" y="{BOTTOM + 39}">{cosine:.3g}</text>')
    middle = (LEFT + RIGHT) / 2
    return [
        *parts,
        f'<path class="axis" d="M{LEFT} {BOTTOM}H{RIGHT}"/>',
        f'<text class="middle" x="{middle}" y="{BOTTOM + 66}">Euclidean distance of unit embeddings; '
        'below it <tspan class="quiet">their cosine</tspan></text>',
        f'<text class="quiet middle" transform="translate(16 {_y(0.5)}) rotate(-90)">share of pairs</text>',
        f'<text class="middle" transform="translate(790 {_y(0.5)}) rotate(-90)">similarity</text>',
    ]


def _bars(distances: Numbers, kind: Kind) -> list[str]:
    counts = np.histogram(distances, np.arange(0, FARTHEST + BIN / 2, BIN))[0]
    first, last = np.flatnonzero(counts)[[0, -1]]
    steps = "".join(
        f"V{_y(counts[i] / len(distances) * 100 / MOST):.1f}H{_x((i + 1) * BIN):.1f}"
        for i in range(first, last + 1)
    )
    words, x = KINDS[kind]
    shape = f'class="bars {kind.name.lower()}"'
    return [
        f'<path {shape} d="M{_x(first * BIN):.1f} {BOTTOM}{steps}V{BOTTOM}Z"/>',
        f'<rect {shape} x="{x}" y="47" width="13" height="13"/>',
        f'<text x="{x + 20}" y="58">{words % len(distances)}</text>',
    ]


def _curve(calibration: Calibration) -> str:
    distances: Numbers = np.linspace(0, FARTHEST, 181)
    values = similarity(calibration, distances)
    return "M" + "L".join(f"{_x(d):.1f} {_y(s):.1f}" for d, s in zip(distances, values, strict=True))
