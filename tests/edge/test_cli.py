"""The commands from outside: exit codes, exact words on stderr, and nothing but JSON lines on stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import edge
from edge.cli import FOREIGN, _weights, exit_code
from edge.errors import EdgeError, Exit, Infeasible

REQUEST = "Tell cats from dogs, at least 10 fps"
COPY_AGAIN = "  Copy the package again from its source.\n"


def call(*arguments: str | bytes | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "edge", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def refused(code: Exit, words: str, *arguments: str | Path, **environment: str) -> None:
    done = call(*arguments, **environment)
    assert (done.stderr, done.stdout, done.returncode) == (words, "", code)


# produce


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_request_is_refused_before_anything_is_made(tmp_path: Path, text: str) -> None:
    words = (
        "Error: the request is empty\n"
        '  Say what to make: edge produce "detect apples, at least 20 fps".\n'
    )  # fmt: skip
    refused(Exit.BAD_REQUEST, words, "produce", text, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_data_that_does_not_exist_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    words = f"Error: --data {tmp_path}/gone does not exist\n  Give the folder that holds the images.\n"
    refused(Exit.DATA, words, "produce", REQUEST, "--data", tmp_path / "gone", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_data_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_text("")
    words = f"Error: --data {tmp_path}/data.zip is not a folder\n  Give the folder that holds the images.\n"
    refused(Exit.DATA, words, "produce", REQUEST, "--data", tmp_path / "data.zip", "--out", tmp_path / "out")


def test_scratch_is_no_file_and_a_file_of_that_name_has_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _weights(None) is None
    assert _weights("scratch") == "scratch"
    assert _weights("./scratch") == tmp_path / "scratch"


def test_weights_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    words = (
        f"Error: --weights {tmp_path}/w.pth is not a file\n"
        "  Give a PyTorch checkpoint, or leave it out.\n"
    )  # fmt: skip
    refused(Exit.DATA, words, "produce", REQUEST, "--weights", tmp_path / "w.pth", "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("budget", "fact"),
    [
        ("soon", "'soon' is no duration"),
        ("-5", "'-5' is no duration"),
        ("", "'' is no duration"),
        ("0", "'0' is no time to work in"),
    ],
)
def test_budget_that_is_no_time_is_refused(tmp_path: Path, budget: str, fact: str) -> None:
    words = f"Error: {fact}\n  Write 90s, 10m or 1h30m.\n"
    refused(Exit.BAD_REQUEST, words, "produce", REQUEST, "--budget", budget, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_setting_is_refused_naming_its_variable(tmp_path: Path) -> None:
    words = (
        "Error: settings cannot be used: EDGE_SEED: seed is 'x', expected a whole number\n"
        "  Correct them; docs/SETTINGS.md lists all.\n"
    )
    refused(Exit.BAD_REQUEST, words, "produce", REQUEST, "--out", tmp_path / "out", EDGE_SEED="x")


def test_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    words = (
        f"Error: {tmp_path} is not empty and holds no job of edge (thesis.tex)\n"
        "  Give an empty or new folder: --out DIR.\n"
    )  # fmt: skip
    refused(Exit.STORAGE, words, "produce", REQUEST, "--out", tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


# the command line itself


def test_unknown_command_is_a_usage_error() -> None:
    done = call("prodcue", "x")
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr.endswith("Error: No such command 'prodcue'. Did you mean 'produce'?\n")


def test_unknown_option_is_a_usage_error() -> None:
    done = call("verify", "x", "--fast")
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert "No such option" in done.stderr


@pytest.mark.parametrize("arguments", [("run", "p"), ("run",), ("verify",), ("produce",), ("understand",)])
def test_missing_argument_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert "Missing argument" in done.stderr


def test_version_is_printed_alone() -> None:
    done = call("--version")
    assert (done.stdout, done.stderr, done.returncode) == (f"{edge.__version__}\n", "", 0)


def test_without_a_command_the_help_is_shown() -> None:
    done = call()
    for command in ("produce", "understand", "verify", "run", "doctor"):
        assert f"\n  {command} " in done.stdout + done.stderr


def test_console_script_and_module_are_the_same_program() -> None:
    script = Path(sys.executable).with_name("edge")
    if not script.is_file():
        pytest.skip("edge is not installed into this environment")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == call("--version").stdout


def test_bug_shows_its_traceback_and_an_error_does_so_with_debug(tmp_path: Path) -> None:
    done = call("--debug", "verify", tmp_path / "gone")
    assert "Traceback" in done.stderr
    assert done.returncode == Exit.INTERNAL


# packages


@pytest.mark.parametrize("command", ["run", "verify"])
def test_folder_that_is_not_there_is_refused(tmp_path: Path, command: str) -> None:
    words = f"Error: {tmp_path}/gone is not a folder\n  Give the package folder that `edge produce` named.\n"
    refused(Exit.VERIFICATION, words, command, tmp_path / "gone", *(["a.png"] if command == "run" else []))


def test_running_a_folder_that_is_no_package_is_refused(tmp_path: Path) -> None:
    words = (
        f"Error: {tmp_path} is no package of edge: model.json cannot be read\n"
        "  Give the folder that `edge produce` named.\n"
    )
    refused(Exit.VERIFICATION, words, "run", tmp_path, "a.png")


def test_verifying_a_folder_that_is_no_package_is_refused(tmp_path: Path) -> None:
    words = (
        f"Error: {tmp_path} is no finished package: manifest.json cannot be read\n"
        "  Give the folder that `edge produce` named.\n"
    )
    refused(Exit.VERIFICATION, words, "verify", tmp_path)


def test_run_answers_each_image_with_one_json_line(original: Path) -> None:
    images = [original / "samples/00.png", original / "samples/01.png"]
    done = call("run", original, *images)
    assert (done.stderr, done.returncode) == ("", 0)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["image"], answer["label"]) for answer in answers] == [
        (str(images[0]), "dunkel"),
        (str(images[1]), "hell ☀"),
    ]
    expected = json.loads((original / "expected.json").read_text())
    for answer, entry in zip(answers, expected, strict=True):
        assert list(answer["scores"].values()) == pytest.approx(entry["scores"], abs=1e-5)


def test_missing_image_among_good_ones_is_named_and_the_others_are_predicted(original: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    good = original / "samples/00.png"
    done = call("run", original, tmp_path / "gone.png", good, tmp_path / "empty.jpg")
    assert done.stderr == (
        f"Error: cannot read {tmp_path}/gone.png: No such file or directory; "
        f"{tmp_path}/empty.jpg is not an image that can be decoded\n"
        "  The other images were predicted.\n"
    )
    assert done.returncode == Exit.DATA
    assert [json.loads(line)["image"] for line in done.stdout.splitlines()] == [str(good)]


def test_no_readable_image_at_all_is_not_called_predicted(original: Path, tmp_path: Path) -> None:
    words = f"Error: cannot read {tmp_path}/gone.png: No such file or directory\n"
    refused(Exit.DATA, words, "run", original, tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_truncated_image_is_one_line_without_the_decoders_chatter(original: Path, tmp_path: Path, suffix: str) -> None:
    import cv2
    import numpy as np

    path = tmp_path / f"cut{suffix}"
    path.write_bytes(cv2.imencode(suffix, np.full((80, 80, 3), 9, np.uint8))[1].tobytes()[:-200])
    done = call("run", original, path)
    ours = [line for line in done.stderr.splitlines() if not line.startswith("libpng error")]  # the library's own
    assert ours == [f"Error: {path} is not an image that can be decoded"]


def test_pictures_are_drawn_into_a_new_folder(original: Path, tmp_path: Path) -> None:
    from edge.predictor.images import read

    images = [original / "samples/00.png", original / "samples/01.png"]
    done = call("run", original, *images, "--draw", tmp_path / "neue Bilder" / "x")
    assert (done.stderr, done.returncode) == ("", 0)
    drawn = sorted((tmp_path / "neue Bilder" / "x").iterdir())
    assert [path.name for path in drawn] == ["00.png", "01.png"]
    assert read(drawn[0]).shape == (336, 336, 3)


def test_drawing_never_replaces_an_input(package: Path) -> None:
    image = package / "samples/00.png"
    before = image.read_bytes()
    words = f"Error: --draw {image.parent} would replace the image {image}\n  Give another folder.\n"
    refused(Exit.BAD_REQUEST, words, "run", package, image, "--draw", image.parent)
    assert image.read_bytes() == before


def test_two_images_of_one_name_are_not_drawn_over_each_other(original: Path, tmp_path: Path) -> None:
    other = tmp_path / "00.jpg"
    other.write_bytes((original / "samples/00.png").read_bytes())
    words = (
        f"Error: two images would be drawn to {tmp_path}/d/00.png\n"
        "  Run them one after the other, with a folder each.\n"
    )  # fmt: skip
    refused(Exit.BAD_REQUEST, words, "run", original, original / "samples/00.png", other, "--draw", tmp_path / "d")


def test_picture_folder_that_is_a_file_is_a_storage_error(original: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").write_text("")
    done = call("run", original, original / "samples/00.png", "--draw", tmp_path / "drawn")
    assert done.returncode == Exit.STORAGE
    assert done.stderr.startswith(f"Error: cannot write {tmp_path}/drawn/00.png: ")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--box", "1,2,3,4", "--box is for keypoint packages, this one is for classification\n  Leave --box out."),
        (
            "--threshold",
            "0.5",
            "--threshold is for detection packages, this one is for classification\n  Leave --threshold out.",
        ),
        ("--box", "", "--box  is not x,y,w,h\n  Give four numbers in pixels: --box 10,20,200,150."),
    ],
)
def test_option_that_the_package_has_no_use_for_is_refused(original: Path, option: str, value: str, words: str) -> None:
    refused(Exit.BAD_REQUEST, f"Error: {words}\n", "run", original, original / "samples/00.png", option, value)


def test_file_name_that_is_not_utf8_is_answered_with_valid_json(original: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes((original / "samples/00.png").read_bytes())
    done = call("run", original, name)
    assert (done.stderr, done.returncode) == ("", 0)
    assert json.loads(done.stdout)["image"] == os.fsdecode(name)


def test_json_is_utf8_whatever_the_locale(original: Path) -> None:
    done = call("run", original, original / "samples/01.png", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.stderr, done.returncode) == ("", 0)
    assert json.loads(done.stdout)["label"] == "hell ☀"


def test_broken_model_file_is_refused_with_its_path(package: Path) -> None:
    (package / "model.onnx").write_bytes(b"not a model")
    done = call("run", package, package / "samples/00.png")
    assert (done.returncode, done.stdout) == (Exit.BACKEND, "")
    assert done.stderr.startswith(f"Error: {package}/model.onnx is not a model ONNX Runtime can open: ")
    assert done.stderr.endswith("  The file may be cut short or of another format; make the package again.\n")


# verify


def spoiled(package: Path) -> str:
    """One file changed, one taken away, two added."""
    (package / "model.onnx").write_bytes((package / "model.onnx").read_bytes()[:-1] + b"\x00")
    (package / "samples/01.png").unlink()
    (package / "samples/neu ☀.png").write_text("")
    (package / "virus.sh").write_text("")
    return (
        f"Error: {package}: samples/01.png is missing; samples/neu ☀.png was added; virus.sh was added; "
        "model.onnx was changed\n"
    )


def test_verify_names_every_file_that_is_missing_added_or_changed(package: Path) -> None:
    refused(Exit.VERIFICATION, spoiled(package) + COPY_AGAIN, "verify", package)


@pytest.mark.parametrize("content", ["", "[]", '{"files": [1]}', '{"files": "abc"}', "{}"])
def test_damaged_manifest_is_refused(package: Path, content: str) -> None:
    (package / "manifest.json").write_text(content)
    refused(Exit.VERIFICATION, f"Error: {package}/manifest.json is malformed\n" + COPY_AGAIN, "verify", package)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("truth.json", "{}", "truth.json cannot be read: KeyError('root')"),
        ("expected.json", "[]", "expected.json names no sample"),
        ("expected.json", '[{"image": "samples/00.png"}]', "expected.json is malformed: KeyError('box')"),
    ],
)
def test_package_that_lies_about_its_parts_is_refused_without_a_traceback(
    package: Path, reseal: Callable[[Path], None], name: str, content: str, words: str
) -> None:
    (package / name).write_text(content)
    reseal(package)
    done = call("verify", package)
    assert (done.returncode, done.stdout) == (Exit.VERIFICATION, "")
    assert done.stderr.endswith(f"Error: {package}/{words}\n  Make the package again.\n")


def test_whole_package_verifies_and_json_is_the_last_line(original: Path) -> None:
    done = call("verify", original, "--json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    results = {check["name"]: check["result"] for check in verdict["checks"]}
    assert results["files"] == results["same answers as the trained model"] == results["top-1 accuracy"] == "met"
    assert (verdict["metric"], verdict["baseline"]) == (1.0, 0.5)
    assert verdict["overall"] in ("perfect", "works")  # the speed may stay undecided on a machine under load


def test_package_whose_answers_changed_fails_with_its_own_exit_code(
    package: Path, reseal: Callable[[Path], None]
) -> None:
    expected = json.loads((package / "expected.json").read_text())
    expected[1]["scores"] = [0.5, 0.5]
    (package / "expected.json").write_text(json.dumps(expected))
    reseal(package)
    done = call("verify", package)
    assert (done.returncode, done.stdout) == (Exit.VERIFICATION, "")
    assert done.stderr.endswith(f"Error: {package} does not hold what it promises on this machine\n")


HEAVY = "('torch', 'mmengine', 'mmcv', 'mmdeploy', 'optuna', 'llama_cpp', 'matplotlib')"
TELL_MODULES = f"""
import sys
from edge.cli import main
try:
    main()
