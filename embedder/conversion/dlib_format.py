"""Reads the layers of a network that dlib has serialised (dlib/dnn/core.h and layers.h say how)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]


class Convolution(NamedTuple):
    filters: Weights  # (out, in, rows, columns)
    bias: Weights  # (out,)
    stride: int
    padding: int


class Affine(NamedTuple):
    gamma: Weights  # (channels,)
    beta: Weights  # (channels,)


class Relu(NamedTuple):
    pass


class Add(NamedTuple):
    """Adds what a tag holds, the smaller of the two padded with zeros at the end of each axis."""


class Pool(NamedTuple):
    largest: bool  # else the average
    size: int  # 0: all rows and columns
    stride: int


class Linear(NamedTuple):
    weights: Weights  # (in, out)


class Tag(NamedTuple):
    """A tag or a skip layer: dlib does not write which, nor whose."""


Layer = Convolution | Affine | Relu | Add | Pool | Linear | Tag


class Network(NamedTuple):
    mean: tuple[float, float, float]  # of red, green and blue, to be taken off; the rest is divided by 256
    size: int  # width and height of the input, in pixels
    layers: list[Layer]  # from the input on


def read(data: bytes) -> Network:
    """The network of a `loss_metric` file. Raises ValueError if it is not one, or not to its last byte."""
    file = File(data)
    file.expect(1, "loss_metric_2")
    file.number(), file.number()  # margin and distance threshold: for training alone
    versions = [file.integer()]
    while versions[-1] != 3:  # layers by their versions, from the output on: 1 tag or skip, 3 the first
        versions.append(file.integer())
    file.expect("input_rgb_image_sized")
    mean = (file.number(), file.number(), file.number())
    size = file.integer()
    file.expect(size)
    layers = [Tag() if version == 1 else file.layer(version) for version in reversed(versions)]
    if file.at != len(data):
        raise ValueError(f"{len(data) - file.at} bytes are left over")
    return Network(mean, size, layers)


class File:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) != count:
            raise ValueError("the file ends early")
        self.at += count
        return taken

    def integer(self) -> int:
        control = self.take(1)[0]  # low bits: how many bytes follow; high bit: negative
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def number(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        return mantissa * 2.0**exponent

    def text(self) -> str:
        return self.take(self.integer()).decode()

    def expect(self, *values: int | str) -> None:
        for value in values:
            found = self.text() if isinstance(value, str) else self.integer()
            if found != value:
                raise ValueError(f"{value!r} was expected, {found!r} found")

    def shape(self, version: int) -> tuple[int, ...]:
        self.expect(version)
        return tuple(self.integer() for _ in range(4))

    def tensor(self) -> Weights:
        shape = self.shape(2)
        return np.frombuffer(self.take(4 * int(np.prod(shape))), "<f4").reshape(shape).astype(np.float32)

    def layer(self, version: int) -> Layer:
        layer = self._details(self.text())
        self.take(3)  # three booleans of the training
        for _ in range(3):
            self.tensor()  # gradients and cached output: empty
        if version == 3:
            self.integer()  # sample expansion factor
        return layer

    def _details(self, kind: str) -> Layer:
        match kind:
            case "relu_":
                return Relu()
            case "add_prev_":
                return Add()
            case "affine_":
                gamma, beta = np.split(self.tensor().ravel(), 2)
                self.shape(1), self.shape(1), self.integer()
                return Affine(gamma, beta)
            case "con_4":
                values = self.tensor().ravel()
                _, _, _, stride, _, padding, _ = (self.integer() for _ in range(7))
                shape = self.shape(1)
                self.shape(1), [self.number() for _ in range(4)]
                count = int(np.prod(shape))
                return Convolution(values[:count].reshape(shape), values[count:], stride, padding)
            case "max_pool_2" | "avg_pool_2":
                size, _, stride, _, _, _ = (self.integer() for _ in range(6))
                return Pool(kind == "max_pool_2", size, stride)
            case "fc_2":
                outputs, inputs = self.integer(), self.integer()
                weights = self.tensor().reshape(inputs, outputs)
                self.shape(1), self.shape(1)
                self.expect(1)  # no bias
                [self.number() for _ in range(4)]
                return Linear(weights)
        raise ValueError(f"layers of kind {kind!r} are not known")
