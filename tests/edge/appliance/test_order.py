"""What a request file may say, what is refused, and that no file brings the reader down."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edge.appliance.arrivals import passing
from edge.appliance.order import Order, read_order
from edge.errors import BadRequest

TEXT = "detect cars, 30 fps"


def order(tmp_path: Path, name: str, content: str | bytes, below: Path | None = None) -> Order:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_order(path, below)


def refusal(tmp_path: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        order(tmp_path, name, content)
    assert caught.value.__notes__, "an error names the next step"
    return str(caught.value)


def test_text_file_is_the_request_itself(tmp_path: Path) -> None:
    assert order(tmp_path, "a.TXT", b"\xef\xbb\xbf  detect cars,\n30 fps\n") == Order("detect cars,\n30 fps")


FULL = {
    "text": TEXT, "data": ["yard", "/data/Straße 1"], "budget": "1h30m", "balance": True, "skip_bad": True,
    "accept": True, "weights": "scratch", "threads": 2, "seed": 7, "priority": -3,
}  # fmt: skip


def test_json_and_yaml_carry_the_same_settings(tmp_path: Path) -> None:
    import yaml

    read = order(tmp_path, "a.json", json.dumps(FULL))
    assert read == order(tmp_path, "a.yaml", yaml.safe_dump(FULL)) == order(tmp_path, "a.yml", yaml.safe_dump(FULL))
    assert read.priority == -3
    assert read.arguments() == [
        "--data", "yard", "--data", "/data/Straße 1", "--budget", "5400.000s", "--balance", "--skip-bad", "--accept",
        "--weights", "scratch", "--threads", "2", "--seed", "7", "--", TEXT,
    ]  # fmt: skip


def test_text_that_looks_like_an_option_stays_text(tmp_path: Path) -> None:
    assert order(tmp_path, "a.txt", "--out /etc").arguments()[-2:] == ["--", "--out /etc"]


def test_budget_may_be_a_number_of_seconds(tmp_path: Path) -> None:
    assert order(tmp_path, "a.json", '{"text": "x", "budget": 90, "threads": null}').budget_s == 90


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.docx", "x", "a request's name ends in .txt, .json, .yaml, .yml, this one's in '.docx'"),
        ("a", "x", "a request's name ends in .txt, .json, .yaml, .yml, this one's in 'nothing'"),
        ("a.txt", " \n", "the file is empty"),
        ("a.txt", b"\xff\xfe\x00", "the file is not UTF-8 text"),
        ("a.txt", "x" * 70_000, "the file is larger than 64 KiB"),
        ("a.txt", "a\0b", "the request cannot be used: 'text' is not a request in words"),
        ("a.json", "[1]", "the file holds no names with values, but a list"),
        ("a.json", '{"text": "a", "text": "b"}', "the file is not valid JSON: a name stands there twice"),
        ("a.json", '{"text": "a", "budget": NaN}', "the file is not valid JSON: NaN is no number"),
        ("a.json", '{"text": "\\ud800"}', "the request cannot be used: 'text' is not a request in words"),
        ("a.yaml", "text: a\ntext: b", "the file is not valid YAML: a name stands there twice"),
        ("a.yaml", "text: !!python/object/apply:os.system [id]", "anchors, aliases and tags are not taken"),
        ("a.yaml", "a: &a [x]\nb: [*a, *a]", "anchors, aliases and tags are not taken"),
        ("a.yaml", "text: a\n---\ntext: b", "expected a single document"),
        ("a.json", "{}", "'text' is missing"),
        ("a.json", '{"text": "a", "out": "/etc"}', "'out' is not known"),
        ("a.json", '{"text": "a", "weights": "/tmp/evil.pth"}', "'weights' is not the word scratch"),
        ("a.json", '{"text": "a", "threads": true}', "'threads' is not a whole number from 1 to 1024"),
    ],
)
def test_faults_are_told(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    assert words in refusal(tmp_path, name, content)


@pytest.mark.parametrize(
    "data", ["../x", "/data/../etc", "x/y", "~/x", "-x", "--out", "/a\nb", "", "/a\0", 5, [[]], ["\ud800"]]
)
def test_data_is_a_name_or_a_path_that_says_where_it_leads(tmp_path: Path, data: object) -> None:
    words = refusal(tmp_path, "a.json", json.dumps({"text": "a", "data": data}))
    assert "'data' is not the name of a registered data set or an absolute path, or a list of them" in words


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    words = refusal(tmp_path, "a.json", '{"priority": 99, "budget": "soon", "colour": 1}')
    assert all(part in words for part in ("'colour' is not known", "'text' is missing", "'budget'", "'priority'"))


def test_data_outside_the_allowed_folder_is_refused_also_through_a_link(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    (allowed / "cars").mkdir(parents=True)
    (allowed / "out").symlink_to("/etc")
    for data, fits in ((f"{allowed}/cars", True), ("yard", True), ("/etc", False), (f"{allowed}/out", False)):
        content = json.dumps({"text": "a", "data": data})
        if fits:
            assert order(tmp_path, "a.json", content, allowed).data == (data,)
        else:
            with pytest.raises(BadRequest, match="is not in"):
                order(tmp_path, "a.json", content, allowed)


def test_yaml_bombs_are_refused_in_no_time(tmp_path: Path) -> None:
    for content in ("[" * 30_000, "- " * 30_000, "{a: " * 10_000, "? " * 20_000, "text: 0x" + "f" * 60_000):
        refusal(tmp_path, "a.yaml", content)
    refusal(tmp_path, "a.json", "[" * 60_000)
    refusal(tmp_path, "a.json", '{"text": "a", "seed": ' + "9" * 60_000 + "}")


def test_mutilated_files_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(4)
    sources = [json.dumps(FULL).encode(), b"text: a\ndata: [x, y]\nbudget: 10m\n", TEXT.encode()]
    path = tmp_path / "a"
    for turn in range(400):
        raw = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 6)):
            raw[rng.randrange(len(raw))] = rng.choice([rng.randrange(256), *b"{}[]&*!|>:-#%@\"'\t\n"])
        place = path.with_suffix(rng.choice([".txt", ".json", ".yaml"]))
        place.write_bytes(bytes(raw))
        try:
            read_order(place)
        except BadRequest as error:
            assert error.__notes__, turn


@pytest.mark.parametrize(
    "name",
    [
        ".a.txt.Xy12Zz", ".a.txt.swp", "a.txt~", "#a.txt#", ".#a.txt", "a.swp", "a.txt.part", "a.json.tmp", "4913",
        "a.txt.crdownload", "~$a.txt", "~WRL0001.tmp", ".syncthing.a.txt.tmp", "~syncthing~a.txt.tmp", ".~lock.a.txt#",
        "a.sync-conflict-20240101-120000-ABCDEF.txt", "a (Anna's conflicted copy 2024-01-01).txt",
        ".DS_Store", "a.filepart",
        "Thumbs.db", "desktop.ini", ".nfs0000001", ".goutputstream-AB12", "a.txt.kate-swp", "a.yaml.partial", "a.bak",
    ],
)  # fmt: skip
def test_files_of_editors_and_sync_tools_are_left_alone(name: str) -> None:
    assert passing(name)


@pytest.mark.parametrize(
    "name", ["a.txt", "a.partial.txt", "tmp.json", "a#1.yaml", "49131", "a b.txt", "part.txt", "ä.txt"]
)
def test_requests_are_not_taken_for_such_files(name: str) -> None:
    assert not passing(name)
