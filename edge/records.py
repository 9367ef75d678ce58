"""What flows between the steps: small frozen records, written as JSON by workdir.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zoo.models import ModelCard


@dataclass(frozen=True)
class Limits:
    """Hard constraints of a request; None means the request states none."""

    min_fps: float | None = None
    max_parameters: float | None = None
    max_flops: float | None = None  # multiply-accumulates, as OpenMMLab's metafiles count them


@dataclass(frozen=True)
class MetricTarget:
    name: str
    value: float  # in 0..1


@dataclass(frozen=True)
class Disagreement:
    """One field that the language model and the second reader read differently."""

    field: str
    model_reading: str
    reader_reading: str


@dataclass(frozen=True)
class Request:
    """A request as understood; `config` keeps the full configuration of the reader."""

    text: str
    task: str
    objects: tuple[str, ...]
    engine: str | None  # a name of deploy_targets, None if any will do
    device: str
    specific_model: str | None
    limits: Limits
    targets: tuple[MetricTarget, ...]
    unchecked: tuple[str, ...]  # stated wishes that edge cannot check
    disagreements: tuple[Disagreement, ...]
    confidence: float
    config: dict[str, Any]
    spans: dict[str, str]  # field -> the words it came from
    forced: int = 0  # how often the grammar overruled the language model


@dataclass(frozen=True)
class DataSource:
    """One data set of a job: where it lies, what of it is used. `classes` are those of the model that it labels."""

    name: str
    root: str
    format: str
    licence: str  # in its owner's words, empty where nobody stated one
    classes: tuple[str, ...]
    images: int
    files_sha256: str  # of its files' names, sizes and times, to notice that data changed under a job


@dataclass(frozen=True)
class Gathered:
    """The data of a job: dataset.json in the step's folder, and what a reader of the report wants to know."""

    format: str
    classes: tuple[str, ...]
    matches: dict[str, tuple[str, ...]]  # object of the request -> classes of the data
    counts: dict[str, int]  # split -> images
    median_width: int
    median_height: int
    skipped: tuple[str, ...]  # images left out because they cannot be read
    leaks_removed: tuple[str, ...]
    dataset_sha256: str
    sources: tuple[DataSource, ...]
    shown: dict[str, int]  # class -> training images that show it; empty for segmentation, whose masks are not counted
    meanings: tuple[str, ...] = ()  # why classes that are spelt otherwise are meant


@dataclass(frozen=True)
class Timing:
    """One scope of a profile, milliseconds; the raw samples stand in the profile file."""

    scope: str
    samples: int
    median_ms: float
    p90_ms: float
    p99_ms: float

    @property
    def fps(self) -> float:
        """Frames per second kept in nine queries of ten: 1000 / p90."""
        return 1000.0 / self.p90_ms


@dataclass(frozen=True)
class Measured:
    """One candidate on this hardware, a network on an engine in a precision: counted size, measured speed.

    `engine` is empty where counting alone ruled the network out.
    """

    card: ModelCard
    parameters: int
    flops: int
    model_bytes: int
    artefact_sha256: str
    timings: tuple[Timing, ...]
    verdict: str  # PASS, FAIL, UNDECIDED, UNCHECKED, ERROR, OVER LIMIT
    explanation: str
    stable: bool
    engine: str = ""
    precision: str = "fp32"
    warnings: tuple[str, ...] = ()
    parity: dict[str, float] = field(default_factory=dict)
    peak_rss_mb: float | None = None
    energy_j: float | None = None  # joules a query; None where the machine does not tell
    disturbed: bool = False  # some windows that count ran beside other work
    update_s: float | None = None  # measured seconds of one training update; None where it was not tried
    train_threads: int = 1  # PyTorch's, the faster choice as measured
    updates: int | None = None  # that fit into the time for training

    @property
    def holds(self) -> bool:
        """Whether it meets every hard constraint; UNCHECKED means that no speed was asked for."""
        return self.verdict in ("PASS", "UNCHECKED")

    @property
    def title(self) -> str:
        """The network and the form it runs in: `rtmdet_tiny 320x320, openvino bf16`."""
        return f"{self.card.title}, {self.engine} {self.precision}" if self.engine else self.card.title

    @property
    def lossless(self) -> bool:
        """Whether it computes in the precision that the network is trained in."""
        return self.precision == "fp32"

    @property
    def preference(self) -> tuple[float, int, bool, float, str]:
        """Sorts the better expected first: quoted quality, the larger input, full precision, then the faster."""
        timing = self.timing("pipeline")
        slow = timing.p90_ms if timing else float("inf")
        area = self.card.width * self.card.height
        return (-self.card.quoted_quality, -area, not self.lossless, slow, self.title)

    def timing(self, scope: str) -> Timing | None:
        return next((t for t in self.timings if t.scope == scope), None)


