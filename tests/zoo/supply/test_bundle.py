"""A bundle comes out as it went in, or is refused and leaves nothing that is not right."""

from __future__ import annotations

import json
import random
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stock import FullDisk, Told, content, named, sha256, visible

from zoo.supply import part
from zoo.supply.archive import END, header, padding
from zoo.supply.bundle import MANIFEST, Item, Taken, export, opened, take_in
from zoo.supply.errors import BundleError, DamagedError, FetchDiskError

CONTENTS = (content(1, 30_000), content(2, 99), content(3, 70_000))


def item(data: bytes, stem: str = "net", **changed: Any) -> Item:
    file = changed.pop("file", named(stem, data))
    facts = {
        "kind": "weights",
        "file": file,
        "sha256": sha256(data),
        "size_bytes": len(data),
        "address": f"https://example.org/{file}",
        "toolbox": "mmdet",
        "names": (stem,),
        "licence": "Apache-2.0",
    }
    return Item.model_validate(facts | changed)


@pytest.fixture
def stock(tmp_path: Path) -> list[tuple[Item, Path]]:
    """Three files and what is known of them."""
    (tmp_path / "stock").mkdir()
    found = []
    for number, data in enumerate(CONTENTS):
        one = item(data, f"net{number}")
        (tmp_path / "stock" / one.file).write_bytes(data)
        found.append((one, tmp_path / "stock" / one.file))
    return found


@pytest.fixture
def file(stock: list[tuple[Item, Path]], tmp_path: Path) -> Path:
    export(stock, tmp_path / "b.tar", Told())
    return tmp_path / "b.tar"


def imported(path: Path, folder: Path, told: Told | None = None) -> list[Taken]:
    return list(take_in(opened(path), {"weights": folder, "llm": folder}, lambda _: None, told or Told()))


def refusal(path: Path, folder: Path) -> str:
    """What is said of a bundle that may not leave anything."""
    with pytest.raises(BundleError) as caught:
        imported(path, folder)
    assert caught.value.__notes__
    assert not folder.exists() or visible(folder) == []
    return str(caught.value)


def archive(*members: tuple[str | bytes, bytes], end: bytes = END) -> bytes:
    """An archive by hand: a name or a whole header, and the content behind it."""
    parts = [
        (header(name, len(data)) if isinstance(name, str) else name) + data + padding(len(data))
        for name, data in members
    ]
    return b"".join(parts) + end


def manifest(*items: Item, **changed: Any) -> bytes:
    document = {"format": "edge bundle", "version": 1, "files": [json.loads(one.model_dump_json()) for one in items]}
    return json.dumps(document | changed).encode()


# round trip


def test_what_goes_in_comes_out(file: Path, stock: list[tuple[Item, Path]], tmp_path: Path) -> None:
    told, recorded = Told(), []
    bundle = opened(file)
    taken = list(take_in(bundle, {"weights": tmp_path / "in"}, recorded.append, told))
    assert [(one.item, one.came) for one in taken] == [(one, True) for one, _ in stock]
    assert recorded == [one for one, _ in stock]
    assert {path.name: path.read_bytes() for path in (tmp_path / "in").glob("*.pth")} == {
        path.name: path.read_bytes() for _, path in stock
    }
    assert visible(tmp_path / "in") == sorted(one.file for one, _ in stock)
    assert told.steps[-1] == (len(CONTENTS[2]), len(CONTENTS[2]))


def test_it_is_a_plain_tar_whose_first_file_is_the_manifest(file: Path, stock: list[tuple[Item, Path]]) -> None:
    with tarfile.open(file, "r:") as tar:
        members = tar.getmembers()
        first = tar.extractfile(members[0])
        assert first is not None
        told = json.loads(first.read())
    assert [member.name for member in members] == [MANIFEST, *(one.sha256 for one, _ in stock)]
    assert {(member.mtime, member.uid, member.gid, member.mode) for member in members} == {(0, 0, 0, 0o644)}
    assert told["files"][0] == json.loads(stock[0][0].model_dump_json())


def test_the_same_files_give_the_same_bytes(file: Path, stock: list[tuple[Item, Path]], tmp_path: Path) -> None:
    told = Told()
    size = export(stock[::-1], tmp_path / "again.tar", told)
    assert (tmp_path / "again.tar").read_bytes() == file.read_bytes()
    assert size == file.stat().st_size == told.steps[-1][1]


def test_what_is_there_and_right_is_left_alone(file: Path, tmp_path: Path) -> None:
    imported(file, tmp_path / "in")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "in").glob("*.pth")}
    assert [one.came for one in imported(file, tmp_path / "in")] == [False, False, False]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "in").glob("*.pth")} == before


