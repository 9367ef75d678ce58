"""Records what racing is judged on: every form of eight light models, 512 queries each, nothing dropped early.

    python benchmarks/record_traces.py benchmarks/records/traces.jsonl.gz
    python benchmarks/racing.py benchmarks/records/traces.jsonl.gz

One line per candidate: {"name", "group", "samples_ms"}, whole pipeline, taken in turn within a model.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path

from edge.artefacts.blueprint import blueprint
from edge.artefacts.pictures import drawn
from edge.artefacts.variant import offered
from edge.profiling.heat import Workbench
from zoo.models import find

MODELS = (
    "mobilenet-v2 64x64",
    "mobilenet-v2 96x96",
    "resnet18 64x64",
    "shufflenet-v2-1x 64x64",
    "shufflenet-v2-1x 96x96",
    "mobilenet-v3-small 64x64",
    "mobilenet-v3-small 96x96",
    "rtmpose-t 128x128",
)
ENGINES = ("onnxruntime", "openvino", "ncnn", "torchscript")
QUERIES, WINDOW = 512, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    variants = offered(ENGINES, ["fp32"]).variants
    lines = []
    for name in MODELS:
        card = find([name])[0]
        with tempfile.TemporaryDirectory() as scratch:
            bench = Workbench(blueprint(card, None, 1), drawn(Path(scratch) / "pictures", card.task), Path(scratch))
            forms = bench.forms(variants, lambda _: None)
            profiles = bench.time(forms, threads=1, limit_ms=None, max_seconds=60.0, min_queries=QUERIES, race=False)
        for form, profile in zip(forms, profiles, strict=True):
            if profile is None or profile.error:
                print(f"{card.title}, {form.variant.title}: {form.failure or (profile and profile.error)}")
                continue
            # as a race sees them: of each window no more than 32, spread over it
            seen = [part[:: max(1, len(part) // WINDOW)][:WINDOW] for part in profile.windows_ms("pipeline")]
            samples = [round(value, 5) for part in seen for value in part][:QUERIES]
            if len(samples) < QUERIES:
                print(f"{card.title}, {form.variant.title}: only {len(samples)} samples")
                continue
            named = f"{card.title}, {form.variant.title}"
            lines.append(json.dumps({"name": named, "group": card.title, "samples_ms": samples}))
            print(f"{named}: {profile.summary().median:.3f} ms{', disturbed' if profile.disturbed else ''}", flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))


if __name__ == "__main__":
    main()
