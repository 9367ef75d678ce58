"""Pulling over real connections: whatever breaks in between, the file is whole and right, or there is none."""

import errno
import fcntl
import hashlib
import io
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from file_server import Site, Told, serving

from llm_gguf.errors import UnknownModelError
from llm_gguf.library import catalogue, store
from llm_gguf.library.catalogue import Entry
from llm_gguf.library.fetch import pull
from zoo.supply import part
from zoo.supply.errors import (
    AddressError,
    FetchBusyError,
    FetchDiskError,
    FetchError,
    ServerError,
    WrongFileError,
)
from zoo.supply.transfer import Patience

MODEL = b"GGUF" + random.Random(7).randbytes(400_000)
OTHER = b"GGUF" + random.Random(8).randbytes(400_000)
QUICK = Patience(tries=3, first_wait_s=0.01, longest_wait_s=0.05, timeout_s=10)  # long: a busy machine is no silence


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(site: Site, content: bytes = MODEL, size: int | None = -1) -> Entry:
    """A catalogue entry whose address is the site's; http is what only this machine may use."""
    facts = {"address": site.address, "sha256": sha256(content), "size_bytes": len(content) if size == -1 else size}
    return catalogue.entries()[0].model_copy(update=facts)


def bring(site: Site, folder: Path, told: Told | None = None, **given: Any) -> Path:
    return pull(given.pop("wanted", None) or entry(site), folder, told or Told(), **{"patience": QUICK, **given})


def interrupted(site: Site, folder: Path, at: int = 100_000, **given: Any) -> Path:
    """Pulls until about `at` bytes are there; returns the part."""
    pace, site.piece_s = site.piece_s, 0.002
    with pytest.raises(KeyboardInterrupt):
        bring(site, folder, Told(stop_at=at), **given)
    site.piece_s = pace
    site.asked.clear()
    (left,) = folder.glob("*.part")
    assert at <= left.stat().st_size < len(MODEL)
    return left


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(MODEL)) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "llm"


NAME = catalogue.entries()[0].name
FILE = f"{NAME}.gguf"


# a good day


def test_a_model_lies_in_the_folder_under_its_name_and_nothing_is_left_beside_it(site: Site, folder: Path) -> None:
    told = Told()
    path = bring(site, folder, told)
    assert (path, path.read_bytes()) == (folder / FILE, MODEL)
    assert visible(folder) == [FILE]
    assert told.steps[-1] == (len(MODEL), len(MODEL))
    assert told.notices == []


def test_a_model_that_is_there_is_not_asked_for_again(site: Site, folder: Path) -> None:
    path = bring(site, folder)
    assert bring(site, folder) == path
    assert len(site.asked) == 1


def test_a_file_that_is_there_with_another_hash_is_replaced_only_by_the_right_one(site: Site, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(OTHER)
    site.answers = [(404, {})]
    with pytest.raises(ServerError):
        bring(site, folder)
    assert (folder / FILE).read_bytes() == OTHER
    told = Told()
    assert bring(site, folder, told).read_bytes() == MODEL
    assert told.notices == [
        f"{folder / FILE} is there, but has another hash; it is replaced once the right file has come"
    ]


def test_an_address_gives_the_file_its_name_and_its_hash_is_told(site: Site, folder: Path) -> None:
    told = Told()
    assert bring(site, folder, told, wanted=site.address).name == "model.gguf"
    assert told.notices == [f"sha256 {sha256(MODEL)}, not checked against anything"]


def test_an_address_with_the_right_hash_is_taken_in_any_case(site: Site, folder: Path) -> None:
    assert bring(site, folder, wanted=site.address, sha256=sha256(MODEL).upper()).read_bytes() == MODEL


def test_redirects_are_followed_and_carry_the_range(site: Site, folder: Path) -> None:
    left = interrupted(site, folder)
    size = left.stat().st_size
    site.answers = [(302, {"Location": site.address.replace("some", "other")})]
    assert bring(site, folder).read_bytes() == MODEL
    assert site.starts == [size, size]


def test_a_server_without_a_length_is_read_to_its_end(site: Site, folder: Path) -> None:
    site.states_length = False
    told = Told()
    assert bring(site, folder, told, wanted=site.address).read_bytes() == MODEL
    assert told.steps[-1] == (len(MODEL), None)


# interruptions


def test_the_next_call_goes_on_where_the_last_stopped(site: Site, folder: Path) -> None:
    size = interrupted(site, folder).stat().st_size
    told = Told()
    assert bring(site, folder, told).read_bytes() == MODEL
    assert site.starts == [size]
    assert site.asked[0]["If-Range"] == '"one"'
    assert told.notices == [f"going on at {size / 1e6:.1f} MB"]


def test_a_killed_process_leaves_a_part_that_the_next_one_completes(site: Site, folder: Path) -> None:
    site.piece_s = 0.02
    code = (
        "import sys; from pathlib import Path; from llm_gguf.library.fetch import pull; from file_server import Told\n"
    )
    code += f"pull({site.address!r}, Path({str(folder)!r}), Told())"
    places = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parent.parent / "edge")))
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": places})
    left = folder / "model.gguf.part"
    until = time.monotonic() + 60
    while not (left.is_file() and left.stat().st_size > 50_000) and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    size = left.stat().st_size
    assert 50_000 < size < len(MODEL)
    site.piece_s = 0
    site.asked.clear()
    assert bring(site, folder, wanted=site.address, sha256=sha256(MODEL)).read_bytes() == MODEL
    assert site.starts == [size]
    assert visible(folder) == ["model.gguf"]