@dataclass(frozen=True)
class Measurements:
    hardware: dict[str, Any]
    threads: int
    scope: str
    candidates: tuple[Measured, ...]
    not_measured: tuple[str, ...]  # shortlisted, left out, each with its reason
    refused: tuple[str, ...] = ()  # engines and precisions that cannot run here, each with its reason
    networks: int = 0  # that were shortlisted; those with timings were measured
    saved_s: float = 0.0  # what the others would have taken, at the pace of those that were measured


@dataclass(frozen=True)
class Rejection:
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    chosen: Measured
    reasons: tuple[str, ...]
    rejected: tuple[Rejection, ...]
    runners_up: tuple[str, ...]
    lower: tuple[Measured, ...] = ()  # the same network in lower precisions, faster, to be proven after training


@dataclass(frozen=True)
class Hyperparameters:
    learning_rate: float
    weight_decay: float
    batch_size: int
    flip: bool
    scale_jitter: float  # 0..0.5: random resize / crop strength
    optimizer: str = "AdamW"
    balance: bool = False  # images of rare classes are shown more often


@dataclass(frozen=True)
class Trial:
    number: int
    hyperparameters: Hyperparameters
    iterations: int
    seconds: float
    score: float | None  # validation metric in 0..1; None when the trial failed
    note: str = ""


@dataclass(frozen=True)
class Origin:
    """What a job's trainings start from, decided once before the first of them."""

    name: str = ""  # of the checkpoint, empty: from scratch
    source: str = ""  # where it came from, or why there is none and what would bring one
    sha256: str = ""  # of the checkpoint
    file: str = ""  # in the job's folder: the tensors that have the name and shape the model wants
    matching: int = 0  # how many these are
    tensors: int = 0  # of the model

    @property
    def words(self) -> str:
        return f"{self.name} ({self.matching} of {self.tensors} tensors)" if self.name else "from scratch"


@dataclass(frozen=True)
class Tuned:
    best: Hyperparameters
    trials: tuple[Trial, ...]
    seconds_per_iteration: float
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True)
class CurvePoint:
    iteration: int
    loss: float | None = None
    validation: float | None = None


@dataclass(frozen=True)
class Trained:
    checkpoint: str  # relative to the job's folder
    checkpoint_sha256: str
    iterations: int
    planned_iterations: int
    best_iteration: int
    validation: float | None  # None: time was up before the first validation
    seconds: float
    start: str  # "from scratch", or the name of the checkpoint and how much of it fits
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class PrecisionTrial:
    """A lower precision of the trained network beside its full one: both figures, and what came of it."""

    engine: str
    precision: str
    speedup: float | None  # of the median, whole pipeline; None where it could not be made or timed
    metric: float | None  # on validation images
    full_metric: float
    kept: bool
    reason: str

    @property
    def title(self) -> str:
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Exported:
    folder: str  # staged package, relative to the job's folder
    engine: str
    precision: str
    artefact_sha256: str
    model_bytes: int
    reference_samples: int
    seconds: float
    trials: tuple[PrecisionTrial, ...] = ()


@dataclass(frozen=True)
class Check:
    """One line of the verdict: a constraint or a check, its limit, what was seen, and how it ended."""

    name: str
    wanted: str
    seen: str
    result: str  # met, missed, unchecked
    soft: bool = False  # a wish: the package works without it


@dataclass(frozen=True)
class Endured:
    """The finished model run for a while: at the rate asked for, or back to back where none was.

    `missed` counts images answered later than one period after they were due; `drift` is the change of the median in a
    minute, of 1, with its 95 % interval; `trend` says in a word whether that is more than chance.
    """

    fps: float | None
    seconds: float
    queries: int
    missed: int
    worst_ms: float
    median_ms: float
    p90_ms: float
    trend: str
    drift: float | None
    drift_interval: tuple[float, float] | None
    disturbed: str = ""  # what else used the machine meanwhile
    memory_growth_mb: float | None = None  # from the first to the last image; None where the machine does not tell


@dataclass(frozen=True)
class Verified:
    overall: str  # perfect, works, failed
    checks: tuple[Check, ...]
    metric_name: str
    metric: float | None
    baseline: float | None
    baseline_title: str
    parity: dict[str, float]
    timings: tuple[Timing, ...] = ()
    endured: Endured | None = None
    artefact_sha256: str = ""  # of the files that were timed
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Packed:
    folder: str
    overall: str
    files: int
    size_bytes: int


@dataclass(frozen=True)
class Picture:
    """One test image as shown in the report: JPEG bytes with the prediction drawn, and the words below it."""

    jpeg: bytes
    caption: str
    right: bool | None  # None where "right" has no plain meaning


@dataclass(frozen=True)
class Story:
    """All that the report tells."""

    request: Request
    gathered: Gathered
    measurements: Measurements
    choice: Choice
    tuned: Tuned
    trained: Trained
    exported: Exported
    verified: Verified
    seconds: dict[str, float]  # step -> wall seconds
    versions: dict[str, str]  # library -> version
    pictures: tuple[Picture, ...]
    budget_s: float
