"""Galleries to fill, and embeddings to fill them with."""

import os
from uuid import UUID

import numpy as np
import psycopg
import pytest

from store.additions import Added, Additions, NewFace
from store.database import Database
from store.gallery import GalleryStore
from store.services import Service, create_service

IMAGE = b"an image file"
MODEL = "a model"
DIMENSION = 8


def new_service(url: str, kind: str = "recognition") -> tuple[Service, str]:
    """A service of a name of its own, and its key."""
    with psycopg.connect(url) as connection:
        return create_service(connection, f"service {os.urandom(6).hex()}", kind)


def new_gallery(url: str) -> UUID:
    gallery_id = new_service(url)[0].gallery_id
    assert gallery_id
    return gallery_id


def embedding(seed: int, dimension: int = DIMENSION) -> bytes:
    """float32 little-endian, norm 1, another one for each seed."""
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return bytes((vector / np.linalg.norm(vector)).astype("<f4").tobytes())


async def enrol(
    store: GalleryStore, gallery_id: UUID, subject: str, seed: int = 0, image: bytes = IMAGE
) -> Added:
    return await Additions(store._database).add(gallery_id, NewFace(subject, embedding(seed), MODEL, image))


@pytest.fixture
def store(database: Database) -> GalleryStore:
    return GalleryStore(database)


@pytest.fixture
def additions(database: Database) -> Additions:
    return Additions(database)


@pytest.fixture
def gallery_id(database_url: str) -> UUID:
    """An empty gallery."""
    return new_gallery(database_url)
