"""A pack of InsightFace's kind from its address to its answers, made of small networks of the same form."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedder.alignment import align
from embedder.checks import examine
from embedder.fetching.sources import Download
from embedder.networks import Networks, load
from embedder.pack import Pack, read_pack
from embedder.pack_errors import TermsNotAccepted
from embedder.preparation import prepare, prepared
from embedder.terms import accept, accepted
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from tests.embedder import small_networks, test_genderage, test_scrfd
from tests.embedder.conftest import Serving, saved
from tests.embedder.package_index import PackageIndex, packed

MAKERS = {"scrfd": test_scrfd.network, "recogniser": small_networks.recogniser, "age": test_genderage.network}
OUTPUTS = (face_pb2.FACE_OUTPUT_EMBEDDING, face_pb2.FACE_OUTPUT_AGE, face_pb2.FACE_OUTPUT_GENDER)


@pytest.fixture(params=["buffalo_l", "antelopev2"])
def published(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pack]:
    """The pack as it is published, but for what the networks have learnt, on a server of our own."""
    real = read_pack(request.param)
    made = {name: make(tmp_path / f"{name}.onnx").read_bytes() for name, make in MAKERS.items()}
    contents = {real.networks[name].member.path: content for name, content in made.items()}
    file = f"{real.name}.zip"
    archive, members, data = packed(file, {**contents, "1k3d68.onnx": b"not wanted"})
    by_path = {member.path: member for member in members}
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with PackageIndex() as server:
        server.files = {file: data}
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        source = Download(server.address(file, moved=True), archive.sha256)
        networks = {
            name: each._replace(archive=source, member=by_path[each.member.path])
            for name, each in real.networks.items()
        }
        yield replace(real, networks=networks, dimension=small_networks.DIMENSION)
        server.shutdown()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def ready(published: Pack, cache: Path) -> Networks:
    accept(published, cache)
    return load(published, prepare(published, cache))


def test_nothing_is_fetched_before_the_terms_are_accepted(published: Pack, cache: Path) -> None:
    with pytest.raises(TermsNotAccepted, match=r"research purposes only .*--accept-licence"):
        prepare(published, cache)
    assert not cache.exists()
    accept(published, cache)
    assert set(prepare(published, cache)) == {"scrfd", "recogniser", "age", "gender"}
    assert published.terms
    assert not accepted(replace(published, terms=published.terms._replace(says="something new")), cache)


def test_only_what_is_run_is_kept(published: Pack, cache: Path) -> None:
    accept(published, cache)
    assert prepared(published, cache) is None
    files = prepare(published, cache)
    assert prepared(published, cache) == files
    assert not list(cache.rglob("1k3d68.onnx"))
    assert not list(cache.rglob("*.part"))


async def test_a_photograph_goes_through_all_of_it(
    published: Pack, ready: Networks, serving: Serving, portrait: Image.Image
) -> None:
    async with serving(pack=published, networks=ready) as stub:
        answer = await stub.Analyze(
            pb.AnalyzeRequest(image=saved(portrait, "PNG"), outputs=OUTPUTS, max_faces=3)
        )
    pixels = np.asarray(portrait)
    found = ready.detector.find(pixels, 0.5)
    assert len(answer.faces) == min(3, len(found.scores)) > 0
    for each, face in enumerate(answer.faces):
        chip = align(pixels, found.landmarks[each], published.detection.template, 112)
        expected = small_networks.embedded(chip[None], [127.5, 127.5, 127.5], 127.5)[0]
        assert np.abs(np.array(face.embedding) - expected).max() < 1e-3
        assert face.age.low == face.age.high
        assert face.age.probability == 1
        assert 0.5 <= face.gender.probability <= 1
    assert answer.model.name == published.name
    assert [step.name for step in answer.steps] == ["detector", "recogniser", "age", "gender"]
    assert answer.steps[2].version.startswith(f"{published.name}/genderage@")


async def test_a_whole_image_is_taken_for_a_face(
    published: Pack, ready: Networks, serving: Serving, portrait: Image.Image
) -> None:
    request = pb.AnalyzeRequest(image=saved(portrait, "PNG"), outputs=OUTPUTS, whole_image=True)
    async with serving(pack=published, networks=ready) as stub:
        (face,) = (await stub.Analyze(request)).faces
    assert len(face.embedding) == small_networks.DIMENSION
    assert face.HasField("age")


def wrong(pack: Pack, cache: Path) -> list[str]:
    return [finding.wrong for finding in examine(pack, cache, "NAME") if finding.wrong]


def test_a_pack_that_is_not_there_or_damaged_is_told_so(published: Pack, cache: Path) -> None:
    findings = wrong(published, cache)
    assert findings == [
        f"{each}; run: mien models pull NAME" for each in ("not accepted", *["not fetched"] * 3)
    ]
    accept(published, cache)
    files = prepare(published, cache)
    files["scrfd"].write_bytes(b"damaged")
    assert wrong(published, cache) == ["damaged; run: mien models pull NAME"]
    prepare(published, cache)
    files["recogniser"].unlink()
    assert wrong(published, cache) == ["not made yet; run: mien models pull NAME"]
    prepare(published, cache)
    files["recogniser"].write_bytes(b"damaged")
    (told,) = wrong(published, cache)
    assert str(cache) in told
    assert "\n" not in told


def test_a_pack_whose_networks_do_not_fit_it_is_told_so(published: Pack, cache: Path) -> None:
    accept(published, cache)
    prepare(published, cache)
    assert wrong(replace(published, dimension=512), cache)


def test_networks_that_do_their_work_are_told_so(published: Pack, cache: Path, ready: Networks) -> None:
    assert wrong(published, cache) == []
