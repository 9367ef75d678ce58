"""Checkpoints fetched over real connections: the store has them whole and right, or says why not."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import Site, serving
from stock import QUICK, FullDisk, Told, bring, content, named, put, sha256, visible

from zoo.supply import part
from zoo.supply.errors import (
    DamagedError,
    FetchBusyError,
    FetchDiskError,
    FetchError,
    ServerError,
    UnreachableError,
    WrongFileError,
)
from zoo.supply.published import Checkpoint
from zoo.supply.store import INDEX, Held, Store, default_folder
from zoo.supply.weights import fetch_all, outlook

ONE, TWO = content(1), content(2)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(b"")) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data" / "weights")


def error_of(store: Store, wanted: Checkpoint, told: Told | None = None) -> FetchError:
    (outcome,) = bring(store, wanted, told=told)
    assert outcome.held is None
    assert outcome.error is not None
    return outcome.error


def interrupted(site: Site, store: Store, wanted: Checkpoint) -> int:
    """Fetches until a third is there; returns how much."""
    site.piece_s = 0.002
    with pytest.raises(KeyboardInterrupt):
        bring(store, wanted, told=Told(stop_at=100_000))
    site.piece_s = 0
    site.asked.clear()
    size = (store.folder / f"{wanted.file}.part").stat().st_size
    assert 100_000 <= size < 300_000
    return size


# a good day


def test_a_checkpoint_lies_under_its_published_name_and_the_index_knows_it(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE, names=("one_a", "one_b"))
    (outcome,) = bring(store, wanted)
    assert (outcome.came, outcome.error) == (True, None)
    assert store.path(wanted.file).read_bytes() == ONE
    assert visible(store.folder) == [INDEX, wanted.file]
    expected = Held(
        file=named("one", ONE),
        sha256=sha256(ONE),
        size_bytes=len(ONE),
        address=wanted.address,
        toolbox="mmpretrain",
        names=("one_a", "one_b"),
        licence="Apache-2.0",
    )
    assert store.held() == {wanted.file: expected}
    assert store.find(wanted) == outcome.held == expected
    assert store.verify(expected) == store.path(wanted.file)


def test_what_is_there_is_checked_and_not_asked_for_again(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    bring(store, wanted)
    told = Told()
    (again,) = bring(store, wanted, told=told)
    assert (again.came, len(site.asked)) == (False, 1)
    assert told.steps[-1] == (len(ONE), len(ONE))


def test_a_file_that_was_put_there_by_hand_is_checked_and_listed(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    store.folder.mkdir(parents=True)
    store.path(wanted.file).write_bytes(ONE)
    (outcome,) = bring(store, wanted)
    assert (outcome.came, site.asked) == (False, [])
    assert store.find(wanted) is not None


def test_a_file_that_was_damaged_is_fetched_anew(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    bring(store, wanted)
    store.path(wanted.file).write_bytes(ONE[:-1] + b"x")
    told = Told()
    (outcome,) = bring(store, wanted, told=told)
    assert outcome.came
    assert store.path(wanted.file).read_bytes() == ONE
    assert told.notices == [
        f"{store.path(wanted.file)} is there, but has another hash; it is replaced once the right file has come"
    ]


def test_a_name_without_a_hash_is_said_and_the_whole_hash_recorded(site: Site, store: Store) -> None:
    wanted = put(site, "plain", ONE, file="plain_30e.pth")
    told = Told()
    (outcome,) = bring(store, wanted, told=told)
    assert told.notices == [f"sha256 {sha256(ONE)}, not checked against anything"]
    assert outcome.held is not None
    assert outcome.held.sha256 == sha256(ONE)


def test_a_file_of_unknown_hash_that_is_there_is_taken_and_that_is_said(site: Site, store: Store) -> None:
    wanted = put(site, "plain", ONE, file="plain_30e.pth")
    store.folder.mkdir(parents=True)
    store.path(wanted.file).write_bytes(TWO)
    told = Told()
    (outcome,) = bring(store, wanted, told=told)
    assert told.notices == [
        f"{store.path(wanted.file)} is there already; its name holds no hash, so it was not checked"
    ]
    assert outcome.held is not None
    assert outcome.held.sha256 == sha256(TWO)


def test_a_file_without_a_hash_is_not_mistaken_for_that_of_another_address(site: Site, store: Store) -> None:
    wanted = put(site, "plain", ONE, file="plain_30e.pth")
    bring(store, wanted)
    other = Checkpoint(wanted.address.replace("some", "other"), "mmdet", ("other",), "Apache-2.0")
    assert "and nothing says that" in str(error_of(store, other))
    assert store.find(other) is None


def test_it_comes_over_tls(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with serving(Site(b""), context) as site:
        site.address = site.address.replace("http:", "https:")
        wanted = put(site, "one", ONE)
        assert "the certificate of 127.0.0.1 is not valid" in str(error_of(store, wanted))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
        assert bring(store, wanted)[0].came


# interruptions


def test_the_next_call_goes_on_where_the_last_stopped(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    size = interrupted(site, store, wanted)
    assert outlook([wanted], store).missing == {wanted.file: len(ONE) - size}
    assert bring(store, wanted)[0].came
    assert site.starts == [size]
    assert store.path(wanted.file).read_bytes() == ONE


def test_a_killed_process_keeps_what_came_and_the_next_one_goes_on(site: Site, store: Store) -> None:
    first, second = put(site, "one", ONE), put(site, "two", TWO)
    site.piece_s = 0.02
    code = "from pathlib import Path; from stock import *; from zoo.supply.published import Checkpoint\n"
    code += f"bring(Store(Path({str(store.folder)!r})), {first!r}, {second!r})"
    child = subprocess.Popen([sys.executable, "-c", code], env=reaching_helpers())
    left, until = store.folder / f"{second.file}.part", time.monotonic() + 60
    while not (left.is_file() and left.stat().st_size > 50_000) and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert list(store.held()) == [first.file]
    size, site.piece_s = left.stat().st_size, 0
    site.asked.clear()
    assert [outcome.came for outcome in bring(store, first, second)] == [False, True]
    assert site.starts == [size]
    assert store.path(second.file).read_bytes() == TWO


def test_a_connection_that_breaks_again_and_again_is_taken_up_each_time(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    site.break_after = [50_000] * 5
    assert bring(store, wanted)[0].came
    assert site.starts == [50_000 * number for number in range(6)]


def test_a_server_that_cannot_continue_sends_it_all_again(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    interrupted(site, store, wanted)
    site.ranges = False
    told = Told()
    assert bring(store, wanted, told=told)[0].came
    assert told.notices == ["the server cannot continue a file; starting again"]


def test_a_file_that_changed_meanwhile_is_caught_by_the_hash_in_its_name(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    site.etag = None
    interrupted(site, store, wanted)
    site.files[wanted.file] = TWO
    error = error_of(store, wanted)
    begins = wanted.hash_begins
    assert str(error) == (
        f"{wanted.address} has the sha256 {sha256(TWO)}, not one that begins with {begins}; it was thrown away"
    )
    assert visible(store.folder) == []


# what goes wrong


def test_one_that_fails_does_not_stop_the_others(site: Site, store: Store) -> None:
    wrong, gone, right = put(site, "one", ONE), put(site, "gone", TWO), put(site, "two", TWO)
    site.files[wrong.file] = TWO
    del site.files[gone.file]
    outcomes = bring(store, wrong, gone, right)
    assert [type(outcome.error) for outcome in outcomes] == [WrongFileError, ServerError, type(None)]
    assert list(store.held()) == [right.file]


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>" * 50, b"", b"P"])
def test_a_page_in_place_of_a_file_is_refused(site: Site, store: Store, page: bytes) -> None:
    wanted = put(site, "one", ONE)
    site.files[wanted.file] = page
    assert "is not a PyTorch checkpoint: it begins with" in str(error_of(store, wanted))
    assert visible(store.folder) == []


def test_old_checkpoints_are_pickles(site: Site, store: Store) -> None:
    assert bring(store, put(site, "old", b"\x80\x02" + ONE))[0].came


def test_a_refused_file_can_be_brought_by_hand(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    site.answers = [(403, {})]
    assert "download it with a browser into that folder" in error_of(store, wanted).__notes__[0]


def test_a_server_that_is_not_there_is_tried_once_for_all_its_files(store: Store) -> None:
    with serving(Site(b"")) as gone:
        wanted = [put(gone, stem, ONE) for stem in ("one", "two", "three")]
    began = time.monotonic()
    errors = [outcome.error for outcome in fetch_all(wanted, store, lambda _: Told(), QUICK)]
    assert time.monotonic() - began < 5
    assert [type(error) for error in errors] == [UnreachableError] * 3
    assert [str(error) for error in errors[1:]] == ["not tried, because 127.0.0.1 could not be reached"] * 2


def test_an_address_that_is_none_is_told(store: Store) -> None:
    wanted = Checkpoint("http://example.org/x.pth", "mmdet", ("x",), "Apache-2.0")
    assert str(error_of(store, wanted)) == "http://example.org/x.pth is not encrypted"


def test_a_second_process_is_refused_while_the_first_fetches(site: Site, store: Store) -> None:
    wanted, other = put(site, "one", ONE), put(site, "two", TWO)
    store.folder.mkdir(parents=True)
    with (store.folder / f".{wanted.file}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy, came = bring(store, wanted, other)
    assert isinstance(busy.error, FetchBusyError)
    assert str(busy.error) == f"another process is fetching {wanted.file} into {store.folder}"
    assert came.came


def test_processes_at_once_list_all_they_bring(site: Site, store: Store) -> None:
    wanted = [put(site, f"part{number}", content(number, 50_000)) for number in range(8)]
    code = "from pathlib import Path; from stock import *; from zoo.supply.published import Checkpoint\n"
    code += f"bring(Store(Path({str(store.folder)!r})), *WANTED)"
    children = [
        subprocess.Popen([sys.executable, "-c", code.replace("WANTED", repr(own))], env=reaching_helpers())
        for own in (wanted, wanted[::-1], wanted[4:] + wanted[:4])
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert sorted(store.held()) == sorted(one.file for one in wanted)
    assert all(store.verify(held) for held in store.held().values())


def test_a_disk_that_fills_up_keeps_what_came(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = put(site, "one", ONE)
    with monkeypatch.context() as patched:
        patched.setattr(part, "_opened", lambda path, mode: FullDisk(path, mode))
        site.piece_s = 0.002
        error = error_of(store, wanted)
    assert isinstance(error, FetchDiskError)
    assert str(error) == f"the disk of {store.folder} is full; 0.1 MB are kept"
    site.piece_s = 0
    assert bring(store, wanted)[0].came


# sizes beforehand


def test_sizes_are_told_before_anything_comes(site: Site, store: Store) -> None:
    first, second = put(site, "one", ONE), put(site, "two", TWO[:1000])
    bring(store, first)
    asked: list[tuple[int, int]] = []
    ahead = outlook([first, second], store, lambda done, total: asked.append((done, total)))
    assert (ahead.there, ahead.missing, ahead.stated_bytes, ahead.unstated) == (1, {second.file: 1000}, 1000, 0)
    assert asked == [(1, 1)]


def test_sizes_are_asked_for_where_a_file_has_moved_to(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    site.moved_to = [wanted.address.replace("some", "other")]
    assert outlook([wanted], store).missing == {wanted.file: len(ONE)}
    assert (site.heads_asked, site.asked) == (2, [])


@pytest.mark.parametrize("habit", ["heads", "states_length"])
def test_a_size_that_the_server_does_not_say_is_unknown(site: Site, store: Store, habit: str) -> None:
    setattr(site, habit, False)
    ahead = outlook([put(site, "one", ONE)], store)
    assert (ahead.stated_bytes, ahead.unstated) == (0, 1)


def test_sizes_of_a_server_that_is_not_there_are_unknown(store: Store) -> None:
    with serving(Site(b"")) as gone:
        wanted = [put(gone, stem, ONE) for stem in ("one", "two")]
    assert outlook(wanted, store).unstated == 2


# the store


def test_a_store_that_is_not_there_holds_nothing(site: Site, store: Store) -> None:
    assert store.held() == {}
    assert store.find(put(site, "one", ONE)) is None
    assert not store.folder.exists()


def test_a_file_that_was_removed_is_not_there(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    bring(store, wanted)
    store.path(wanted.file).unlink()
    assert store.find(wanted) is None
    assert bring(store, wanted)[0].came


def test_a_file_of_another_size_is_damaged_and_the_command_that_mends_it_told(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    bring(store, wanted)
    store.path(wanted.file).write_bytes(ONE[:-1])
    with pytest.raises(DamagedError) as caught:
        store.find(wanted)
    assert str(caught.value) == f"{store.path(wanted.file)} has 300,003 bytes, not the 300,004 it came with"
    assert caught.value.__notes__ == [f"`edge fetch one_8xb32_in1k --folder {store.folder}` brings it anew"]
    assert outlook([wanted], store).there == 0


def test_a_file_of_another_hash_is_found_by_checking_only(site: Site, store: Store) -> None:
    wanted = put(site, "one", ONE)
    bring(store, wanted)
    store.path(wanted.file).write_bytes(ONE[:-1] + b"x")
    held = store.find(wanted)
    assert held is not None
    with pytest.raises(DamagedError, match=f"not the {sha256(ONE)} it came with"):
        store.verify(held)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"checkpoints": [{"file": "../x.pth"}]}'])
def test_an_index_that_cannot_be_read_is_told_and_left(site: Site, store: Store, text: str) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / INDEX).write_text(text)
    with pytest.raises(DamagedError, match="cannot be read back") as caught:
        bring(store, put(site, "one", ONE))
    assert caught.value.__notes__[0].startswith("remove it and run `edge fetch` again")
    assert (store.folder / INDEX).read_text() == text


def test_checkpoints_lie_where_xdg_puts_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    assert default_folder() == Path("/d/edge/weights")
    assert Store().elsewhere == ""


def reaching_helpers() -> dict[str, str]:
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(here), str(here.parent.parent / "edge")))}
