"""SCRFD, on a network of the real one's outputs, beside the same computed face by face."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from embedder.detector import MOST, OVERLAP, to_canvas
from embedder.scrfd import SCRFD
from tests.embedder.small_networks import saved

CELLS = (8, 16, 32)
KINDS = {"score": 1, "bbox": 4, "kps": 10}  # numbers to a guess


def constants() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Of each output, how it comes of the average colours of a cell: two guesses' numbers."""
    random = np.random.default_rng(3)
    made = {}
    for cell in CELLS:
        for kind, width in KINDS.items():
            weights = random.normal(0, 1.5, (2 * width, 3, 1, 1)).astype(np.float32)
            made[f"{kind}_{cell}"] = abs(weights) if kind == "score" else weights  # nothing in the dark
            made[f"{kind}_{cell}_bias"] = random.normal(1 if kind == "bbox" else -1, 1, 2 * width).astype(
                np.float32
            )
            made[f"{kind}_{cell}_shape"] = np.array([-1, width], np.int64)  # type: ignore[assignment]
    return made


def network(path: Path, leading: bool = False) -> Path:
    """Nine outputs, in the real one's order: the scores of each scale, the boxes, the landmarks."""
    nodes, outputs = [], []
    made = constants()
    for cell in CELLS:
        how = {"kernel_shape": [cell, cell], "strides": [cell, cell]}
        nodes.append(helper.make_node("AveragePool", ["input.1"], [f"cells_{cell}"], **how))
    for kind, width in KINDS.items():
        for cell in CELLS:
            name = f"{kind}_{cell}"
            nodes.append(helper.make_node("Conv", [f"cells_{cell}", name, f"{name}_bias"], [f"{name}_map"]))
            last = f"{name}_map"
            if kind == "score":
                nodes.append(helper.make_node("Sigmoid", [last], [f"{name}_sure"]))
                last = f"{name}_sure"
            nodes.append(helper.make_node("Transpose", [last], [f"{name}_rows"], perm=[2, 3, 0, 1]))
            shape = [1, -1, width] if leading else [-1, width]
            made[f"{name}_shape"] = np.array(shape, np.int64)  # type: ignore[assignment]
            nodes.append(helper.make_node("Reshape", [f"{name}_rows", f"{name}_shape"], [f"{name}_out"]))
            dimensions = [1, None, width] if leading else [None, width]
            outputs.append(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, dimensions))
    taken = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "height", "width"])
    initialisers = [numpy_helper.from_array(value, name) for name, value in made.items()]
    return saved(helper.make_graph(nodes, "scrfd", [taken], outputs, initialisers), path)


class Guess(NamedTuple):
    score: float
    box: tuple[float, float, float, float]  # left, top, right, bottom
    marks: list[tuple[float, float]]


def guesses(image: np.ndarray[Any, Any], cell: int) -> list[Guess]:
    """Each guess of a scale, one by one, as InsightFace's own code defines it."""
    made, found = constants(), []
    rows, columns = image.shape[0] // cell, image.shape[1] // cell
    for row in range(rows):
        for column in range(columns):
            tile = image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            colours = (tile.astype(np.float64).mean((0, 1)) - 127.5) / 128.0  # red, green, blue
            for guess in range(2):
                told = {
                    kind: [
                        float(made[f"{kind}_{cell}"][guess * width + i, :, 0, 0] @ colours)
                        + float(made[f"{kind}_{cell}_bias"][guess * width + i])
                        for i in range(width)
                    ]
                    for kind, width in KINDS.items()
                }
                x, y = column * cell, row * cell
                left, top, right, bottom = (distance * cell for distance in told["bbox"])
                marks = [
                    (x + dx * cell, y + dy * cell) for dx, dy in zip(*[iter(told["kps"])] * 2, strict=True)
                ]
                score = 1 / (1 + np.exp(-told["score"][0]))
                found.append(Guess(score, (x - left, y - top, x + right, y + bottom), marks))
    return found


def shared(one: Guess, other: Guess) -> float:
    """Intersection over union."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(each.box[2] - each.box[0]) * (each.box[3] - each.box[1]) for each in (one, other)]
    return both / (sum(areas) - both)


def expected(pixels: np.ndarray[Any, Any], min_score: float) -> list[Guess]:
    """The best guess of each face, the largest first, in pixels of the canvas."""
    image = to_canvas(pixels).pixels
    every = [guess for cell in CELLS for guess in guesses(image, cell)]
    good = [g for g in every if g.score >= min_score and g.box[2] > g.box[0] and g.box[3] > g.box[1]]
    kept: list[Guess] = []
    for guess in sorted(good, key=lambda guess: -guess.score)[:MOST]:
        if all(shared(guess, other) <= OVERLAP for other in kept):
            kept.append(guess)
    return sorted(kept, key=lambda g: -(g.box[2] - g.box[0]) * (g.box[3] - g.box[1]))


@pytest.fixture(params=[False, True], ids=["as published", "with a leading axis"])
def scrfd(request: pytest.FixtureRequest, tmp_path: Path) -> SCRFD:
    return SCRFD(network(tmp_path / "scrfd.onnx", request.param))


def picture(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Patches of a colour each, with noise, so that no two cells are alike."""
    random = np.random.default_rng(rows)
    patches = random.integers(20, 236, (-(-rows // 24), -(-columns // 24), 3)).repeat(24, 0).repeat(24, 1)
    return (patches[:rows, :columns] + random.integers(-20, 21, (rows, columns, 3))).astype(np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(96, 160), (130, 75), (320, 640), (900, 1300)])
@pytest.mark.parametrize("min_score", [0.4, 0.7])
def test_faces_are_where_the_arithmetic_one_by_one_puts_them(
    scrfd: SCRFD, rows: int, columns: int, min_score: float
) -> None:
    pixels = picture(rows, columns)
    boxes, landmarks, scores = scrfd.find(pixels, min_score)
    wanted = expected(pixels, min_score)
    assert len(wanted) > 3
    assert len(scores) == len(wanted)
    scale = to_canvas(pixels).scale.astype(np.float64)
    for box, marks, score, guess in zip(boxes, landmarks, scores, wanted, strict=True):
        left, top, right, bottom = guess.box
        assert np.allclose(box * scale[[0, 1, 0, 1]], [left, top, right - left, bottom - top], atol=0.01)
        assert np.allclose(marks * scale, guess.marks, atol=0.01)
        assert score == pytest.approx(guess.score, abs=1e-5)


def test_where_nothing_scores_nothing_is_found(scrfd: SCRFD) -> None:
    assert [len(each) for each in scrfd.find(picture(64, 64), 1.0)] == [0, 0, 0]


def test_no_score_is_too_low_to_ask_for(scrfd: SCRFD) -> None:
    boxes, _, _ = scrfd.find(picture(320, 640), 0.0)
    assert 1 < len(boxes) <= 1000
    assert (boxes[:, 2:] > 0).all()
