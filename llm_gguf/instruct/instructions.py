"""What an instruct model is told: the fields in short plain words, and one worked request for each task and a refusal.

The worked answers are in the language of copying.py. Knows nothing about llama.cpp and chat templates.
"""

import json
from typing import Any, Final

from llm_gguf.prompting import ENGINES, FLOPS_UNITS, METRICS

SYSTEM: Final = f"""\
You read requests for computer vision models. Answer with one line of JSON. Copy words and numbers from the request \
exactly as they are written; never add words of your own.
task: classification (one label per picture), multilabel-classification (all labels that apply), detection (boxes), \
segmentation (every pixel gets a class), instance-segmentation (a mask for each single thing), keypoint (points on a \
body or thing); none if the text does not ask for a model that looks at pictures.
object: the classes to tell apart or the things to find, in the order of the text.
specific_model, specific_dataset: the network and the data set that are named, else none.
speed: the wanted speed; unit fps (pictures per second), ms or s (time per picture), per-minute \
or per-hour (pictures per minute or hour).
flops: the most operations; unit {", ".join(FLOPS_UNITS)}.
parameters: the most parameters; unit K, M, B, or plain if all digits are written.
metrics: the wanted quality, each with its name ({", ".join(METRICS)}) and number.
gpu: cpu or gpu if the request says where it runs, else none.
inference_engine: {", ".join(ENGINES)}, else none.
What is not asked for is null, [] or none. Numbers about other things (pictures there are, sizes, camera rates) are \
not copied."""


def worked(task: str, *objects: str, **stated: Any) -> str:
    """An answer; fields that are not given are stated nowhere."""
    document = {
        "task": task,
        "object": list(objects),
        "specific_model": "none",
        "specific_dataset": "none",
        "speed": None,
        "flops": None,
        "parameters": None,
        "metrics": [],
        "gpu": "none",
        "inference_engine": "none",
    }
    return json.dumps(document | stated, ensure_ascii=False, separators=(",", ":"))


def _number(number: str, unit: str) -> dict[str, str]:
    return {"number": number, "unit": unit}


EXAMPLES: Final = (
    (
        "Our camera films at 60 fps. Find beehives and wild boars in its pictures, 12 frames per second or more on "
        "the CPU, with ncnn.",
        worked(
            "detection", "beehives", "wild boars",
            speed=_number("12", "fps"), gpu="cpu", inference_engine="ncnn",
        ),
    ),
    (
        "sort tea leaves into green, oolong and black; EfficientNet-B0, fewer than 6 million parameters, 92 % accuracy",
        worked(
            "classification", "green", "oolong", "black",
            specific_model="EfficientNet-B0", parameters=_number("6", "M"),
            metrics=[{"name": "accuracy", "number": "92"}],
        ),
    ),
    (
        "Tag our 3000 holiday photos with everything they show: beach, sunset, crowd. Half a second per photo is fine.",
        worked("multilabel-classification", "beach", "sunset", "crowd", speed=_number("Half a", "s")),
    ),
    (
        "I want river and sandbank marked pixel by pixel, as in LoveDA. mIoU 0.7, at most 3 GFLOPs.",
        worked(
            "segmentation", "river", "sandbank",
            specific_dataset="LoveDA", flops=_number("3", "GFLOPs"), metrics=[{"name": "mIoU", "number": "0.7"}],
        ),
    ),
    (
        "Outline each single potato on the belt within 40 ms, using TensorRT on our RTX card",
        worked("instance-segmentation", "potato", speed=_number("40", "ms"), gpu="gpu", inference_engine="tensorrt"),
    ),
    (
        "Where are the joints of the gecko? 90 pictures per minute, no more than 800000 parameters.",
        worked("keypoint", "gecko", speed=_number("90", "per-minute"), parameters=_number("800000", "plain")),
    ),
    ("Please shorten this letter to my landlord to 50 words.", worked("none")),
)  # fmt: skip
"""Request and answer. Written for this prompt; none of them is in a benchmark or in the training of the small model."""


def messages(request: str) -> list[dict[str, str]]:
    """The conversation up to the request that is to be answered."""
    turns = [{"role": "system", "content": SYSTEM}]
    for asked, answered in EXAMPLES:
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [*turns, {"role": "user", "content": request}]


def without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same for templates that know no system turn: its text stands in front of the first request."""
    system, first, *others = turns
    return [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *others]
