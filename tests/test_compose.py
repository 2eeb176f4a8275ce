"""compose.yaml and the Dockerfile, as far as they can be checked without a container engine."""

import importlib.util
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec.models import ComposeSpecification, Service

import admin.settings
import classifier.settings
import embedder.settings
import mien.launcher.settings
import store.settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SETTINGS = {
    "embedder": embedder.settings.Settings,
    "classifier": classifier.settings.Settings,
    "admin": admin.settings.Settings,
    "migrate": store.settings.Settings,
    "envoy": mien.launcher.settings.Settings,
}


def known(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_compose_keeps_to_the_specification() -> None:
    ComposeSpecification.model_validate(COMPOSE)
    assert {key for key in COMPOSE if not key.startswith("x-")} <= known(ComposeSpecification)
    for service in COMPOSE["services"].values():
        assert set(service) <= known(Service)


@pytest.mark.parametrize("name", SETTINGS)
def test_compose_sets_what_the_service_reads_and_all_that_it_requires(name: str) -> None:
    settings = {field.metadata["name"]: field for field in fields(SETTINGS[name])}
    given = set(COMPOSE["services"][name].get("environment", {}))
    assert given <= set(settings)
    assert {variable for variable, field in settings.items() if field.default is MISSING} <= given


def test_what_a_gpu_adds_keeps_to_it_too() -> None:
    added = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())
    ComposeSpecification.model_validate(added)
    assert set(added) == {"services"}
    assert set(added["services"]) == {"embedder"}
    embedder_of_a_gpu = added["services"]["embedder"]
    assert set(embedder_of_a_gpu) <= known(Service)
    settings = {field.metadata["name"] for field in fields(SETTINGS["embedder"])}
    assert set(embedder_of_a_gpu["environment"]) - {"CUDA_CACHE_PATH"} <= settings
    assert f"requirements/{embedder_of_a_gpu['build']['args']['EXTRA']}.txt" in {
        f"requirements/{file.name}" for file in (ROOT / "requirements").iterdir()
    }


def test_each_command_is_there() -> None:
    for service in COMPOSE["services"].values():
        for command in [service.get("command"), service.get("healthcheck", {}).get("test", [None])[1:]]:
            match command:
                case ["python", "-m", module, *_]:
                    assert importlib.util.find_spec(module), module
                case ["mien", *arguments]:
                    subprocess.run(
                        [sys.executable, "-m", "mien", arguments[0], "--help"],
                        check=True,
                        capture_output=True,
                    )


def test_only_envoy_is_published() -> None:
    published = [name for name, service in COMPOSE["services"].items() if "ports" in service]
    assert published == ["envoy"]


def test_our_containers_may_do_nothing_they_need_not() -> None:
    for name, service in COMPOSE["services"].items():
        if name != "postgres":
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]


def test_the_dockerfile_copies_every_package() -> None:
    copied = (ROOT / "Dockerfile").read_text()
    for package in ("mien", "serving", "store", "embedder", "classifier", "admin", "envoy", "proto"):
        assert f"COPY {package} {package}\n" in copied


def test_the_dockerfile_passes_its_linter() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert lint.returncode == 0, lint.stdout


def test_the_postgres_of_compose_can_search_vectors() -> None:
    assert COMPOSE["services"]["postgres"]["image"].startswith("pgvector/pgvector:pg")
