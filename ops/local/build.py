"""Builds the template for this machine with `sam build`; skips the build when none of its inputs changed."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .host import ROOT, WORK, run


@dataclass(frozen=True, slots=True)
class Build:
    """The output of `sam build`: one folder per function and layer beside `template`. `digest` hashes the inputs."""

    template: Path
    digest: str

    def read(self) -> dict[str, Any]:
        """The template as data, with intrinsic functions in their long form, as `sam build` writes them."""
        template: dict[str, Any] = yaml.load(self.template.read_text(), yaml.CSafeLoader)
        return template

    def artifact(self, logical_id: str) -> Path:
        return self.template.parent / logical_id


def build(project: Path = ROOT) -> Build:
    """The project's build for this interpreter and processor. Raises EngineError when `sam build` fails."""
    folder = WORK / "build" / project.name
    stamp = folder.with_suffix(".stamp")
    result = Build(folder / "template.yaml", _digest(project))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may need the same build at once
        if not (result.template.exists() and stamp.exists() and stamp.read_text() == result.digest):
            stamp.unlink(missing_ok=True)
            _sam_build(project, folder)
            stamp.write_text(result.digest)
    return result


def _sam_build(project: Path, folder: Path) -> None:
    cache = WORK / "build-cache" / f"{sys.implementation.cache_tag}-{platform.machine()}"
    run(
        [
            "sam",
            "build",
            "--template",
            project / "template.yaml",
            "--build-dir",
            folder,
            "--cached",
            "--cache-dir",
            cache,
        ],
        cwd=project,
        environment={"BUILD_FOR": "host", "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"},
    )


def _digest(project: Path) -> str:
    """One hash of everything a build reads: template, functions, layers, interpreter and processor."""
    digest = hashlib.sha256(f"{sys.version} {platform.machine()}".encode())
    sources = [project / "template.yaml", *(project / "functions").rglob("*"), *(project / "layers").rglob("*")]
    for source in sorted(sources):
        if source.is_file() and "__pycache__" not in source.parts:
            digest.update(f"\0{source.relative_to(project)}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:40]
