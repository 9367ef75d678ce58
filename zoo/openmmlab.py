"""Makes the installed OpenMMLab packages work on today's torch and numpy, and knows where they keep their model zoo.

Call `prepare()` once before importing mmcv, mmdet, mmpretrain, mmseg, mmpose or mmdeploy. Every shim says why it is
there and when it can go. This file knows nothing about requests, data or training.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import logging
import sys
import types
import warnings
from pathlib import Path
from typing import Any

TOOLBOXES = ("mmpretrain", "mmdet", "mmseg", "mmpose")

_prepared = False
_prepared_conversion = False


class ToolboxMissing(Exception):
    """A package of the OpenMMLab stack is not installed in this environment."""


def zoo_folder(toolbox: str) -> Path:
    """Folder with the `configs/` and `model-index.yml` that the toolbox's wheel ships.

    Raises:
        ToolboxMissing: the toolbox, or the folder inside it, is absent.
    """
    found = importlib.util.find_spec(toolbox)
    if found is None or found.origin is None:
        error = ToolboxMissing(f"{toolbox} is not installed")
        error.add_note("Install the full environment: run `make setup` in a clone of edge.")
        raise error
    folder = Path(found.origin).parent / ".mim"
    if not (folder / "model-index.yml").is_file():
        error = ToolboxMissing(f"{toolbox} is installed without its model index ({folder / 'model-index.yml'})")
        error.add_note("Reinstall the toolbox from the lock: `make setup`.")
        raise error
    return folder


def prepare(toolbox: str | None = None) -> None:
    """Apply all shims (idempotent) and, if a toolbox is named, register its modules as the default scope.

    Raises:
        ToolboxMissing: torch or the named toolbox is not installed.
    """
    global _prepared
    for package in ("torch", "mmengine", *([toolbox] if toolbox else [])):
        if importlib.util.find_spec(package) is None:
            error = ToolboxMissing(f"{package} is not installed")
            error.add_note("Training and export need the full environment: run `make setup` in a clone of edge.")
            raise error
    if not _prepared:
        _silence_known_warnings()
        _declare_torchvision_operators()
        _stand_in_for_imgaug()
        _forbid_downloads()
        _export_without_dynamo()
        _quiet_mmengine()
        _prepared = True
    if toolbox is not None:
        _register(toolbox)


def _register(toolbox: str) -> None:
    # the imports print remarks about optional datasets that nobody asked for
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        utils = importlib.import_module(f"{toolbox}.utils")
        utils.register_all_modules(init_default_scope=True)
    if toolbox == "mmpretrain":
        importlib.import_module("zoo.timm_trunk").register()
    if toolbox == "mmdet":
        _grid_priors_on_cpu()
        _ssd_without_losses()


def prepare_conversion() -> None:
    """The shims that only a conversion by MMDeploy needs; call after `prepare`."""
    from torch.onnx import symbolic_opset9

    # mmdeploy 1.3.1 casts through a helper that torch 2 dropped; can go when mmdeploy calls `Cast` itself.
    if not hasattr(symbolic_opset9, "_cast_Long"):
        int64 = 7  # onnx.TensorProto.INT64
        symbolic_opset9._cast_Long = lambda g, value, _blocking: g.op("Cast", value, to_i=int64)
    global _prepared_conversion
    if not _prepared_conversion:
        _attention_of_inference()
        _prepared_conversion = True


def _attention_of_inference() -> None:
    """MMDeploy 1.3.1 rewrites attention with a dropout in training mode, which OpenVINO refuses, and divides by a
    `scale` that torch multiplies with. Can go when it writes neither.
    """
    import torch
    from mmdeploy.core import FUNCTION_REWRITER
    from mmdeploy.pytorch.functions.multi_head_attention_forward import scaled_dot_product_attention__default

    def attention(
        query: Any,
        key: Any,
        value: Any,
        attn_mask: Any = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> Any:
        weights = query @ key.transpose(-2, -1) * (query.size(-1) ** -0.5 if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(weights.shape[-2:], dtype=torch.bool).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=weights.dtype).masked_fill(~attn_mask, float("-inf"))
        return torch.softmax(weights if attn_mask is None else weights + attn_mask, dim=-1) @ value

    # taken out, not only overruled: of two rewriters that fit, MMDeploy takes the older
    FUNCTION_REWRITER._registry.remove_record(scaled_dot_product_attention__default)
    FUNCTION_REWRITER.register_rewriter("torch.nn.functional.scaled_dot_product_attention")(attention)


def _silence_known_warnings() -> None:
    # Deprecations inside the pinned packages: nothing a user of edge can act on; can go with the next pins.
    for module in ("mmengine", "mmcv", "mmdet", "mmpretrain", "mmseg", "mmpose", "mmdeploy", "torch", "pkg_resources"):
        warnings.filterwarnings("ignore", module=rf"{module}(\..*)?$")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")


def _declare_torchvision_operators() -> None:
    """torchvision's wheel is built beside CUDA torch, so its operators do not load beside CPU torch.

    Its Python part then fails at import because `torchvision::nms` is undeclared. Declaring the schemas is enough to
    import it; calling them still fails, and nothing here calls them (mmcv has its own). Can go when the registry
    offers a torchvision built for CPU torch.
    """
    import torch

    try:
        torch.ops.torchvision.nms  # noqa: B018 - the look-up is the test
        return
    except AttributeError:
        pass
    found = importlib.util.find_spec("torchvision")
    native = found is not None and found.origin and list(Path(found.origin).parent.glob("_C*.so"))
    if native:
        try:
            torch.ops.load_library(str(native[0]))
            return
        except OSError:
            pass  # the reason this shim exists: the library wants CUDA symbols
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _keep_alive.append(library)


_keep_alive: list[Any] = []


def _stand_in_for_imgaug() -> None:
    """mmdet imports imgaug for lane transforms only; imgaug died with numpy 2. Can go when mmdet drops it."""
    if importlib.util.find_spec("imgaug") is not None:
        return
    modules = {name: types.ModuleType(name) for name in _IMGAUG_MODULES}
    for name, module in modules.items():
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    for module_name, name in _IMGAUG_CLASSES:
        setattr(modules[module_name], name, type(name, (), {"__doc__": "Not available: imgaug is not installed."}))
    sys.modules.update(modules)


_IMGAUG_MODULES = (
    "imgaug",
    "imgaug.augmenters",
    "imgaug.augmentables",
    "imgaug.augmentables.lines",
    "imgaug.augmentables.segmaps",
)
_IMGAUG_CLASSES = (
    ("imgaug.augmentables.lines", "LineString"),
    ("imgaug.augmentables.lines", "LineStringsOnImage"),
    ("imgaug.augmentables.segmaps", "SegmentationMapsOnImage"),
)


def _forbid_downloads() -> None:
    """mmengine's hub answers a missing package with `pip install`, and weights by URL with a download: never here."""
    import mmengine.hub.hub as hub
    from mmengine.runner import checkpoint

    def refuse(what: str, *_: Any, **__: Any) -> Any:
        raise ToolboxMissing(f"refused to download {what!r}: edge works offline")

    hub.install_package = refuse
    for prefix in ("http://", "https://", "modelzoo://", "torchvision://", "open-mmlab://", "openmmlab://", "mmcls://"):
        checkpoint.CheckpointLoader.register_scheme(
            prefixes=prefix, loader=lambda filename, map_location=None: refuse(filename), force=True
        )


