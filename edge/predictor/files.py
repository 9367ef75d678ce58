"""The files that make up a package's model, and the one hash that stands for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deploy_targets.registry import backend
from edge.predictor.predictor import read_spec
from edge.workdir import sha256_file


def model_files(folder: Path) -> tuple[Path, ...]:
    """The model of a converted folder or a package, the main file first."""
    spec = read_spec(folder)
    return backend(spec.engine).files(folder / spec.model_file)


def artefact_sha256(folder: Path) -> str:
    """That of the file itself if there is one, else that of the list of files and their hashes."""
    files = model_files(folder)
    if len(files) == 1:
        return sha256_file(files[0])
    listed = "\n".join(f"{file.name} {sha256_file(file)}" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def size_bytes(folder: Path) -> int:
    """Of all files of the model."""
    return sum(file.stat().st_size for file in model_files(folder))
