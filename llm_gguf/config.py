"""The configuration a request becomes: the reference's shape (data / model / deploy), with two tasks and engines more.

Knows nothing about how a text is read. "none" and 0 mean "not stated".
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal[
    "classification", "multilabel-classification", "detection", "segmentation", "instance-segmentation", "keypoint"
]
Engine = Literal["none", "onnxruntime", "openvino", "ncnn", "tensorrt", "torchscript"]
Device = Literal["none", "cpu", "gpu"]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Speed(_Part):
    """A wanted speed: frames per second (at least), or time per image (at most)."""

    value: Positive = 0
    unit: Literal["fps", "ms", "s", "none"] = "none"


class Flops(_Part):
    """The most compute one image may cost."""

    value: Positive = 0
    unit: Literal["MFLOPs", "GFLOPs", "TFLOPs", "none"] = "none"


class Parameters(_Part):
    """The most parameters the network may have."""

    value: Positive = 0
    unit: Literal["K", "M", "B", "none"] = "none"


class Metric(_Part):
    """A wanted quality; shares lie between 0 and 1."""

    name: str
    value: Positive


class DataConfig(_Part):
    """What the pictures show."""

    scenario: str = "none"
    object: tuple[str, ...] = ()
    modality: str = "rgb"
    specific_dataset: str = "none"


class ModelConfig(_Part):
    """What the network does, and its limits."""

    task: Task
    specific_model: str = "none"
    speed: Speed = Speed()
    flops: Flops = Flops()
    parameters: Parameters = Parameters()
    metrics: tuple[Metric, ...] = ()


class DeployConfig(_Part):
    """Where it runs."""

    gpu: Device = "none"
    inference_engine: Engine = "none"


class RequestConfig(_Part):
    """One request, understood."""

    data: DataConfig
    model: ModelConfig
    deploy: DeployConfig = DeployConfig()


def speed_fps(config: RequestConfig) -> float | None:
    """Wanted frames per second; a time per image is turned round (33 ms is 30.3 fps). None if not stated."""
    speed = config.model.speed
    if speed.unit == "none" or not speed.value:
        return None
    return {"fps": speed.value, "ms": 1000 / speed.value, "s": 1 / speed.value}[speed.unit]


def parameters_count(config: RequestConfig) -> float | None:
    """The parameter limit as a plain number. None if not stated."""
    limit = config.model.parameters
    return None if limit.unit == "none" else limit.value * {"K": 1e3, "M": 1e6, "B": 1e9}[limit.unit]


def flops_count(config: RequestConfig) -> float | None:
    """The compute limit in floating point operations per image. None if not stated."""
    limit = config.model.flops
    return None if limit.unit == "none" else limit.value * {"MFLOPs": 1e6, "GFLOPs": 1e9, "TFLOPs": 1e12}[limit.unit]
