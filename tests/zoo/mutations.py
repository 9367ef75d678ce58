"""Ways in which a data set on disk gets broken: each changes one file below a folder and says which.

A mutation returns None where it does not fit the folder (an XML bomb needs an XML file).
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

IMAGES = {".png", ".jpg"}
TEXTS = {".json", ".xml", ".txt", ".yaml", ".csv"}

NUMBERS = ("NaN", "-1", "1e999", "-1e308", "0", "99999999999999999999", "9" * 5000, "-Infinity", "true", "0x10", "")
NAMES = ("../../outside.png", "/etc/passwd", "a\\u0000b.png", "x" * 5000, ".", "..\\\\..\\\\up.png", "\\ud800.png", " ")
JUNK: tuple[Any, ...] = (None, True, -1, 1e300, 10**30, "", "x", [], [[]], {}, {"a": {}}, [None], float("nan"))


@dataclass(frozen=True)
class Broken:
    """The file that was changed, and how. `hidden`: no reader can know (a line less is a line less)."""

    path: Path
    how: str
    hidden: bool = False


Mutation = Callable[[Path, Random], Broken | None]


def files(root: Path, endings: set[str]) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix in endings)


def any_file(root: Path, rng: Random, endings: set[str] = TEXTS | IMAGES) -> Path:
    return rng.choice(files(root, endings))


def a_text(root: Path, rng: Random, *endings: str) -> Path | None:
    found = files(root, set(endings) or TEXTS)
    return rng.choice(found) if found else None


def truncated(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng)
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])
    return Broken(path, "cut short", hidden=path.suffix in (".txt", ".csv", ".yaml"))


def flipped(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return Broken(path, "bits flipped", hidden=True)


def emptied(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng)
    path.write_bytes(b"")
    return Broken(path, "emptied", hidden=path.suffix == ".txt")


def deleted_image(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng, IMAGES)
    path.unlink()
    return Broken(path, "image deleted")


def deleted_text(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    path.unlink()
    return Broken(path, "deleted", hidden=True)


def other_encoding(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    path.write_bytes(path.read_text().encode(rng.choice(("utf-16", "utf-32", "utf-16-be"))))
    return Broken(path, "in UTF-16 or UTF-32")


def latin(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    path.write_bytes(path.read_bytes().replace(b"cat", b"k\xe4tzchen"))
    return Broken(path, "in Latin-1", hidden=b"cat" not in path.read_bytes())


def crlf(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return Broken(path, "with CRLF")


def bom(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return Broken(path, "with a byte order mark")


def null_bytes(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    data = path.read_bytes()
    at = rng.randrange(len(data))
    path.write_bytes(data[:at] + b"\0" * rng.choice((1, 40)) + data[at:])
    return Broken(path, "with null bytes")


def number(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    text = path.read_text()
    places = list(re.finditer(r"-?\d+(\.\d+)?", text))
    if not places:
        return None
    place, value = rng.choice(places), rng.choice(NUMBERS)
    path.write_text(text[: place.start()] + value + text[place.end() :])
    return Broken(path, f"{place.group()} is {value[:30]}", hidden=True)


def swapped_numbers(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    places = list(re.finditer(r"\d+", path.read_text())) if path is not None else []
    if path is None or len(places) < 2:
        return None
    text = path.read_text()
    one, other = sorted(rng.sample(places, 2), key=lambda place: place.start())
    text = f"{text[: one.start()]}{other.group()}{text[one.end() : other.start()]}{one.group()}{text[other.end() :]}"
    path.write_text(text)
    return Broken(path, f"{one.group()} and {other.group()} swapped", hidden=True)


def wrong_type(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".json")
    if path is None:
        return None
    document = json.loads(path.read_text())
    places = list(_places(document))
    holder, key = rng.choice(places)
    value = rng.choice(JUNK)
    holder[key] = value
    path.write_text(json.dumps(document))
    return Broken(path, f"{key} is {value!r}", hidden=True)


def dropped_key(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".json")
    if path is None:
        return None
    document = json.loads(path.read_text())
    holder, key = rng.choice([place for place in _places(document) if isinstance(place[1], str)])
    del holder[key]
    path.write_text(json.dumps(document))
    return Broken(path, f"without {key}", hidden=True)


def repeated_entry(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".json")
    if path is None:
        return None
    document = json.loads(path.read_text())
    lists = [holder for holder, key in _places(document) if isinstance(holder, list) and key == 0]
    some = rng.choice(lists)
    some.append(some[0])
    path.write_text(json.dumps(document))
    return Broken(path, "an entry twice", hidden=True)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value in a document."""
    if isinstance(node, dict):
        pairs: list[tuple[Any, Any]] = [(node, key) for key in node]
    elif isinstance(node, list):
        pairs = [(node, number) for number in range(len(node))]
    else:
        return []
    return pairs + [place for holder, key in list(pairs) for place in _places(holder[key])]


