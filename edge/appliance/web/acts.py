"""What the page may do: drop a request into incoming/, and leave wishes, exactly as other programs do."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edge.appliance.disk import free_bytes, move_new, remove
from edge.appliance.order import Order, read_order
from edge.appliance.spool import Act, Spool
from edge.errors import BadRequest
from edge.registry import NAMES

ACTS: tuple[str, ...] = get_args(Act)
PLACES: dict[str, tuple[str, ...]] = {
    "cancel": ("work",),
    "retry": ("failed", "rejected"),
    "afresh": ("failed", "rejected"),
}
FIELDS = {"form", "text", "set", "folder", "budget", "priority", "balance", "skip_bad", "accept", "scratch"}
SLUG = 40
MOST_ARRIVING = 200  # files in incoming/, beyond which the page adds none
LEAST_FREE = 10_000_000  # bytes on the disk, beyond which it adds none
CORRECT = "Nothing was queued: correct the form and send it again."


@dataclass(frozen=True)
class Desk:
    """Takes requests. `below` is where folders of data may lie; without it only names are taken."""

    spool: Spool
    place: Path
    below: Path | None = None

    def sets(self) -> list[str]:
        """Names that requests can give their data by: what is registered, and public sets that were put there."""
        if not self.place.is_dir():
            return []
        found = {path.stem if path.suffix == ".json" else path.name for path in self.place.iterdir()}
        return sorted(name for name in found if NAMES.fullmatch(name))

    def submit(self, fields: Mapping[str, Sequence[str]]) -> Order:
        """Drop a request.

        Raises:
            BadRequest: it would be rejected; every reason is told.
        """
        unknown = sorted(set(fields) - FIELDS)
        if unknown:
            raise BadRequest(f"the form has no field {unknown[0][:40]!r}", "Reload the page.")
        document = self._document(fields)
        if len(list(self.spool.incoming.iterdir())) >= MOST_ARRIVING:
            raise BadRequest("too many files wait to be taken", "Try again in a while.")
        if free_bytes(self.spool.root) < LEAST_FREE:
            raise BadRequest("the disk is full", "Free some space, then send the request again.")
        aside = self.spool.incoming / f".page-{secrets.token_hex(8)}.json"
        try:
            with aside.open("x", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
            order = read_order(aside, self.below)
            self._drop(aside, str(document["text"]))
        except BadRequest as error:
            raise BadRequest(str(error), CORRECT) from error
        except OSError as error:
            raise BadRequest(
                f"the request cannot be written: {error.strerror}", "See to the disk, then send it again."
            ) from error
        finally:
            remove(aside)
        return order

    def wish(self, act: Act, known: str) -> None:
        """Ask the watcher to do something with a request.

        Raises:
            BadRequest: there is no such request, or it is in no state for that.
        """
        folder = self.spool.find(known)
        if folder is None or folder.name != known:
            raise BadRequest(f"there is no request {known[:60]!r}", "It may have been deleted; reload the page.")
        if folder.parent.name not in PLACES[act]:
            raise BadRequest(f"{known} is in {folder.parent.name} by now", "The page shows what can be done with it.")
        try:
            self.spool.wish(act, known)
        except OSError as error:
            raise BadRequest(f"the disk refuses: {error.strerror}", "See to the disk, then try again.") from error

    def _document(self, fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        given = {name: (fields.get(name) or [""])[0].replace("\r\n", "\n").strip() for name in FIELDS}
        sets, folder = list(fields.get("set", ())), given["folder"]
        faults = self._faults(sets, folder, given["priority"])
        if faults:
            raise BadRequest(f"the request cannot be used: {'; '.join(faults)}", CORRECT)
        data = [*sets, *([folder] if folder else [])]
        return {
            "text": given["text"] or None,
            **({"data": data} if data else {}),
            **({"budget": given["budget"]} if given["budget"] else {}),
            **({"priority": int(given["priority"])} if given["priority"] else {}),
            **{name: True for name in ("balance", "skip_bad", "accept") if given[name]},
            **({"weights": "scratch"} if given["scratch"] else {}),
        }

    def _faults(self, sets: Sequence[str], folder: str, priority: str) -> list[str]:
        known = set(self.sets())
        faults = [f"there is no data set {name[:60]!r}" for name in sets if name not in known]
        if folder and self.below is None:
            faults.append("no folders of data may be named here, unless `edge watch` is started with --data-below")
        elif folder and not _lies_in(folder, self.below):
            faults.append(f"{folder[:200]!r} is not in {self.below}")
        elif folder and not Path(folder).is_dir():
            faults.append(f"{folder[:200]!r} is no folder on this machine")
        if priority and not re.fullmatch(r"-?\d{1,2}", priority, re.ASCII):
            faults.append("the priority is no whole number")
        return faults

    def _drop(self, aside: Path, text: str) -> None:
        """Under a name of its first words, as a rename, which the watcher takes at once."""
        words = re.findall(r"[a-z0-9]+", text.lower(), re.ASCII)
        slug = "-".join(words)[:SLUG].strip("-") or "request"
        for count in range(1, MOST_ARRIVING + 2):
            try:
                move_new(aside, self.spool.incoming / f"{slug}{'' if count == 1 else f'-{count}'}.json")
            except FileExistsError:
                continue
            return
        raise BadRequest("too many files wait to be taken", "Try again in a while.")


def _lies_in(folder: str, below: Path | None) -> bool:
    """Looks at nothing outside `below`: whether something is there is nobody's business."""
    if below is None or "\0" in folder or not folder.startswith("/"):
        return False
    return Path(folder).resolve().is_relative_to(below.resolve())
