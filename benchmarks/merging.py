"""What leaving out unlabelled classes is worth: one detection data set torn in two that label different classes.

Half of the images keep the boxes of some classes, the other half those of the others. Trained on both halves: as edge
does, as one that takes what is not labelled for background, and on the images with all boxes. All three are scored on
the same held-out images with all boxes, after the same number of updates from the same random weights.

    python benchmarks/merging.py ../shared/datasets/bccd --apart WBC
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from edge.trainers import trainer
from edge.trainers.launch import Progress, Schedule, train
from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.merge import merge
from zoo.datasets.record import Dataset
from zoo.datasets.split import split
from zoo.labels import restrict
from zoo.models import shortlisted


def torn(dataset: Dataset, apart: list[str]) -> Dataset:
    """Every second training image keeps the boxes of the classes in `apart`, the others keep the rest."""
    trained = [sample.image for sample in dataset.part("train")]
    rest = [name for name in dataset.classes if name not in apart]
    parts = {}
    for number, kept in enumerate((apart, rest)):
        images = set(trained[number::2])
        half = replace(
            dataset,
            root=dataset.root / str(number),  # such that the two count as two folders
            samples=tuple(sample for sample in dataset.samples if sample.image in images),
        )
        parts["and".join(kept)] = restrict(half, {name: [name] for name in kept})
    merged = merge(parts)
    return replace(merged, root=dataset.root)


def in_order(merged: Dataset, classes: tuple[str, ...]) -> dict[int, int]:
    """Class numbers of the merged set -> those of the whole one."""
    return {number: classes.index(name) for number, name in enumerate(merged.classes)}


def with_held_out(merged: Dataset, whole: Dataset) -> Dataset:
    """The merged training part, with the classes of the whole set, and its validation part with all boxes."""
    new = in_order(merged, whole.classes)
    trained = tuple(
        replace(sample, boxes=tuple(replace(box, label=new[box.label]) for box in sample.boxes))
        for sample in merged.samples
    )
    sources = tuple(
        replace(source, unlabelled=tuple(new[number] for number in source.unlabelled)) for source in merged.sources
    )
    everything = replace(sources[0], name="held out", unlabelled=())
    held_out = tuple(replace(sample, source=len(sources)) for sample in whole.part("val"))
    return replace(whole, samples=trained + held_out, sources=(*sources, everything))


def main() -> None:
    """Train thrice and print the scores side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a detection data set of several classes")
    parser.add_argument("--apart", nargs="+", required=True, help="classes that the first half labels")
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("edge-merging"))
    options = parser.parse_args()
    checked = check_images(read_dataset(options.data.resolve(), "detection"))
    whole = split(checked.dataset, hashes=checked.hashes)
    # what was published as held out scores all three; nothing is chosen by it
    whole = replace(
        whole,
        samples=tuple(
            replace(sample, split={"val": "train", "test": "val"}.get(str(sample.split), "train"))
            for sample in whole.samples
        ),
    )
    ours = with_held_out(torn(whole, options.apart), whole)
    naive = replace(ours, sources=tuple(replace(source, unlabelled=()) for source in ours.sources))
    toolbox = trainer("detection")
    card = min(shortlisted("detection"), key=lambda card: (card.width, card.quoted_quality))
    scores = {}
    for name, dataset in (("unlabelled classes left out", ours), ("taken for background", naive), ("all boxes", whole)):
        folder = options.folder / name.replace(" ", "-")
        hyper = toolbox.default(len(dataset.part("train")))
        recipe = toolbox.recipe(card, dataset, folder, hyper)
        began = time.monotonic()

        def say(progress: Progress, name: str = name) -> None:
            print(f"\r{name}: {progress.iteration} of {progress.iterations}", end="", file=sys.stderr)

        outcome = train(recipe, hyper, Schedule(options.updates, 100, 3600.0), folder, on_progress=say)
        scores[name] = outcome.validation or 0.0
        print(f"\r{name:<28} AP50 {scores[name]:.3f}  after {outcome.iterations} updates, "
              f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        (options.folder / "scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
    ours_of, naive_of, full = scores.values()
    print(f"of what all boxes give: {ours_of / full:.2f} with classes left out, {naive_of / full:.2f} as background")


if __name__ == "__main__":
    main()