def test_what_is_there_and_wrong_is_replaced_and_told(file: Path, tmp_path: Path) -> None:
    imported(file, tmp_path / "in")
    victim = tmp_path / "in" / named("net1", CONTENTS[1])
    victim.write_bytes(bytes(len(CONTENTS[1])))
    told = Told()
    assert [one.came for one in imported(file, tmp_path / "in", told)] == [False, True, False]
    assert told.notices == [f"{victim} is there, but has another hash; it is replaced by the one of the bundle"]
    assert victim.read_bytes() == CONTENTS[1]


def test_an_import_that_was_stopped_goes_on(tmp_path: Path) -> None:
    data = content(5, 3_000_000)
    (tmp_path / "x").write_bytes(data)
    export([(item(data), tmp_path / "x")], tmp_path / "b.tar", Told())
    with pytest.raises(KeyboardInterrupt):
        imported(tmp_path / "b.tar", tmp_path / "in", Told(stop_at=1_500_000))
    told = Told()
    imported(tmp_path / "b.tar", tmp_path / "in", told)
    assert told.steps[0][0] > 2_000_000
    assert (tmp_path / "in" / named("net", data)).read_bytes() == data


def test_the_longest_published_names_fit(tmp_path: Path) -> None:
    file = "x" * 180 + ".pth"
    (tmp_path / "x").write_bytes(CONTENTS[1])
    export([(item(CONTENTS[1], file=file), tmp_path / "x")], tmp_path / "b.tar", Told())
    imported(tmp_path / "b.tar", tmp_path / "in")
    assert visible(tmp_path / "in") == [file]


# export


def test_an_export_over_a_file_is_refused(file: Path, stock: list[tuple[Item, Path]]) -> None:
    before = file.read_bytes()
    with pytest.raises(BundleError, match="is there already"):
        export(stock, file, Told())
    assert file.read_bytes() == before


@pytest.mark.parametrize("spoilt", [CONTENTS[0][:-1] + b"x", CONTENTS[0] + b"x", CONTENTS[0][:-1], b"", None])
def test_an_export_of_a_damaged_file_leaves_nothing(
    stock: list[tuple[Item, Path]], tmp_path: Path, spoilt: bytes | None
) -> None:
    path = stock[0][1]
    path.unlink() if spoilt is None else path.write_bytes(spoilt)
    with pytest.raises(DamagedError):
        export(stock, tmp_path / "b.tar", Told())
    assert [entry.name for entry in tmp_path.iterdir()] == ["stock"]


