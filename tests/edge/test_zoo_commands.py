"""`edge zoo`: what the toolboxes publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import small_data
from typer.testing import CliRunner

from edge.cli import app
from zoo.models.catalogue import Entry, Result, catalogue, faults


def edge(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["zoo", *arguments])


def told(*arguments: str) -> Any:
    done = edge(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_entry_of_the_toolboxes_is_read() -> None:
    entries = catalogue()
    assert len(entries) >= 2100
    by_task = {task: sum(task in entry.tasks for entry in entries) for task in ("classification", "detection")}
    assert by_task["classification"] > 400
    assert by_task["detection"] > 500
    assert all(entry.name and entry.family and entry.config for entry in entries)


def test_models_are_listed_by_name_task_family_and_size() -> None:
    assert {entry["family"] for entry in told("models", "a MobileNet V2", "--task", "classification")} == {
        "MobileNet V2"
    }
    small = told("models", "--task", "classification", "--max-params", "2M", "--family", "mobilenet*")
    assert {entry["name"] for entry in small} == {"mobilenet-v3-small-050_3rdparty_in1k"}
    listed = edge("models", "--task", "detection")
    assert listed.stderr.splitlines()[-1] == "540 models, 500 of them not shown; --all shows them"


def test_one_model_is_shown_with_all_that_is_published() -> None:
    done = edge("show", "RTMDET_tiny_8xb32-300e_coco")
    assert done.exit_code == 0
    assert "quoted      detection on COCO: box AP 40.9" in done.stderr
    assert told("show", "rtmdet_tiny_8xb32-300e_coco")[0]["toolbox"] == "mmdet"


def test_unknown_names_and_amounts_are_errors_with_the_next_step() -> None:
    missed = edge("show", "rtmdet_tiny")
    assert "no model is called rtmdet_tiny" in str(missed.exception)
    assert "rtmdet_tiny_8xb32-300e_coco" in str(missed.exception.__notes__)
    assert "There is no model 'YOLOv5' in the zoo." in str(edge("models", "YOLOv5").exception)
    assert "none of 4 models is left by --task classification" in str(
        edge("models", "YOLOX", "--task", "classification").exception
    )
    assert "there is no task 'detektion'" in str(edge("models", "--task", "detektion").exception)
    assert "'many' is no amount" in str(edge("models", "--max-params", "many").exception)


def test_published_sizes_that_contradict_each_other_are_found() -> None:
    wrong = faults(catalogue())
    assert wrong["resnet34_8xb32_in1k"] == [
        "2.18M parameters and 3.68G FLOPs do not go together: 1688 FLOPs a parameter, where the median of ResNet is 161"
    ]
    assert "What is wrong:" in edge("models", "ResNet34", "--check").stderr
    assert "resnet18_8xb32_in1k" not in wrong


def test_an_entry_without_config_checkpoint_or_figure_says_so() -> None:
    bare = Entry("x", "mmdet", "X", (), "configs/no/such.py", "", None, None, ())
    assert faults([bare])["x"] == [
        "its config configs/no/such.py is not in the installed mmdet",
        "no checkpoint is published",
        "no figure is published, so nothing says what it is for",
    ]


def test_a_large_input_is_no_contradiction() -> None:
    def entry(name: str, flops: int) -> Entry:
        return Entry(name, "mmpretrain", "X", (), "c.py", "w", 10_000_000, flops, (Result("t", "d", {}),))

    some = [entry(f"x{number}", 1_000_000_000) for number in range(4)]
    assert "x-512px" not in {
        n for n, f in faults([*some, entry("x-512px", 6_000_000_000)]).items() if "together" in f[-1]
    }
    assert "together" in faults([*some, entry("y", 6_000_000_000)])["y"][-1]


def shots(folder: Path, count: int, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(seed + number).integers(0, 255, (16, 20 + number, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)


def test_a_data_set_is_told_in_numbers(tmp_path: Path) -> None:
    shots(tmp_path / "train" / "cat", 30)
    shots(tmp_path / "train" / "dog", 30, seed=100)
    shots(tmp_path / "train" / "owl", 2, seed=200)
    shots(tmp_path / "test" / "cat", 1)
    done = edge("check", str(tmp_path), "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["parts"] == {"train": 62, "test": 1}
    assert [(one["name"], one["images"], one["rare"]) for one in document["classes"]] == [
        ("cat", 31, False),
        ("dog", 30, False),
        ("owl", 2, True),
    ]
    assert document["duplicates"] == 1
    assert document["twins"] == [["test/cat/0.png", "train/cat/0.png"]]
    assert "images      1 test, 62 train" in done.stderr
    assert "20 × 16 to 49 × 16 pixels, the middle one" in done.stderr  # noqa: RUF001
    assert "- test/cat/0.png = train/cat/0.png" in done.stderr


def test_pictures_that_look_like_one_of_another_part_are_a_warning(tmp_path: Path) -> None:
    for number, (part, name) in enumerate((p, n) for p in ("train", "test") for n in ("cat", "dog")):
        soft = np.random.default_rng(number).integers(0, 200, (4, 5, 3), dtype=np.uint8)
        (tmp_path / part / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / part / name / "0.png"), cv2.resize(soft, (60, 48), interpolation=cv2.INTER_CUBIC))
    pixels = cv2.imread(str(tmp_path / "train" / "dog" / "0.png"))
    assert pixels is not None
    cv2.imwrite(str(tmp_path / "test" / "dog" / "again.jpg"), pixels)
    done = edge("check", str(tmp_path), "--json")
    assert done.exit_code == 0, done.stderr
    (alike,) = json.loads(done.stdout.splitlines()[-1])["alike"]
    assert (alike["image"], alike["other"]) == ("test/dog/again.jpg", "train/dog/0.png")
    assert "1 picture of a held-out part looks like one of another, which `edge produce` leaves in:" in " ".join(
        done.stderr.split()
    )
    assert "- test/dog/again.jpg ~ train/dog/0.png (correlation 1.000)" in done.stderr


def test_a_table_of_several_labels_is_counted_and_its_task_is_known(tmp_path: Path) -> None:
    shots(tmp_path / "pictures", 3)
    (tmp_path / "labels.csv").write_text("image,tags\n0.png,cat dog\n1.png,dog\n2.png,\n")
    done = edge("check", str(tmp_path), "--task", "multilabel-classification", "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    assert (document["tasks"], document["unlabelled"]) == (["multilabel-classification"], 1)
    assert [(one["name"], one["images"]) for one in document["classes"]] == [("cat", 1), ("dog", 2)]
    assert "multilabel-classification, which edge reads and counts but cannot train yet" in " ".join(
        done.stderr.split()
    )


def test_images_that_cannot_be_used_are_named_and_decide_the_exit_code(tmp_path: Path) -> None:
    shots(tmp_path / "cat", 2)
    shots(tmp_path / "dog", 2, seed=100)
    (tmp_path / "dog" / "0.png").write_bytes(b"no image")
    done = edge("check", str(tmp_path), "--json")
    assert str(done.exception) == "1 of 4 images cannot be used"
    assert "- dog/0.png cannot be decoded" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["bad"][0]["image"] == "dog/0.png"


def test_a_data_set_is_registered_listed_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DATA_HOME", str(tmp_path / "home"))
    small_data.detection(tmp_path / "shapes")
    done = edge("add", "yard", str(tmp_path / "shapes"), "--licence", "ours")
    assert done.exit_code == 0, done.stderr
    assert "Registered as yard." in done.stderr
    listed = told("list")
    assert listed["here"]["yard"]["licence"] == "ours"
    assert listed["here"]["yard"]["images"] == {"undivided": 30}
    assert "coco" in listed["missing"]
    assert "yard" in edge("list").stderr
    forgotten = edge("remove", "yard")
    assert f"its files stay in {tmp_path / 'shapes'}" in forgotten.stderr
    assert told("list")["here"] == {}


def test_a_data_set_with_broken_images_is_registered_only_when_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_DATA_HOME", str(tmp_path / "home"))
    small_data.detection(tmp_path / "shapes")
    (tmp_path / "shapes" / "images" / "03.png").write_bytes(b"no image")
    assert "1 of 30 images cannot be used" in str(edge("add", "yard", str(tmp_path / "shapes")).exception)
    assert told("list")["here"] == {}
    assert edge("add", "yard", str(tmp_path / "shapes"), "--skip-bad").exit_code == 0
    assert told("list")["here"]["yard"]["images"] == {"undivided": 29}
