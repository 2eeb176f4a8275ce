"""Compiles proto/ whenever the package is built, so that no generated file is committed.

`python hatch_build.py` does the same in place, after an edit of a .proto file.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Envoy renders the detail of an error as JSON only if the descriptor set has its type.
DETAILS = "google/rpc/error_details.proto"

INSIDE = {"EmbedderService"}  # which nobody can call from outside


def compile_protos(root: Path) -> None:
    """Writes stubs and their types beside mien/v1/__init__.py, and mien/descriptor.pb for Envoy."""
    from grpc_tools import protoc

    # Where protoc finds its plugins: also in a virtual environment that is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for stale in (root / "mien").rglob("*_pb2*"):
        stale.unlink()
    proto = root / "proto"
    includes = [
        f"-I{path}"
        for path in (proto, _folder_of("google.api").parents[1], _folder_of("grpc_tools") / "_proto")
    ]
    ours = sorted(str(path.relative_to(proto)) for path in proto.rglob("*.proto"))
    stubs = [f"--{kind}_out={root}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    descriptor = [
        f"--descriptor_set_out={root}/mien/descriptor.pb",
        "--include_imports",
        "--include_source_info",
    ]
    for arguments in ([*stubs, *ours], [*descriptor, *ours, DETAILS]):
        if protoc.main(["protoc", *includes, *arguments]) != 0:
            raise SystemExit("protoc refused proto/; its complaint is above")


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is needed to compile proto/: pip install 'mien[dev]'")
    return Path(spec.submodule_search_locations[0])


def check_rules(root: Path) -> None:
    """Ends with a sentence if an RPC that can be called from outside does not say who may call it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    every = descriptor_pb2.FileDescriptorSet.FromString((root / "mien/descriptor.pb").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in every.file:
        pool.Add(file)
    options = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))
    access, scope = (pool.FindExtensionByName(f"mien.v1.{name}") for name in ("access", "scope"))
    access_named = pool.FindEnumTypeByName("mien.v1.Access").values_by_name
    by_key = {access_named[f"ACCESS_{name}"].number for name in ("RECOGNITION", "DETECTION", "VERIFICATION")}
    for file in every.file:
        for service in file.service:
            if not file.package.startswith("mien.") or service.name in INSIDE:
                continue
            for method in service.method:
                rule = options.FromString(method.options.SerializeToString()).Extensions
                if not rule[access] or (rule[access] in by_key and not rule[scope]):
                    raise SystemExit(
                        f"{file.package}.{service.name}.{method.name} does not say who may call it: give it"
                        " an access and, if that is a service's key, a scope (proto/mien/v1/access.proto)"
                    )


class CompileProtos(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if self.target_name == "wheel":
            compile_protos(Path(self.root))
            check_rules(Path(self.root))


if __name__ == "__main__":
    compile_protos(Path(__file__).parent)
    check_rules(Path(__file__).parent)