def test_an_export_that_is_stopped_leaves_nothing(stock: list[tuple[Item, Path]], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        export(stock, tmp_path / "b.tar", Told(stop_at=40_000))
    assert [entry.name for entry in tmp_path.iterdir()] == ["stock"]


def test_an_export_onto_a_small_disk_is_told_first(
    stock: list[tuple[Item, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(FetchDiskError, match=r"the bundle takes 0\.1 MB, and .* has 0\.0 MB free"):
        export(stock, tmp_path / "b.tar", Told())
    assert [entry.name for entry in tmp_path.iterdir()] == ["stock"]


# damaged


def cut_short(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data)) :]


def byte_changed(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] = rng.randrange(256)


def more_behind(rng: random.Random, data: bytearray) -> None:
    data.extend(rng.randbytes(rng.randrange(1, 2000)))


def emptied(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) - 700)
    data[at : at + 700] = bytes(700)


def blocks_lost(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    del data[at : at + 512 * rng.randrange(1, 9)]


def block_too_much(rng: random.Random, data: bytearray) -> None:
    at = 512 * rng.randrange(len(data) // 512)
    data[at:at] = rng.randbytes(512)


SPOILERS = (cut_short, byte_changed, more_behind, emptied, blocks_lost, block_too_much)


@pytest.mark.parametrize("seed", range(42))
def test_a_damaged_bundle_leaves_nothing_that_is_not_right(file: Path, tmp_path: Path, seed: int) -> None:
    rng, data = random.Random(seed), bytearray(file.read_bytes())
    SPOILERS[seed % len(SPOILERS)](rng, data)
    file.write_bytes(data)
    right = {sha256(one) for one in CONTENTS}
    try:
        taken = imported(file, tmp_path / "in")
    except BundleError as error:
        assert error.__notes__
    else:  # what was hit says nothing: the fill behind a file, a word of a licence
        assert len(taken) == len(CONTENTS)
    found = [path for path in (tmp_path / "in").glob("*") if not path.name.startswith(".")]
    assert {sha256(path.read_bytes()) for path in found} <= right
    assert all(path.suffix == ".pth" for path in found)


def test_every_length_of_a_bundle_cut_short_is_refused_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for length in [*range(0, len(whole), 1511), len(whole) - 1]:
        file.write_bytes(whole[:length])
        assert "b.tar" in refusal(file, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_files_before_a_damaged_one_stay(file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    at = data.index(CONTENTS[1][:50]) + 60
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError) as caught:
        imported(file, tmp_path / "in")
    second = named("net1", CONTENTS[1])
    assert str(caught.value).startswith(f"{file} is damaged: {second} has the sha256 ")
    assert caught.value.__notes__ == [
        "make or copy the bundle again; files before it are in place and need not come again"
    ]
    assert visible(tmp_path / "in") == [named("net0", CONTENTS[0])]


def test_a_disk_that_fills_up_is_told_and_what_came_goes_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(part, "_opened", lambda path, mode: FullDisk(path, mode))
        patched.setattr(FullDisk, "room", 50_000)
        with pytest.raises(FetchDiskError, match=f"the disk of {tmp_path}/in is full"):
            imported(file, tmp_path / "in")
    assert named("net2", CONTENTS[2]) not in visible(tmp_path / "in")
    assert [one.came for one in imported(file, tmp_path / "in")] == [False, False, True]


def test_a_disk_that_is_too_small_is_told_first(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(FetchDiskError, match=r"are still to come, and .* free"):
        imported(file, tmp_path / "in")


# made to harm


ITEM = item(CONTENTS[1])


def entry(name: str, kind: bytes, **fields: Any) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def harmful() -> Iterator[tuple[bytes, str]]:
    good = (MANIFEST, manifest(ITEM))
    inside = (ITEM.sha256, CONTENTS[1])
    yield b"", "is cut short: it ends at byte 0"
    yield b"x" * 2000, "is no bundle"
    yield b"\x1f\x8b" + bytes(2000), "is no bundle"
    yield END, "it does not begin with manifest.json"
    yield archive(inside, good), "it does not begin with manifest.json"
    yield archive((MANIFEST, b"")), "has a manifest that edge does not understand"
    yield archive((MANIFEST, b"[1]"), inside), "has a manifest that edge does not understand"
    yield archive((MANIFEST, manifest())), "files: "
    yield archive((MANIFEST, manifest(ITEM, version=2)), inside), "version: Input should be 1"
    yield archive((MANIFEST, manifest(ITEM, more=1)), inside), "more: Extra inputs are not permitted"
    yield archive((MANIFEST, bytes((1 << 22) + 1)), inside), "has a manifest of 4.2 MB"
    for name in ("../x.pth", "/x.pth", "a/b.pth", ".x.pth", "index.json", "x.pth\n", "x.pth\0", "", "x", "käse.pth"):
        yield archive((MANIFEST, manifest(item(CONTENTS[1], file=name))), inside), "which is no name for weights"
    yield archive((MANIFEST, manifest(item(CONTENTS[1], file="x-01234567.pth"))), inside), "which belies its name"
    other = item(CONTENTS[1], address="https://example.org/other.pth")
    yield archive((MANIFEST, manifest(other)), inside), "which ends otherwise"
    yield archive((MANIFEST, manifest(ITEM, ITEM)), inside, inside), "twice"
    yield archive(good), "lacks net-"
    yield archive(good, inside, inside), "holds files twice, or in another order"
    yield archive(good, inside, ("../x", b"x")), "holds '../x', which its manifest does not list"
    yield archive(good, ("0" * 64, CONTENTS[1])), "which its manifest does not list"
    yield archive(good, (ITEM.sha256, CONTENTS[1] + b"x")), "in another size than it lists"
    yield archive(good, (ITEM.sha256, CONTENTS[1][:-1])), "in another size than it lists"
    yield archive(good, (ITEM.sha256, bytes(len(CONTENTS[1])))), "is damaged: net-"
    yield archive(good, inside, end=END + b"more"), "where its files end"
    yield archive(good, inside, end=END[:-1]), "where its files end"
    yield archive(good, inside, end=END[:512] + b"x" * 512), "where its files end"
    for kind in (
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE),
        *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE),
    ):
        link = entry(ITEM.sha256, kind, linkname="/etc/passwd", size=len(CONTENTS[1]))
        yield archive(good, (link, CONTENTS[1])), "which is no regular file"
    yield archive(good, (entry(ITEM.sha256, tarfile.REGTYPE, size=-1), b"")), "which is no regular file"
    yield archive(good, (entry(ITEM.sha256, tarfile.REGTYPE, size=1 << 60), b"")), "is cut short"


@pytest.mark.parametrize(("data", "fact"), [pytest.param(*case, id=str(n)) for n, case in enumerate(harmful())])
def test_a_bundle_made_to_harm_is_refused_and_leaves_nothing(data: bytes, fact: str, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(data)
    assert fact in refusal(tmp_path / "b.tar", tmp_path / "in")
    assert sorted(path.name for path in tmp_path.iterdir()) in (["b.tar"], ["b.tar", "in"])


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path, tmp_path / "in") == f"{tmp_path} is no file"
    assert refusal(tmp_path / "gone", tmp_path / "in") == f"{tmp_path}/gone cannot be read: No such file or directory"


def test_a_link_in_the_store_is_no_way_out_of_it(file: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / named("net0", CONTENTS[0])).symlink_to(victim)
    imported(file, tmp_path / "in")
    assert victim.read_bytes() == b"mine"