def test_a_connection_that_breaks_again_and_again_is_taken_up_each_time(site: Site, folder: Path) -> None:
    site.break_after = [50_000] * 6
    told = Told()
    assert bring(site, folder, told).read_bytes() == MODEL
    assert site.starts == [50_000 * number for number in range(7)]
    assert told.notices[0] == "the connection ended at 0.1 MB of 0.4 MB; trying again"


def test_a_server_that_breaks_without_a_new_byte_is_given_up_and_the_part_kept(site: Site, folder: Path) -> None:
    site.break_after = [50_000, 0, 0, 0]
    with pytest.raises(ServerError, match=r"the connection ended at 0\.1 MB of 0\.4 MB, 3 times in a row\n") as caught:
        bring(site, folder)
    assert caught.value.__notes__ == ["run the same command again: it goes on where it stopped"]
    assert (folder / f"{FILE}.part").read_bytes() == MODEL[:50_000]


def test_silence_counts_as_a_broken_connection(site: Site, folder: Path) -> None:
    site.stall_s = [3]
    told = Told()
    assert bring(site, folder, told, patience=replace(QUICK, timeout_s=0.4)).read_bytes() == MODEL
    assert told.notices[0] == "the server has sent nothing for 0.4 s; trying again"
    assert site.starts[1] > 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_refusal_is_waited_for(site: Site, folder: Path, status: int) -> None:
    site.answers = [(status, {"Retry-After": "9"})] * 2
    assert bring(site, folder).read_bytes() == MODEL


def test_a_server_that_cannot_continue_sends_it_all_again(site: Site, folder: Path) -> None:
    interrupted(site, folder)
    site.ranges = False
    told = Told()
    assert bring(site, folder, told).read_bytes() == MODEL
    assert told.notices == ["the server cannot continue a file; starting again"]


def test_a_server_that_breaks_and_cannot_continue_is_given_up(site: Site, folder: Path) -> None:
    site.ranges = False
    site.break_after = [100_000] * 9
    with pytest.raises(ServerError, match="3 times in a row"):
        bring(site, folder)
    assert site.starts == [0, 100_000, 100_000]


def test_an_earlier_part_that_is_whole_needs_no_server(site: Site, folder: Path) -> None:
    left = interrupted(site, folder)
    left.write_bytes(MODEL)
    assert bring(site, folder).read_bytes() == MODEL
    assert site.asked == []


def test_a_part_of_another_address_is_not_continued(site: Site, folder: Path) -> None:
    interrupted(site, folder, wanted=site.address)
    assert bring(site, folder, wanted=site.address.replace("some", "other")).read_bytes() == MODEL
    assert site.starts == [0]


@pytest.mark.parametrize("notes", ["", "[]", "{oops", '{"origin": 5, "total": "x"}', None])
def test_a_part_without_usable_notes_is_started_again(site: Site, folder: Path, notes: str | None) -> None:
    left = interrupted(site, folder)
    path = left.with_name(left.name + ".json")
    path.unlink() if notes is None else path.write_text(notes)
    assert bring(site, folder).read_bytes() == MODEL
    assert site.starts == [0]


