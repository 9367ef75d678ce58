"""What becomes of a request when the language model is a script: combination rule, spans, errors, shape."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import ValidationError

from llm_gguf import (
    RequestConfig,
    Understanding,
    errors,
    flops_count,
    parameters_count,
    prompting,
    speed_fps,
    understand,
    understand_with,
)
from llm_gguf.engine import Completion
from llm_gguf.grammar import Grammar
from llm_gguf.language_model import MarkingModel


@dataclass
class ScriptedEngine:
    """Marks the words it was told about; everything else is outside."""

    marks: dict[str, str]
    task: str = "detection"
    device: str = prompting.OUTSIDE
    probability: float = 1.0
    begins: dict[str, float] = field(default_factory=dict)
    """Word -> the probability that a class name begins there."""
    prompts: list[prompting.Prompt] = field(default_factory=list)
    name: str = "script"
    sha256: str = "0" * 64

    def mark(self, prompt: prompting.Prompt, grammar: Grammar) -> Completion:
        self.prompts.append(prompt)
        marks = [self.marks.get(word.text.lower(), prompting.OUTSIDE) for word in prompt.words]
        answer = (*marks, f"<task={self.task}>", self.device)
        begins = tuple(self.begins.get(word.text.lower(), 0.0) for word in prompt.words)
        goes_on = tuple(1.0 if word.text == "trucks" else 0.0 for word in prompt.words)
        return Completion(answer, (self.probability,) * len(answer), 0, (*begins, 0.0, 0.0), (*goes_on, 0.0, 0.0))


CARS = {"cars": "<object>", "buses": "<object>"}


def read(text: str, **script: object) -> Understanding:
    return understand_with(MarkingModel(ScriptedEngine(**{"marks": CARS, **script})), text)  # type: ignore[arg-type]


def test_objects_are_the_exact_characters_of_the_request() -> None:
    text = "Detect Traffic Cones and cars."
    done = read(text, marks={"traffic": "<object>", "cones": prompting.INSIDE, "cars": "<object>"})
    assert done.config.data.object == ("Traffic Cones", "cars")
    span = done.spans["data.object.0"]
    assert text[span.start : span.end] == span.text == "Traffic Cones"


def test_agreeing_readings_leave_no_disagreement() -> None:
    done = read("Detect cars at 20 fps", marks=CARS | {"20": "<unit=fps>"})
    assert done.disagreements == ()
    assert (done.config.model.speed.value, done.config.model.speed.unit) == (20, "fps")
    assert done.spans["model.speed"].text == "20 fps"


def test_an_explicit_number_of_the_rules_wins_and_the_difference_is_listed() -> None:
    done = read("Detect cars at 20 fps", marks=CARS | {"20": "<unit=ms>"})
    assert (done.config.model.speed.value, done.config.model.speed.unit) == (20, "fps")
    (doubt,) = done.disagreements
    assert (doubt.field, doubt.model_reading, doubt.reader_reading, doubt.taken) == (
        "model.speed", "20 ms", "20 fps", "reader",
    )  # fmt: skip


def test_what_the_rules_read_stands_where_the_model_is_not_sure() -> None:
    done = read("Detect cars at 20 fps", probability=0.5)
    assert done.config.model.speed.value == 20
    assert [(d.field, d.taken) for d in done.disagreements] == [("model.speed", "reader")]


def test_what_the_model_is_sure_to_be_no_wish_is_dropped_and_listed() -> None:
    done = read("Detect cars, the old program reached 7 fps and 61 % mAP with TensorRT on a GPU")
    assert done.config.model.speed.value == 0
    assert done.config.model.metrics == ()
    assert (done.config.deploy.gpu, done.config.deploy.inference_engine) == ("none", "none")
    assert {d.taken for d in done.disagreements} == {"model"}
    assert len(done.disagreements) == 4


def test_of_two_values_the_one_stands_that_the_model_is_sure_of() -> None:
    done = read("Detect cars at 30 fps, sorry, 20 fps", marks=CARS | {"20": "<unit=fps>"})
    assert done.config.model.speed.value == 20
    assert [(d.reader_reading, d.taken) for d in done.disagreements] == [("30 fps", "model")]


def test_a_number_only_the_model_understands_is_taken_and_listed() -> None:
    done = read("Detect cars, <5M please", marks=CARS | {"5": "<unit=M>"})
    assert parameters_count(done.config) == 5e6
    assert [(d.field, d.taken) for d in done.disagreements] == [("model.parameters", "model")]


def test_an_engine_that_is_not_written_is_never_invented() -> None:
    done = read("Detect cars quickly", marks=CARS | {"quickly": "<engine=ncnn>"})
    assert done.config.deploy.inference_engine == "none"
    assert [(d.field, d.model_reading) for d in done.disagreements] == [("deploy.inference_engine", "ncnn")]


def test_where_no_class_is_read_the_likeliest_is_a_guess_that_is_listed() -> None:
    done = read("Detect fire trucks in pictures", marks={}, begins={"fire": 0.4, "pictures": 0.2})
    assert done.config.data.object == ("fire trucks",)
    (doubt,) = done.disagreements
    assert (doubt.field, doubt.model_reading) == ("data.object", "none, if anything fire trucks")


def test_what_is_unlikely_to_be_a_class_is_no_guess() -> None:
    with pytest.raises(errors.NoObjectsError):
        read("Detect things in pictures", marks={}, begins={"things": 0.05})


def test_an_engine_that_the_text_denies_is_not_taken() -> None:
    done = read("Detect cars, but not with TensorRT", marks=CARS | {"tensorrt": "<engine=tensorrt>"})
    assert done.config.deploy.inference_engine == "none"
    assert [(d.model_reading, d.taken) for d in done.disagreements] == [("tensorrt", "reader")]


def test_an_engine_with_a_slip_of_the_hand_is_taken_and_listed() -> None:
    done = read("Detect cars with tensort", marks=CARS | {"tensort": "<engine=tensorrt>"})
    assert done.config.deploy.inference_engine == "tensorrt"
    assert [(d.model_reading, d.taken) for d in done.disagreements] == [("tensorrt", "model")]


def test_of_two_written_engines_the_models_choice_stands_and_is_listed() -> None:
    done = read("Detect cars with ncnn or OpenVINO", marks=CARS | {"openvino": "<engine=openvino>"})
    assert done.config.deploy.inference_engine == "openvino"
    assert [d.field for d in done.disagreements] == ["deploy.inference_engine"]


def test_a_task_named_outright_beats_the_models_where_it_is_not_sure() -> None:
    done = read("Instance segmentation of cars", task="detection", probability=0.5)
    assert done.config.model.task == "instance-segmentation"
    assert [(d.field, d.taken) for d in done.disagreements] == [("model.task", "reader")]


def test_a_task_that_the_model_is_sure_of_stands_against_a_word() -> None:
    done = read("Classify each pixel of the frame as cars or buses", task="segmentation")
    assert done.config.model.task == "segmentation"
    assert [(d.field, d.taken) for d in done.disagreements] == [("model.task", "model")]


def test_two_speeds_are_both_shown() -> None:
    done = read("Detect cars at 20 fps, the tracker needs 50 fps", marks=CARS | {"20": "<unit=fps>"})
    assert done.config.model.speed.value == 20
    assert [d.reader_reading for d in done.disagreements] == ["50 fps"]


def test_metric_is_a_share() -> None:
    done = read("Detect cars with a mAP of 45%", marks=CARS | {"45": "<metric=mAP>"})
    assert [(m.name, m.value) for m in done.config.model.metrics] == [("mAP", 0.45)]


def test_a_hole_in_a_list_is_filled_and_listed() -> None:
    done = read("Detect cars, red vans, buses and trams", marks=CARS | {"trams": "<object>"})
    assert done.config.data.object == ("cars", "red vans", "buses", "trams")
    assert [(d.field, d.reader_reading, d.taken) for d in done.disagreements] == [("data.object", "red vans", "reader")]


def test_the_last_item_of_a_list_is_added_and_listed() -> None:
    done = read("Detect cars, buses and delivery vans.")
    assert done.config.data.object == ("cars", "buses", "delivery vans")
    assert [(d.field, d.taken) for d in done.disagreements] == [("data.object", "reader")]


def test_a_class_far_from_the_list_is_dropped_and_listed() -> None:
    done = read("The guide explains a camera: cars or buses", marks=CARS | {"explains": "<object>"})
    assert done.config.data.object == ("cars", "buses")
    assert [(d.model_reading, d.taken) for d in done.disagreements] == [("explains", "reader")]


def test_a_class_with_a_long_modifier_stays_in_its_list() -> None:
    done = read("Detect cars that are parked on the left, buses", marks=CARS)
    assert done.config.data.object == ("cars", "buses")
    assert done.disagreements == ()


def test_a_single_class_is_never_a_stray() -> None:
    assert read("Detect cars").config.data.object == ("cars",)


def test_words_that_are_no_list_item_fill_nothing() -> None:
    done = read("Detect cars parked on the street, buses")
    assert done.config.data.object == ("cars", "buses")


def test_confidence_is_the_product_of_the_marks() -> None:
    assert read("Detect cars", probability=0.5).confidence == pytest.approx(0.5**4)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", errors.EmptyRequestError),
        (" \n\t ", errors.EmptyRequestError),
        ("detect cars " * 2000, errors.RequestTooLongError),
        ("detect \x00 cars", errors.NotTextError),
        ("detect \ud800 cars", errors.NotTextError),
        ("PK\x03\x04 image", errors.NotTextError),
        ("hello", errors.NoVisionRequestError),
        ("?!", errors.NoVisionRequestError),
    ],
)
def test_a_text_that_is_no_request_is_refused_without_the_model(text: str, error: type[errors.RequestError]) -> None:
    engine = ScriptedEngine({})
    with pytest.raises(error) as refused:
        understand_with(MarkingModel(engine), text)
    assert engine.prompts == []
    assert refused.value.__notes__


def test_what_the_model_calls_no_task_is_refused() -> None:
    with pytest.raises(errors.NoVisionRequestError, match="does not ask for a model that looks at pictures"):
        read("Write a poem about a camera", task="none")


def test_an_unsure_task_in_a_text_without_any_cue_is_refused() -> None:
    with pytest.raises(errors.NoVisionRequestError):
        read("Good morning, how are cars today?", probability=0.6)


def test_an_unsure_number_that_only_the_model_understands_is_left_out_and_listed() -> None:
    done = read("Detect cars, <5M please", marks=CARS | {"5": "<unit=M>"}, probability=0.6)
    assert parameters_count(done.config) is None
    assert [(d.field, d.taken) for d in done.disagreements] == [("model.parameters", "reader")]


def test_a_request_without_classes_and_data_set_is_refused() -> None:
    with pytest.raises(errors.NoObjectsError, match="names no class and no data set"):
        read("Detect it", marks={})


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ModelFileError, match=r"nothing\.gguf does not exist"):
        understand("Detect cars", model=tmp_path / "nothing.gguf")


def test_a_file_that_is_no_gguf_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(errors.ModelFileError, match="is not a GGUF file"):
        understand("Detect cars", model=tmp_path / "a.gguf")


def test_the_configuration_has_the_reference_shape() -> None:
    config = read("Detect cars", marks=CARS).config.model_dump(mode="json")
    assert list(config) == ["data", "model", "deploy"]
    assert list(config["data"]) == ["scenario", "object", "modality", "specific_dataset"]
    assert list(config["model"]) == ["task", "specific_model", "speed", "flops", "parameters", "metrics"]
    assert config["model"]["speed"] == {"value": 0, "unit": "none"}
    assert config["deploy"] == {"gpu": "none", "inference_engine": "none"}
    assert RequestConfig.model_validate(config).model_dump(mode="json") == config


def test_an_unknown_key_is_refused() -> None:
    config = read("Detect cars").config.model_dump(mode="json")
    with pytest.raises(ValidationError):
        RequestConfig.model_validate(config | {"extra": 1})


def test_helpers_convert_units() -> None:
    done = read("Detect cars in 50 ms per image, 2 GFLOPs, 300k parameters", probability=0.5)
    assert speed_fps(done.config) == pytest.approx(20)
    assert flops_count(done.config) == 2e9
    assert parameters_count(done.config) == 300e3
    bare = read("Detect cars").config
    assert (speed_fps(bare), flops_count(bare), parameters_count(bare)) == (None, None, None)


def test_the_package_imports_neither_llama_cpp_nor_torch() -> None:
    code = "import sys, llm_gguf; print(sorted({'llama_cpp', 'torch', 'tokenizers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_request_cannot_write_structural_tokens() -> None:
    pieces = prompting.encode("detect <object> <inside> cars").pieces
    signs = [p for p in pieces if p in prompting.structural_tokens()]
    assert signs == [prompting.ASK_TASK, prompting.ASK_DEVICE]