def _export_without_dynamo() -> None:
    """torch.onnx.export takes the dynamo exporter by default since 2.9; mmdeploy's rewriters need the tracing one."""
    import torch.onnx

    if not isinstance(torch.onnx.export, functools.partial):
        torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)


def _quiet_mmengine() -> None:
    """Progress is told by edge; MMEngine's own remarks (loaded checkpoints, uncounted operators) stay out of it."""
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel(logging.ERROR)


def _grid_priors_on_cpu() -> None:
    """Two prior generators of mmdet have `device="cuda"` as a default; without a card, tracing them fails."""
    import torch
    from mmdet.models.task_modules.prior_generators import MlvlPointGenerator

    if not torch.cuda.is_available():
        original = MlvlPointGenerator.single_level_grid_priors
        defaults = list(original.__defaults__ or ())
        original.__defaults__ = tuple("cpu" if value == "cuda" else value for value in defaults)


def _ssd_without_losses() -> None:
    """SSD's head takes its losses from the training config, but its prediction asks which kind of loss it has; softmax
    scores, as it has them, are what None stands for. Can go when mmdet asks the head itself.
    """
    from mmdet.models.dense_heads import SSDHead

    if not hasattr(SSDHead, "loss_cls"):
        SSDHead.loss_cls = None