# a file that changes


def test_a_file_that_changed_on_the_server_is_started_again_and_said(site: Site, folder: Path) -> None:
    interrupted(site, folder)
    site.content, site.etag = OTHER, '"two"'
    told = Told()
    assert bring(site, folder, told, wanted=entry(site, OTHER)).read_bytes() == OTHER
    assert told.notices == ["the file changed on the server; starting again"]


def test_a_server_that_ignores_the_condition_is_caught_by_its_tag(site: Site, folder: Path) -> None:
    interrupted(site, folder)
    site.content, site.etag, site.heeds_if_range = OTHER, '"two"', False
    told = Told()
    assert bring(site, folder, told, wanted=entry(site, OTHER)).read_bytes() == OTHER
    assert told.notices == ["the file changed on the server; trying again"]


def test_a_file_that_changed_without_a_tag_is_caught_by_its_hash(site: Site, folder: Path) -> None:
    site.etag = None
    interrupted(site, folder)
    site.content = OTHER
    told = Told()
    assert bring(site, folder, told, wanted=entry(site, OTHER)).read_bytes() == OTHER
    assert told.notices[1] == "what was left of an earlier call does not fit; starting again"


def test_a_file_that_became_shorter_is_started_again(site: Site, folder: Path) -> None:
    short = MODEL[:60_000]
    site.etag = None
    interrupted(site, folder)
    site.content = short
    assert bring(site, folder, wanted=entry(site, short)).read_bytes() == short
    assert len(site.asked) == 2  # refused with 416, then from the start


def test_a_part_that_was_damaged_on_the_disk_is_pulled_anew(site: Site, folder: Path) -> None:
    left = interrupted(site, folder)
    left.write_bytes(MODEL[:4] + bytes(left.stat().st_size - 4))
    assert bring(site, folder).read_bytes() == MODEL
    assert site.starts[0] > 0
    assert site.starts[1] == 0


# the wrong file


def test_a_file_with_the_wrong_hash_is_thrown_away(site: Site, folder: Path) -> None:
    site.content = OTHER
    fact = f"{site.address} has the sha256 {sha256(OTHER)}, not {sha256(MODEL)}; it was thrown away"
    with pytest.raises(WrongFileError) as caught:
        bring(site, folder)
    assert str(caught.value) == fact
    assert visible(folder) == []


def test_a_file_of_another_size_is_refused_before_its_first_byte(site: Site, folder: Path) -> None:
    told = Told()
    with pytest.raises(WrongFileError, match=r"has 400,004 bytes, not the 400,005 it should have\n"):
        bring(site, folder, told, wanted=entry(site, MODEL + b"x"))
    assert told.steps == []


def test_a_file_without_a_stated_length_that_does_not_end_is_refused(site: Site, folder: Path) -> None:
    site.states_length = False
    with pytest.raises(WrongFileError, match="sends more than 300,000 bytes"):
        bring(site, folder, wanted=entry(site, MODEL[:300_000]))
    assert visible(folder) == []


def test_a_size_nobody_knows_beforehand_is_no_obstacle(site: Site, folder: Path) -> None:
    assert bring(site, folder, wanted=entry(site, size=None)).read_bytes() == MODEL


@pytest.mark.parametrize("content", [b"<html>" * 99, b"GGU", b""])
def test_what_is_no_model_at_all_is_refused_at_once(site: Site, folder: Path, content: bytes) -> None:
    site.content = content
    with pytest.raises(WrongFileError, match=f"is not a GGUF file: it begins with {content[:4]!r}"):
        bring(site, folder, wanted=site.address)
    assert visible(folder) == []


@pytest.mark.parametrize(("status", "step"), [(404, "check the address"), (403, "the file may need an account")])
def test_a_lasting_refusal_is_not_repeated(site: Site, folder: Path, status: int, step: str) -> None:
    site.answers = [(status, {})] * 2
    with pytest.raises(ServerError, match=f"the server answers {status}") as caught:
        bring(site, folder)
    assert caught.value.__notes__[0].startswith(step)
    assert len(site.asked) == 1


