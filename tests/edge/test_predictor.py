"""From a file's bytes to an answer in image pixels: decoding, the way there and back, drawing, words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image as Pillow
from pydantic import ValidationError

from edge.errors import BadRequest, DataError, Exit, StorageError, VerificationFailed
from edge.predictor.answers import Answer, postprocess
from edge.predictor.draw import LARGEST_SIDE, SMALLEST_SIDE, draw
from edge.predictor.images import Frame, decode, preprocess, read, write
from edge.predictor.predictor import Predictor, describe, parse_box, read_spec
from edge.predictor.spec import PackageSpec, Postprocess, Preprocess

FORMATS = "Give a whole JPEG, PNG, BMP, TIFF or WebP."
SUFFIXES = (".jpg", ".png", ".bmp", ".tiff", ".webp")


POSTPROCESS = {
    "classification": Postprocess(kind="scores"),
    "detection": Postprocess(kind="boxes", score_threshold=0.3),
    "segmentation": Postprocess(kind="mask"),
    "keypoint": Postprocess(kind="simcc"),
}


def noise(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def how(resize: str = "stretch", width: int = 32, height: int = 24, **changes: Any) -> Preprocess:
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "channels": "bgr"}
    return Preprocess.model_validate({"resize": resize, "width": width, "height": height, **plain, **changes})


def spec(task: str = "classification", classes: tuple[str, ...] = ("cat", "dog"), **changes: Any) -> PackageSpec:
    document = {"task": task, "engine": "onnxruntime", "model_file": "model.onnx", "classes": classes}
    return PackageSpec.model_validate({**document, "preprocess": how(), "postprocess": POSTPROCESS[task], **changes})


# Reading


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_file_is_read_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    image = noise(7, 5)
    write(tmp_path / f"a{suffix}", image)
    assert np.array_equal(read(tmp_path / f"a{suffix}"), image)


def test_grey_image_gets_three_equal_channels(tmp_path: Path) -> None:
    grey = noise(4, 6)[:, :, 0]
    Pillow.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(read(tmp_path / "grey.png"), np.dstack([grey] * 3))


def test_alpha_is_dropped_and_colours_stay(tmp_path: Path) -> None:
    rgba = np.zeros((3, 3, 4), np.uint8)
    rgba[:] = (250, 100, 50, 0)
    Pillow.fromarray(rgba).save(tmp_path / "clear.png")
    assert read(tmp_path / "clear.png")[0, 0].tolist() == [50, 100, 250]


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 256, 32768, 65535]], np.uint16)
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert read(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_palette_image_is_read_in_its_colours(tmp_path: Path) -> None:
    indexed = Pillow.new("P", (2, 2), 1)
    indexed.putpalette([0, 0, 0, 255, 128, 0])
    indexed.save(tmp_path / "indexed.png")
    assert read(tmp_path / "indexed.png")[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(("orientation", "shape"), [(1, (20, 40)), (3, (20, 40)), (6, (40, 20)), (8, (40, 20))])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, shape: tuple[int, int]) -> None:
    picture = Pillow.new("RGB", (40, 20))
    picture.paste((255, 255, 255), (0, 0, 10, 20))  # a white left edge shows where left went
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "turned.jpg", exif=exif)
    image = read(tmp_path / "turned.jpg")
    edges = {"left": image[:, 0], "right": image[:, -1], "top": image[0], "bottom": image[-1]}
    white = [name for name, pixels in edges.items() if pixels.min() > 200]
    assert image.shape[:2] == shape
    assert white == [{1: "left", 3: "right", 6: "top", 8: "bottom"}[orientation]]


def test_names_in_any_script_are_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "Ordner für 写真" / "Äpfel und 🍐 .png"
    write(path, noise(3, 3))
    assert read(path).shape == (3, 3, 3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.2, 0.7, 0.98])
def test_truncated_file_is_refused_not_filled_with_grey(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"cut{suffix}"
    whole = cv2.imencode(suffix, noise(120, 160))[1].tobytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path} is not an image that can be decoded"
    assert caught.value.__notes__ == [FORMATS]
    assert caught.value.exit_code == Exit.DATA == 5


@pytest.mark.parametrize("content", [b"", b"\x00", b"GIF89a", b"%PDF-1.7 not a picture", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path} is not an image that can be decoded"


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def test_header_that_promises_ten_thousand_million_pixels_is_refused_with_the_name() -> None:
    with pytest.raises(DataError) as caught:
        decode(png_that_claims(100_000, 100_000), "bomb.png")
    assert str(caught.value).startswith("bomb.png cannot be decoded: ")
    assert caught.value.__notes__ == [FORMATS]


def test_missing_file_and_folder_are_refused_with_the_systems_words(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "gone.png", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value) == f"cannot read {path}: {words}"
        assert caught.value.__notes__ == ["Check the path and its permissions."]


def test_picture_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write(tmp_path / "file" / "a.png", noise(2, 2))


# There and back


def test_stretch_brings_the_whole_image_to_the_input() -> None:
    tensor, frame = preprocess(noise(48, 96), how("stretch"))
    assert (tensor.shape, tensor.dtype, tensor.flags.c_contiguous) == ((1, 3, 24, 32), np.float32, True)
    assert frame == Frame(96, 48, (32 / 96, 24 / 48))


def test_letterbox_keeps_the_ratio_top_left_and_pads_the_rest() -> None:
    tensor, frame = preprocess(np.full((10, 40, 3), 7, np.uint8), how("letterbox", pad_value=114))
    assert frame == Frame(40, 10, (0.8, 0.8))
    assert np.all(tensor[0, :, :8] == 7)
    assert np.all(tensor[0, :, 8:] == 114)


def test_box_crop_puts_the_middle_of_the_box_in_the_middle() -> None:
    _, frame = preprocess(noise(200, 200), how("box-crop", box_padding=1.25), (50.0, 60.0, 40.0, 20.0))
    assert frame.to_image(np.array([[16.0, 12.0]])).tolist() == [[70.0, 70.0]]
    corners = frame.to_image(np.array([[0.0, 0.0], [32.0, 24.0]]))
    assert np.allclose(corners, [[45.0, 51.25], [95.0, 88.75]])


def test_box_crop_beyond_the_border_is_black() -> None:
    tensor, _ = preprocess(np.full((20, 20, 3), 200, np.uint8), how("box-crop"), (-60.0, -60.0, 20.0, 20.0))
    assert tensor.max() == 0


def test_box_crop_without_a_box_takes_the_whole_image() -> None:
    image = noise(30, 50)
    assert np.array_equal(
        preprocess(image, how("box-crop"))[0], preprocess(image, how("box-crop"), (0.0, 0.0, 50.0, 30.0))[0]
    )


def test_a_tensor_of_the_right_shape_is_filled_and_another_left_alone() -> None:
    expected, _ = preprocess(noise(48, 96), how("stretch"))
    right, wrong = np.zeros_like(expected), np.zeros((1, 3, 1, 1), np.float32)
    assert preprocess(noise(48, 96), how("stretch"), into=right)[0] is right
    assert np.array_equal(right, expected)
    assert np.array_equal(preprocess(noise(48, 96), how("stretch"), into=wrong)[0], expected)
    assert not wrong.any()


def test_normalisation_is_by_channel_after_the_channels_are_ordered() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:] = (10, 20, 30)  # blue, green, red
    tensor, _ = preprocess(image, how(channels="rgb", mean=(30.0, 10.0, 0.0), std=(2.0, 5.0, 10.0)))
    assert tensor[0, :, 0, 0].tolist() == [0.0, 2.0, 1.0]


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "box-crop"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_images_of_any_shape_can_be_preprocessed(resize: str, height: int, width: int) -> None:
    tensor, frame = preprocess(noise(height, width), how(resize))
    assert tensor.shape == (1, 3, 24, 32)
    assert (frame.width, frame.height) == (width, height)
    assert np.isfinite(tensor).all()


def test_preprocessing_leaves_the_image_as_it_is() -> None:
    image = noise(24, 32)
    before = image.copy()
    for resize in ("stretch", "letterbox", "box-crop"):
        preprocess(image, how(resize, channels="rgb", mean=(1.0, 2.0, 3.0)))
    assert np.array_equal(image, before)


sides = st.integers(1, 300)


@given(
    resize=st.sampled_from(["stretch", "letterbox", "box-crop"]),
    image=st.tuples(sides, sides),
    size=st.tuples(st.integers(8, 96), st.integers(8, 96)),
    point=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    padding=st.floats(1, 2),
)
def test_frame_inverts_the_way_into_the_input(
    resize: str, image: tuple[int, int], size: tuple[int, int], point: tuple[float, float], padding: float
) -> None:
    (height, width), (x, y) = image, (point[0] * image[1], point[1] * image[0])
    _, frame = preprocess(np.zeros((height, width, 3), np.uint8), how(resize, *size, box_padding=padding))
    there = np.array([[x, y]]) * frame.scale + frame.offset
    assert np.allclose(frame.to_image(there), [[x, y]], atol=1e-6 * max(width, height))
    assert np.all(there >= -1e-6)
    assert np.all(there <= np.array(size) + 1e-6)


@given(
    resize=st.sampled_from(["letterbox", "box-crop", "stretch"]),
    corner=st.tuples(st.integers(0, 60), st.integers(0, 40)),
)
def test_square_seen_by_the_model_lies_where_the_frame_says(resize: str, corner: tuple[int, int]) -> None:
    x, y = corner
    image = np.zeros((60, 80, 3), np.uint8)
    image[y : y + 20, x : x + 20] = 255
    tensor, frame = preprocess(image, how(resize, 160, 160))
    rows, columns = np.nonzero(tensor[0, 0] > 127)
    seen = frame.to_image(np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]))
    assert np.abs(seen - [[x, y], [x + 20, y + 20]]).max() <= 1.0


# Answers


def test_highest_score_is_the_label() -> None:
    answer = postprocess({"output": np.array([[0.1, 0.7, 0.2]])}, Postprocess(kind="scores"), Frame(1, 1, (1, 1)))
    assert answer.label == 1


def boxes_answer(*rows: tuple[float, ...], labels: tuple[int, ...], frame: Frame) -> Answer:
    outputs = {"dets": np.array([rows], np.float32).reshape(1, -1, 5), "labels": np.array([labels])}
    return postprocess(outputs, POSTPROCESS["detection"], frame)


def test_boxes_come_back_in_image_pixels_and_inside_the_image() -> None:
    answer = boxes_answer((-5, -5, 10, 10, 0.9), (10, 8, 99, 99, 0.1), labels=(0, 1), frame=Frame(60, 40, (0.5, 0.5)))
    assert answer.boxes is not None
    assert answer.boxes.tolist() == [[0, 0, 20, 20], [20, 16, 60, 40]]


def test_rows_that_only_fill_up_are_dropped() -> None:
    answer = boxes_answer((1, 1, 2, 2, 0.5), (0, 0, 0, 0, 0), labels=(1, 0), frame=Frame(9, 9, (1, 1)))
    assert answer.labels is not None
    assert answer.labels.tolist() == [1]


@pytest.mark.parametrize("rows", [0, 1])
def test_no_box_at_all_is_an_answer_too(rows: int) -> None:
    empty = ((0.0,) * 5,) * rows
    answer = boxes_answer(*empty, labels=(0,) * rows, frame=Frame(9, 9, (1, 1)))
    assert describe(answer, spec("detection")) == {"boxes": []}
    assert draw(noise(9, 9), answer, spec("detection")).shape[2] == 3


@given(
    st.lists(st.tuples(*[st.floats(-500, 500, width=32)] * 4, st.floats(0.0625, 1, width=32)), max_size=6),
    st.tuples(sides, sides),
)
def test_no_box_ever_leaves_the_image(rows: list[tuple[float, ...]], size: tuple[int, int]) -> None:
    width, height = size
    frame = Frame(width, height, (0.37, 1.9), (3.0, -2.0))
    answer = boxes_answer(*rows, labels=(0,) * len(rows), frame=frame)
    assert answer.boxes is not None
    assert answer.boxes.shape == (len(rows), 4)
    assert np.all(answer.boxes >= 0)
    assert np.all(answer.boxes <= [width, height, width, height])


@pytest.mark.parametrize("shape", [(1, 1, 4, 6), (1, 4, 6), (4, 6)])
def test_mask_has_the_size_of_the_image_and_only_classes_of_the_model(shape: tuple[int, ...]) -> None:
    small = np.arange(24).reshape(shape) % 3
    answer = postprocess({"output": small}, POSTPROCESS["segmentation"], Frame(61, 17, (1, 1)))
    assert answer.mask is not None
    assert (answer.mask.shape, answer.mask.dtype) == ((17, 61), np.uint8)
    assert np.unique(answer.mask).tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(1, 1, 1, 6), (1, 1, 6, 1), (1, 1, 1, 1)])
def test_mask_of_one_row_or_column_keeps_its_direction(shape: tuple[int, ...]) -> None:
    answer = postprocess({"output": np.ones(shape, np.int64)}, POSTPROCESS["segmentation"], Frame(5, 7, (1, 1)))
    assert answer.mask is not None
    assert answer.mask.shape == (7, 5)


def test_simcc_bins_become_image_pixels_and_the_less_sure_axis_counts() -> None:
    x, y = np.zeros((1, 2, 64)), np.zeros((1, 2, 48))
    x[0, 0, 20], y[0, 0, 10] = 0.9, 0.4
    x[0, 1, 63], y[0, 1, 47] = 0.2, 0.8
    frame = Frame(100, 100, (0.5, 0.5), (2.0, 1.0))
    answer = postprocess({"simcc_x": x, "simcc_y": y}, Postprocess(kind="simcc", simcc_ratio=2.0), frame)
    assert answer.keypoints is not None
    assert answer.keypoint_scores is not None
    assert answer.keypoints.tolist() == [[16.0, 8.0], [59.0, 45.0]]
    assert answer.keypoint_scores.tolist() == [0.4, 0.2]


def test_threshold_keeps_boxes_that_reach_it_and_leaves_other_answers_alone() -> None:
    answer = boxes_answer((0, 0, 1, 1, 0.5), (0, 0, 1, 1, 0.25), labels=(0, 1), frame=Frame(9, 9, (1, 1)))
    kept = answer.confident(0.5)
    assert kept.labels is not None
    assert kept.labels.tolist() == [0]
    label = Answer(label=0, scores=np.array([1.0]))
    assert label.confident(0.9) is label


# Drawing

ANSWERS = {
    "classification": Answer(label=1, scores=np.array([0.2, 0.8])),
    "detection": Answer(
        boxes=np.array([[0.0, 0.0, 1.0, 1.0]]), box_scores=np.array([0.9]), labels=np.array([1], np.int64)
    ),
    "keypoint": Answer(keypoints=np.array([[0.0, 0.0], [-3.0, 900.0]]), keypoint_scores=np.array([0.9, 0.1])),
}
SIZES = [(1, 1), (40, 1), (1, 40), (3000, 1), (1, 3000), (90, 120), (700, 500)]


def answer_for(task: str, height: int, width: int) -> Answer:
    if task == "segmentation":
        return Answer(mask=np.ones((height, width), np.uint8))
    return ANSWERS[task]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("task", list(POSTPROCESS))
def test_drawing_leaves_its_input_alone_whatever_its_size(task: str, height: int, width: int) -> None:
    image = noise(height, width)
    answer = answer_for(task, height, width)
    before = image.copy()
    mask = None if answer.mask is None else answer.mask.copy()
    described = spec(task, ("Hintergrund", "Äpfel 🍎"), keypoint_names=("a", "b"), skeleton=((0, 1),))
    drawn = draw(image, answer, described)
    assert np.array_equal(image, before)
    assert mask is None or np.array_equal(answer.mask, mask)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] * width == drawn.shape[1] * height
    plain = cv2.resize(image, drawn.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    assert min(drawn.shape[:2]) < 20 or not np.array_equal(drawn, plain)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_small_pictures_grow_but_never_beyond_measure(height: int, width: int) -> None:
    drawn = draw(noise(height, width), ANSWERS["classification"], spec())
    assert max(drawn.shape) <= max(LARGEST_SIDE, height, width)
    assert min(drawn.shape[:2]) >= SMALLEST_SIDE or max(drawn.shape) * 2 > LARGEST_SIDE or drawn.shape[0] == height


def test_background_is_never_tinted() -> None:
    image = noise(400, 400)
    mask = np.zeros((400, 400), np.uint8)
    mask[:, 200:] = 1
    drawn = draw(image, Answer(mask=mask), spec("segmentation", ("Background", "cell")))
    assert np.array_equal(drawn[:, :200], image[:, :200])
    assert not np.array_equal(drawn[:, 200:], image[:, 200:])


def test_boxes_below_the_threshold_are_not_drawn() -> None:
    image = noise(400, 400)
    assert np.array_equal(draw(image, ANSWERS["detection"], spec("detection"), threshold=0.95), image)


# Words


def test_classification_is_described_with_every_class() -> None:
    scores = np.array([0.123456789, 0.876543211], np.float32)
    assert describe(Answer(label=1, scores=scores), spec(classes=("Kätzchen", "犬"))) == {
        "label": "犬",
        "scores": {"Kätzchen": 0.12346, "犬": 0.87654},
    }


def test_boxes_are_described_as_corner_and_size_above_the_packages_threshold() -> None:
    answer = boxes_answer(
        (1, 2, 4, 6.5, 0.875), (0, 0, 1, 1, 0.25), labels=(1, 0), frame=Frame(9, 9, (1, 1))
    )  # fmt: skip
    sure = {"label": "dog", "score": 0.875, "box": [1.0, 2.0, 3.0, 4.5]}
    unsure = {"label": "cat", "score": 0.25, "box": [0.0, 0.0, 1.0, 1.0]}
    assert describe(answer, spec("detection")) == {"boxes": [sure]}
    assert describe(answer, spec("detection"), threshold=0.0) == {"boxes": [sure, unsure]}
    assert describe(answer, spec("detection"), threshold=1.0) == {"boxes": []}


def test_mask_is_described_by_its_size_and_shares() -> None:
    mask = np.array([[0, 0, 1], [0, 0, 0]], np.uint8)
    assert describe(Answer(mask=mask), spec("segmentation")) == {
        "height": 2,
        "width": 3,
        "shares": {"cat": 0.83333, "dog": 0.16667},
    }


def test_keypoints_are_described_by_name() -> None:
    answer = Answer(keypoints=np.array([[1.234, 5.678]]), keypoint_scores=np.array([0.98765]))
    assert describe(answer, spec("keypoint", keypoint_names=("nose",))) == {
        "keypoints": [{"name": "nose", "x": 1.23, "y": 5.68, "score": 0.9877}]
    }


@pytest.mark.parametrize(("text", "box"), [("1,2,3,4", (1, 2, 3, 4)), (" -1.5, 2 ,3,0.25 ", (-1.5, 2, 3, 0.25))])
def test_box_is_four_numbers(text: str, box: tuple[float, ...]) -> None:
    assert parse_box(text) == box


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1;2;3;4", "nan,0,1,1", "0,0,inf,1", "0,0,nan,1"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_box(text)
    assert str(caught.value) == f"--box {text} is not x,y,w,h"
    assert caught.value.__notes__ == ["Give four numbers in pixels: --box 10,20,200,150."]


@pytest.mark.parametrize("text", ["0,0,0,1", "0,0,1,-1"])
def test_box_without_area_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_box(text)
    assert str(caught.value) == f"--box {text} has no area"
    assert caught.value.__notes__ == ["Width and height are positive."]


# The package's description


@given(st.text(min_size=1))
def test_key_that_the_description_does_not_know_is_refused(key: str) -> None:
    assume(key not in PackageSpec.model_fields)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        PackageSpec.model_validate({**spec().model_dump(), key: 1})


@pytest.mark.parametrize("part", ["preprocess", "postprocess"])
def test_key_that_a_part_of_the_description_does_not_know_is_refused(part: str) -> None:
    document = spec().model_dump()
    document[part]["gamma"] = 2.2
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        PackageSpec.model_validate(document)


def test_description_survives_json() -> None:
    described = spec("keypoint", ("犬",), keypoint_names=("a", "b"), skeleton=((0, 1),), threads=3)
    assert PackageSpec.model_validate_json(described.model_dump_json()) == described


class NoEngine:
    """Opens whatever it is given."""

    def open(self, model: Path, *, threads: int, precision: str) -> tuple[Path, int, str]:
        return model, threads, precision


@pytest.mark.parametrize(("asked", "used"), [(None, 3), (1, 1)])
def test_the_threads_of_a_package_bind_opencv_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None, used: int
) -> None:
    described = spec("classification", ("cat", "dog"), threads=3)
    (tmp_path / "model.json").write_text(described.model_dump_json(), encoding="utf-8")
    monkeypatch.setattr("edge.predictor.predictor.backend", lambda _name: NoEngine())
    before = cv2.getNumThreads()
    try:
        opened: Any = Predictor.open(tmp_path, asked)
        assert opened.session == (tmp_path / described.model_file, used, described.precision)
        assert cv2.getNumThreads() == used
    finally:
        cv2.setNumThreads(before)


def test_folder_without_a_description_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed) as caught:
        Predictor.open(tmp_path)
    assert str(caught.value) == f"{tmp_path} is no package of edge: model.json cannot be read"
    assert caught.value.__notes__ == ["Give the folder that `edge produce` named."]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": 1'])
def test_damaged_description_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(VerificationFailed) as caught:
        read_spec(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/model.json is malformed: ")
    assert caught.value.__notes__ == ["Make the package again."]