def repeated_line(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    lines = path.read_text().splitlines(keepends=True)
    line = rng.choice(lines)
    path.write_text("".join([*lines[:-1], line, lines[-1]]))
    return Broken(path, "a line twice", hidden=True)


def image_twice(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng, IMAGES)
    target = root / "more" / path.name
    target.parent.mkdir()
    shutil.copy(path, target)
    return Broken(target.parent, "an image of that name elsewhere", hidden=True)


def two_endings(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng, IMAGES)
    shutil.copy(path, path.with_suffix(".bmp"))
    return Broken(path, "an image of that stem with another ending", hidden=True)


def link_to_itself(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng)
    path.unlink()
    path.symlink_to(path.name)
    return Broken(path, "a link to itself")


def folder_loop(root: Path, rng: Random) -> Broken:
    folder = rng.choice(sorted(path for path in root.rglob("*") if path.is_dir()))
    (folder / "loop").symlink_to("..", target_is_directory=True)
    return Broken(folder / "loop", "a folder that leads back")


def folder_for_file(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng)
    path.unlink()
    path.mkdir()
    return Broken(path, "a folder")


def text_for_image(root: Path, rng: Random) -> Broken:
    path = any_file(root, rng, IMAGES)
    path.write_text("<html>404</html>")
    return Broken(path, "a web page")


def nested(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".json", ".yaml", ".xml")
    if path is None:
        return None
    depth = 100_000
    deep = {
        ".json": "[" * depth + "]" * depth,
        ".yaml": "names: " + "[" * 1500,
        ".xml": "<annotation>" + "<a>" * depth + "</a>" * depth + "</annotation>",
    }
    path.write_text(deep[path.suffix])
    return Broken(path, "nested deeply")


def deep_inside(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".json")
    if path is None:
        return None
    text = path.read_text()
    at = rng.choice([place.end() for place in re.finditer(r": (?=[\[\d\"])", text)])
    path.write_text(text[:at] + "[" * 50_000 + "]" * 50_000 + ', "rest": ' + text[at:])
    return Broken(path, "a value nested deeply", hidden=True)


def bad_name(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng)
    if path is None:
        return None
    text = path.read_text()
    places = list(re.finditer(r"[\w/]+\.png", text))
    if not places:
        return None
    place, name = rng.choice(places), rng.choice(NAMES)
    path.write_text(text[: place.start()] + name + text[place.end() :])
    return Broken(path, f"names {name[:30]}", hidden=True)


def entities(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".xml")
    if path is None:
        return None
    bomb = '<!DOCTYPE lolz [<!ENTITY l0 "lol">' + "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
    )
    outside = '<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">'
    text = path.read_text()
    path.write_text(rng.choice((bomb, outside)) + "]>" + text.replace("cat", "&l9;").replace("dog", "&l9;"))
    return Broken(path, "with an entity bomb")


def odd_xml_encoding(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".xml")
    if path is None:
        return None
    named = rng.choice(("utf-7", "none-such", "gb2312", "utf-16"))
    path.write_text(f'<?xml version="1.0" encoding="{named}"?>' + path.read_text())
    return Broken(path, f"said to be in {named}", hidden=named == "gb2312")


def yaml_tags(root: Path, rng: Random) -> Broken | None:
    path = a_text(root, rng, ".yaml")
    if path is None:
        return None
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}, *a]\n" for n in range(30))
    path.write_text(
        rng.choice(
            (
                "names: !!python/object/apply:os.system ['touch /tmp/never']\n",
                "names: !!python/name:os.system\n",
                bomb + "names: *b29\n",
                "names: &n [cat, *n]\n",
                "names: {<<: *gone}\n",
                "names: !!binary cat\n",
                "? [a, b]\n: c\nnames: [cat, dog]\n",
            )
        )
    )
    return Broken(path, "with YAML tags", hidden=True)


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        truncated, flipped, emptied, deleted_image, deleted_text, other_encoding, latin, crlf, bom, null_bytes, number,
        swapped_numbers, wrong_type, dropped_key, repeated_entry, repeated_line, image_twice, two_endings,
        link_to_itself, folder_loop, folder_for_file, text_for_image, nested, deep_inside, bad_name, entities,
        odd_xml_encoding, yaml_tags,
    )
}  # fmt: skip
HARMLESS = {"crlf", "bom"}
"""These change nothing that a reader may care about."""