def test_redirects_in_a_circle_end(site: Site, folder: Path) -> None:
    site.answers = [(302, {"Location": site.address})] * 30
    with pytest.raises(ServerError, match="the server answers 302"):
        bring(site, folder)


# addresses


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("http://example.org/m.gguf", "http://example.org/m.gguf is not encrypted"),
        ("http://127.0.0.1.example.org/m.gguf", "is not encrypted"),
        ("ftp://example.org/m.gguf", "is no address of the web"),
        ("file:///etc/passwd", "is no address of the web"),
        ("https:///m.gguf", "is no address of the web"),
        ("https://example.org:port/m.gguf", "is no address"),
        ("https://example.org/käse.gguf", "is no address of the web"),
        ("https://example.org/a b.gguf", "is no address of the web"),
        ("https://example.org/", "does not end in the name of a .gguf file"),
        ("https://example.org/..%2F..%2Fx.gguf", "does not end in the name of a .gguf file"),
        ("https://example.org/.gguf", "does not end in the name of a .gguf file"),
        ("https://example.org/model.bin", "does not end in the name of a .gguf file"),
        (f"https://example.org/{NAME}.gguf", f"would take the place of the catalogue's {NAME}"),
    ],
)
def test_an_address_that_may_not_be_used_is_refused_and_nothing_made(folder: Path, address: str, fact: str) -> None:
    with pytest.raises((AddressError, UnknownModelError)) as caught:
        pull(address, folder, Told())
    assert fact in str(caught.value)
    assert not folder.exists()


def test_secrets_in_an_address_are_neither_told_nor_kept(site: Site, folder: Path) -> None:
    host = site.address.removeprefix("http://").partition("/")[0]
    address = f"http://{host}/model.gguf?token=secret"
    interrupted(site, folder, wanted=address)
    assert "secret" not in (folder / "model.gguf.part.json").read_text()
    site.answers = [(404, {})]
    with pytest.raises(ServerError) as caught:
        bring(site, folder, wanted=address)
    assert str(caught.value) == f"http://{host}/model.gguf: the server answers 404 Not Found"


@pytest.mark.parametrize("location", ["http://example.org/m.gguf", "ftp://example.org/m.gguf"])
def test_a_redirect_out_of_encryption_is_not_followed(site: Site, folder: Path, location: str) -> None:
    site.answers = [(302, {"Location": location})]
    with pytest.raises(FetchError):
        bring(site, folder)


def test_a_certificate_nobody_vouches_for_is_refused(site: Site, folder: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*made, "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with serving(Site(MODEL), context) as secure, pytest.raises(ServerError, match="the certificate of 127") as caught:
        bring(secure, folder, wanted=secure.address.replace("http:", "https:"))
    assert caught.value.__notes__ == ["check the clock of this machine and its certificates"]


def test_a_server_that_is_not_there_is_told_after_some_tries(folder: Path) -> None:
    with serving(Site(MODEL)) as gone:
        address = gone.address
    with pytest.raises(ServerError, match=r"Connection refused.*3 times in a row"):
        pull(address, folder, Told(), patience=QUICK)


@pytest.mark.parametrize("given", ["", "abc", "g" * 64, "0" * 65])
def test_what_is_no_hash_is_refused(site: Site, folder: Path, given: str) -> None:
    with pytest.raises(UnknownModelError, match="is no sha256"):
        bring(site, folder, wanted=site.address, sha256=given)


# the disk


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 300_000))  # type: ignore[attr-defined]
    told = Told()
    with pytest.raises(FetchDiskError) as caught:
        bring(site, folder, told)
    assert str(caught.value) == f"0.4 MB are still to come, and {folder} has 0.3 MB free"
    assert told.steps == []


