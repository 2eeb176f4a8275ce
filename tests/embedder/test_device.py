"""Where networks run, and what is said where they cannot. A GPU itself is tested where there is one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from embedder.cuda import missing, pin, told
from embedder.device import CPU, CUDA, Device, DeviceUnusable, choose, require
from embedder.fetching.cache import default_cache
from embedder.networks import load
from embedder.pack import Pack
from embedder.preparation import prepare
from embedder.runtime import onnxruntime
from embedder.session import Session
from embedder.settings import FLOAT16, FLOAT32
from embedder.staging import LANES, Staging

GPU_BUILD = CUDA in onnxruntime.get_available_providers()


def trouble() -> str:
    """What keeps a GPU from being tested here; nothing if all is well."""
    try:
        choose("cuda")
    except DeviceUnusable as error:
        return str(error)
    return ""


needs_gpu = pytest.mark.skipif(bool(trouble()), reason=trouble())


@pytest.mark.skipif(GPU_BUILD, reason="this onnxruntime is built for GPUs")
def test_a_build_for_the_cpu_runs_there_and_says_what_a_gpu_needs() -> None:
    assert choose(None) == choose("cpu") == CPU
    for wanted in ("cuda", "cuda:1"):
        with pytest.raises(DeviceUnusable, match=r"install mien\[server,gpu\].*EMBEDDER_DEVICE=cpu"):
            choose(wanted)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_what_is_no_device_is_refused(wanted: str) -> None:
    with pytest.raises(DeviceUnusable, match="there are cpu, cuda, and cuda:1"):
        choose(wanted)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("libcudnn.so.9: cannot open shared object file: No such file or directory", "cuDNN is missing"),
        (
            "libcublasLt.so.13: cannot open shared object file: No such file",
            "CUDA is missing (libcublasLt.so.13)",
        ),
        ("/x/libonnxruntime_providers_cuda.so: undefined symbol: Provider_GetHost", None),
    ],
)
def test_what_the_loader_says_is_told_in_words(error: str, says: str | None) -> None:
    assert (told(error) or "None").startswith(str(says))


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a driver")
def test_without_a_driver_that_is_said_first() -> None:
    assert missing() == "the NVIDIA driver is missing (libcuda.so.1)"


def test_what_cannot_be_pinned_works_all_the_same() -> None:
    assert pin(np.zeros(5)) in (True, False)


def test_a_session_without_its_gpu_is_none() -> None:
    require(CPU, ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnusable, match=r"cuda:7 cannot be used: `nvidia-smi -L`.*EMBEDDER_DEVICE=cpu"):
        require(Device(7), ["CPUExecutionProvider"])


def staged(network: Path, batches: tuple[int, ...]) -> Staging:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return Staging(session, ["embedding"], CPU, batches)


def test_batches_come_in_few_sizes_and_are_answered_as_they_are(networks: dict[str, Path]) -> None:
    staging = staged(networks["recogniser"], (1, 2, 4, 8, 16))
    chips = np.random.default_rng(0).integers(0, 256, (9, 150, 150, 3), np.uint8)
    (expected,) = Session(networks["recogniser"]).run(chips)
    for count in (1, 2, 3, 9, 5, 3):  # buffers that were used before hold nothing over
        (answer,) = staging.run(chips[:count])
        assert answer.shape == (count, 128)
        assert np.abs(answer - expected[:count]).max() < 1e-5
    assert {shape[0] for shape in staging._local.lanes} == {1, 2, 4, 8, 16}


def test_threads_do_not_share_buffers(networks: dict[str, Path]) -> None:
    staging = staged(networks["recogniser"], (1, 2))
    chips = np.random.default_rng(0).integers(0, 256, (8, 150, 150, 3), np.uint8)
    (expected,) = Session(networks["recogniser"]).run(chips)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda chip: staging.run(chip[None])[0][0], [*chips] * 5))
    assert np.abs(np.array(answers) - np.tile(expected, (5, 1))).max() < 1e-5


def test_buffers_of_few_shapes_are_kept(networks: dict[str, Path]) -> None:
    session = onnxruntime.InferenceSession(networks["yunet"], providers=["CPUExecutionProvider"])
    staging = Staging(session, [session.get_outputs()[0].name], CPU, (1,))
    for side in range(1, LANES + 4):
        staging.run(np.zeros((1, 3, 32, 32 * side), np.float32))
    kept = staging._local.lanes
    assert [shape[3] for shape in kept] == [32 * side for side in range(4, LANES + 4)]


@needs_gpu
@pytest.mark.parametrize("precision", [FLOAT32, FLOAT16])
def test_on_a_gpu_embeddings_are_what_they_are_on_the_cpu(pack: Pack, precision: str) -> None:
    device = choose("cuda")
    assert device == Device(0)
    files = prepare(pack, default_cache(), gpu=True)
    chips = list(np.random.default_rng(0).integers(0, 256, (37, 150, 150, 3), np.uint8))
    rows = [
        np.array(load(pack, files, how, each).recogniser.look(chips))
        for how, each in ((FLOAT32, CPU), (precision, device))
    ]
    assert (rows[0] * rows[1]).sum(1).min() > 0.999


@needs_gpu
def test_a_gpu_that_is_not_there_is_not_replaced(pack: Pack) -> None:
    with pytest.raises(DeviceUnusable, match="cuda:99 cannot be used"):
        load(pack, prepare(pack, default_cache(), gpu=True), FLOAT32, Device(99))