finally:
    print("loaded:", [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize("command", ["run", "verify"])
def test_using_a_package_needs_neither_torch_nor_openmmlab(original: Path, command: str) -> None:
    arguments = [command, str(original), *([str(original / "samples/00.png")] if command == "run" else [])]
    done = subprocess.run(
        [sys.executable, "-P", "-c", TELL_MODULES, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"


# interruption and the table of errors


def test_interrupt_ends_with_a_word_and_its_own_exit_code(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.png"
    os.mkfifo(fifo)  # reading it waits for ever
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", WAITING, str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, words = child.communicate(timeout=30)
    assert words == "Interrupted.\n"
    assert child.returncode == Exit.INTERRUPTED == 130


WAITING = """
import sys
from pathlib import Path
import edge.cli
def waits(fifo):
    print("ready", flush=True)
    Path(fifo).read_bytes()
edge.cli._existing = waits
sys.argv = ["edge", "verify", sys.argv[1]]
edge.cli.main()
"""


def test_every_error_of_edge_has_an_exit_code_and_a_sentence() -> None:
    kinds = EdgeError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ and kind.__doc__.endswith(".") for kind in kinds)
    assert {*codes, Exit.OK, Exit.INTERNAL, Exit.USAGE} == set(Exit)


def test_errors_of_the_lower_floors_have_exit_codes_and_bugs_have_none() -> None:
    import importlib

    for (module, name), code in FOREIGN.items():
        kind = getattr(importlib.import_module(module), name)
        assert exit_code(kind.__new__(kind)) == code
    assert exit_code(Infeasible("x")) == Exit.INFEASIBLE
    assert exit_code(ValueError("x")) is None