class FullDisk(io.FileIO):
    """Takes so many bytes and no more."""

    room = 100_000

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_disk_that_fills_up_keeps_the_part(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(part, "_opened", lambda path, mode: FullDisk(path, mode))
        site.piece_s = 0.002
        with pytest.raises(FetchDiskError, match=rf"the disk of {folder} is full; 0\.1 MB are kept\n") as caught:
            bring(site, folder)
    assert caught.value.__notes__[0].startswith("free some space")
    size = (folder / f"{FILE}.part").stat().st_size
    assert 0 < size <= 100_000
    site.asked.clear()
    assert bring(site, folder).read_bytes() == MODEL
    assert site.starts == [size]


def test_a_really_full_disk_is_told(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        site.states_length = False  # a stated length would be refused before the first byte
        site.piece_s = 0.002
        with pytest.raises(FetchDiskError, match="is full"):
            bring(site, disk / "llm", wanted=site.address)
        assert (disk / "llm" / "model.gguf.part").stat().st_size > 100_000
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_is_a_file_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchDiskError, match=f"cannot write to {tmp_path}/file"):
        bring(site, tmp_path / "file")


# two at once


def test_a_second_process_is_refused_while_the_first_pulls(site: Site, folder: Path) -> None:
    folder.mkdir(parents=True)
    with (folder / f".{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FetchBusyError) as caught:
            bring(site, folder)
    assert str(caught.value) == f"another process is pulling {NAME} into {folder}"
    assert bring(site, folder).read_bytes() == MODEL


def test_of_many_processes_one_pulls_and_the_file_is_whole(site: Site, folder: Path) -> None:
    site.piece_s = 0.02
    code = (
        "import sys; from pathlib import Path; from llm_gguf.library.fetch import pull; from file_server import Told\n"
    )
    code += "from zoo.supply.errors import FetchBusyError\n"
    code += f"try: pull({site.address!r}, Path({str(folder)!r}), Told())\nexcept FetchBusyError: sys.exit(8)"
    places = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parent.parent / "edge")))
    children = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": places}) for _ in range(3)
    ]
    assert {child.wait() for child in children} <= {0, 8}
    assert (folder / "model.gguf").read_bytes() == MODEL
    assert len(site.asked) == 1


# names


def test_a_file_a_pulled_name_and_a_name_of_ones_own_are_found(tmp_path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in (NAME, "mine"):
        (folder / f"{name}.gguf").write_bytes(MODEL)
        assert store.find(name, folder) == folder / f"{name}.gguf"
    (tmp_path / "x.gguf").write_bytes(MODEL)
    assert store.find(tmp_path / "x.gguf", folder) == tmp_path / "x.gguf"
    assert [other.name for other in store.others(folder)] == ["mine"]


def test_an_existing_file_comes_before_a_name(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).write_bytes(MODEL)
    assert store.find(NAME, folder) == tmp_path / NAME


def test_a_model_that_is_not_pulled_is_told_with_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with pytest.raises(FetchError) as caught:
        store.find(NAME)
    assert str(caught.value) == f"the language model {NAME} is not pulled"
    assert caught.value.__notes__ == [f"run `edge llm pull {NAME}`"]


@pytest.mark.parametrize(
    ("text", "fact", "step"),
    [
        ("qwen2.5-1.5", "'qwen2.5-1.5' is neither a file nor a language model that edge knows", "did you mean qwen2.5"),
        ("SmolLM", "'SmolLM' is neither", "did you mean smollm2-360m or smollm2-1.7b? `edge llm list`"),
        ("zzz", "'zzz' is neither a file nor a language model that edge knows", "`edge llm list` shows the names"),
        ("", "'' is neither", "`edge llm list`"),
        ("..", "'..' is neither", "`edge llm list`"),
        ("gone/m.gguf", "the language model gone/m.gguf does not exist", "give the path of a .gguf file"),
        ("x" * 5000, "is neither", "`edge llm list`"),
        ("~nobody-of-this-name", "is neither", "`edge llm list`"),
    ],
)
def test_what_is_neither_file_nor_name_is_told(folder: Path, text: str, fact: str, step: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        store.find(text, folder)
    assert fact in str(caught.value)
    assert caught.value.__notes__[0].startswith(step)


@pytest.mark.parametrize(
    ("variable", "base"), [("", "HOME/.local/share"), ("share", "HOME/.local/share"), ("/d", "/d")]
)
def test_models_lie_where_xdg_puts_data(monkeypatch: pytest.MonkeyPatch, variable: str, base: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", variable)
    assert store.default_folder() == Path(base.replace("HOME", str(Path.home()))) / "edge" / "llm"


def test_every_error_names_a_next_step() -> None:
    for kind in (FetchError, *FetchError.__subclasses__()):
        assert kind("fact", "step").__notes__ == ["step"]
