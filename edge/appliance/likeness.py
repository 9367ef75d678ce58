"""When two requests must give the same package: same words, same data, same settings, same machine, same libraries.

Only what a job reads is compared, by name, size and time of change, never by reading large data. Where a request names
no data, the registered sets are looked through by the job; so the list of them is compared, and the sets it took.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.appliance.entry import Entry
from edge.appliance.order import Order
from edge.errors import EdgeError
from edge.registry import Registry
from edge.settings import Settings, resolve
from edge.versions import versions
from edge.workdir import files_fingerprint, sha256_file
from zoo.supply.files import write_whole
from zoo.supply.places import data_folder

DOCUMENT = "likeness.json"


@dataclass(frozen=True)
class Likeness:
    """`machine` is what measurements hold for; `key` is everything, empty where no data can be found."""

    key: str
    machine: str


def likeness(order: Order) -> Likeness:
    """Of a request, here and now.

    Raises:
        BadRequest: the settings cannot be used.
    """
    settings = resolve(threads=order.threads, seed=order.seed)
    machine = machine_key()
    try:
        data = [(one.name, str(one.root)) for one in Registry(settings.data_home).find(order.data)]
    except EdgeError:  # the job says it better, and by then the data may be there
        return Likeness("", machine)
    asked = {name: value for name, value in asdict(order).items() if name not in ("data", "priority")}
    parts = {
        "machine": machine,
        "asked": asked,
        "settings": {name: str(value) for name, value in asdict(settings).items() if name != "profiles"},
        "llm": _seen(settings.llm),
        "data": data or _registered(settings),
        "weights": "scratch" if order.scratch else _weights(settings),
    }
    return Likeness(_digest(parts), machine)


def machine_key() -> str:
    """Of the hardware with its drivers, the power mode, and the versions of all that computes."""
    from profiler.hardware import fingerprint

    hardware = fingerprint()
    return _digest({"hardware": hardware.key, "power": hardware.power_mode, "versions": versions()})


def remember(entry: Entry, key: str) -> None:
    """Keep with a finished request what a later one is compared with; before its job's folder is cleared."""
    try:
        gathered = json.loads((entry.job / "steps" / "02-gather.json").read_text(encoding="utf-8"))
        sources = gathered["result"]["sources"]
        used = [{"root": one["root"], "files_sha256": one["files_sha256"]} for one in sources]
    except (OSError, ValueError, KeyError, TypeError):
        return  # what cannot be compared is made anew
    used = [one for one in used if not Path(one["root"]).is_relative_to(entry.folder)]  # made by the job itself
    write_whole(entry.folder / DOCUMENT, json.dumps({"key": key, "sources": used}).encode())


def copy_memory(folder: Path, target: Path) -> None:
    """What a request is compared with goes along with the package it shares."""
    write_whole(target / DOCUMENT, (folder / DOCUMENT).read_bytes())


def recall(folder: Path) -> str:
    """The key of a finished request; empty where it is unknown."""
    return str(_document(folder).get("key", ""))


def still_true(folder: Path) -> bool:
    """Whether the data of a finished request is as it was, and its package whole."""
    try:
        sources = _document(folder)["sources"]
        same = all(files_fingerprint(Path(one["root"])) == one["files_sha256"] for one in sources)
        return same and _whole(folder / "package")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def share(package: Path, target: Path) -> None:
    """The same package a second time: by hard links, or copied where the disk has none. Whole or not there."""
    aside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(package, aside, copy_function=_link)
    shutil.rmtree(target, ignore_errors=True)
    aside.replace(target)


def _link(source: str, target: str) -> object:
    try:
        os.link(source, target)
    except OSError:
        return shutil.copy2(source, target)
    return target


def _whole(package: Path) -> bool:
    """Every file is the one that was packed: somebody may have worked in that folder since."""
    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    return all(sha256_file(package / name) == sha256 for name, sha256 in manifest["files"].items())


def _document(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / DOCUMENT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _registered(settings: Settings) -> dict[str, str]:
    """Registrations by their content, and the names of public sets that are there."""
    place = Registry(settings.data_home).place
    if not place.is_dir():
        return {}
    return {path.name: sha256_file(path) if path.suffix == ".json" else "" for path in sorted(place.iterdir())}


def _weights(settings: Settings) -> str:
    """What training could start from."""
    home = settings.weights_home or data_folder() / "weights"
    return files_fingerprint(home) if home.is_dir() else ""


def _seen(path: Path | None) -> list[int]:
    if path is None or not path.is_file():
        return []
    seen = path.stat()
    return [seen.st_size, seen.st_mtime_ns]


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
