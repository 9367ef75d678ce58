"""Trains the small Llama on composed requests: python -m llm_gguf.training.train TOKENIZER.json OUT.pt --steps N

bfloat16 autocast, on a CPU (one thread unless told otherwise) or a CUDA device. Requests are composed while it runs, so
none is seen twice; a checkpoint every 250 steps, from which the same command continues. The loss is that of the marks
of the words plus that of the two questions at the end (task, device).
"""

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from llm_gguf.prompting import Prompt, structural_tokens
from llm_gguf.training import forms
from llm_gguf.training.answers import answer
from llm_gguf.training.generate import samples
from llm_gguf.training.marking import Sample
from llm_gguf.training.model import Shape, SmallLlama

POOL: Final = 6000
"""Requests that are composed, sorted by length and cut into batches together."""
HELD_SEED: Final = 987_654


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of a prompt and (place, wanted mark) of its words and, last, its two questions."""

    ids: list[int]
    wanted: list[tuple[int, int]]


class Encoder:
    """Requests to token ids, with a memory of pieces already split."""

    def __init__(self, tokenizer: Tokenizer, form: str = "marks") -> None:
        self.tokenizer = tokenizer
        self.form = form
        self.known: dict[str, list[int]] = {}
        if form == "pointers":
            forms.prepare(tokenizer)
        # The tokenizer puts them one behind the other; the scores of a step are those of these alone.
        structure = [self.ids(token)[0] for token in structural_tokens()]
        self.marks = slice(min(structure), max(structure) + 1)
        if form != "marks":
            self.marks = slice(0 if form == "copy" else min(structure), tokenizer.get_vocab_size())

    def ids(self, piece: str) -> list[int]:
        if piece not in self.known:
            if len(self.known) > 200_000:
                self.known.clear()
            self.known[piece] = self.tokenizer.encode(piece).ids
        return self.known[piece]

    def row(self, sample: Sample) -> Row | None:
        """None where a mark of the sample cuts a word in two."""
        made = answer(sample)
        if made is None:
            return None
        prompt, marks = made
        if self.form != "marks":
            return self._written_row(prompt, marks)
        ids: list[int] = []
        ends: list[int] = []
        for piece in prompt.pieces:
            ids += self.ids(piece)
            ends.append(len(ids))
        wanted = [self.ids(mark)[0] - self.marks.start for mark in marks]
        return Row(ids, [(ends[i] - 1, mark) for i, mark in zip(prompt.asking, wanted, strict=True)])

    def _written_row(self, prompt: Prompt, marks: list[str]) -> Row | None:
        """The request with its answer behind it; every place from the end of the request on asks for what follows."""
        both = forms.written(prompt, marks, self.form)
        if both is None:
            return None
        before, behind = ([i for piece in pieces for i in self.ids(piece)] for pieces in both)
        places = range(len(before) - 1, len(before) + len(behind) - 1)
        return Row(before + behind[:-1], [(at, i - self.marks.start) for at, i in zip(places, behind, strict=True)])


def batches(rows: list[Row], tokens: int, rng: random.Random) -> list[list[Row]]:
    """Batches of rows of like length, in random order; what fills no batch is left out.

    Lengths are rounded up to eights, and nearly all batches of a length hold tokens // length rows, so that few shapes
    occur: the matrix library prepares itself anew for each shape it has not seen.
    """
    made: list[list[Row]] = []
    waiting: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids)):
        waiting.append(row)
        room = max(1, tokens // _rounded(len(row.ids)))
        while len(waiting) >= room:
            made.append(waiting[:room])
            waiting = waiting[room:]
    rng.shuffle(made)
    return made


def _rounded(length: int) -> int:
    return -(-length // 8) * 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids, lengths, the flat places of the states that answer, the tokens wanted there, and which are words."""

    ids: Tensor
    lengths: Tensor
    places: Tensor
    wanted: Tensor
    is_word: Tensor


def collate(rows: list[Row], device: str) -> Batch:
    longest = _rounded(max(len(row.ids) for row in rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
    made = Batch(
        ids=ids,
        lengths=torch.tensor([len(row.ids) for row in rows]),
        places=torch.tensor([i * longest + place for i, row in enumerate(rows) for place, _ in row.wanted]),
        wanted=torch.tensor([token for row in rows for _, token in row.wanted]),
        is_word=torch.tensor([n < len(row.wanted) - 2 for row in rows for n in range(len(row.wanted))]),
    )
    return Batch(*(getattr(made, name).to(device) for name in Batch.__slots__))


def losses(model: SmallLlama, batch: Batch, marks: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of the marks at all answering places, mean loss of the words, mean loss of the questions."""
    with torch.autocast(batch.ids.device.type, torch.bfloat16):
        states = model(batch.ids, batch.lengths).flatten(0, 1)[batch.places]
        logits = model.logits(states, marks).float()
    each = F.cross_entropy(logits, batch.wanted, reduction="none")
    return logits, each[batch.is_word].mean(), each[~batch.is_word].mean()


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(model: SmallLlama, rows: list[Row], marks: slice, device: str) -> tuple[float, float, float]:
    """Loss of the words, loss of the questions, share of requests in which every first choice is right."""
    words, questions, right = 0.0, 0.0, 0
    for start in range(0, len(rows), 30):
        part = rows[start : start + 30]
        batch = collate(part, device)
        logits, word_loss, question_loss = losses(model, batch, marks)
        words += word_loss.item() * len(part) / len(rows)
        questions += question_loss.item() * len(part) / len(rows)
        hit = logits.argmax(-1) == batch.wanted
        for row in part:
            right += int(hit[: len(row.wanted)].all())
            hit = hit[len(row.wanted) :]
    return words, questions, right / len(rows)


def rate(step: int, steps: int, peak: float) -> float:
    """Warm up for 100 steps, hold, then fall linearly to zero over the last 60 %."""
    return peak * min(1.0, (step + 1) / 100, (steps - step) / (0.6 * steps))


def _optimizers(model: SmallLlama, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks (at rates like AdamW's), AdamW for embedding and norms."""
    matrices = [p for block in model.blocks for p in block.parameters() if p.dim() == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=peak, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    pools: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Training:
    """Model, optimizer and progress, saved together."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        self.args = args
        self.encoder = Encoder(Tokenizer.from_file(str(args.tokenizer)), args.form)
        self.shape = Shape(
            vocabulary=self.encoder.tokenizer.get_vocab_size(),
            width=args.width,
            layers=args.layers,
            hidden=3 * args.width,
            causal=args.causal or args.form != "marks",
        )
        self.model = SmallLlama(self.shape).to(args.device)
        self.optimizers = _optimizers(self.model, args.rate)
        self.progress = Progress()
        if args.out.exists():
            state = torch.load(args.out, weights_only=True, map_location=args.device)
            self.model.load_state_dict(state["model"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.progress = Progress(**state["progress"])

    def rows(self, seed: int, amount: int) -> list[Row]:
        drawn = samples(amount, seed, self.args.wordnet)
        return [row for sample in drawn if (row := self.encoder.row(sample))]

    def pools(self) -> Iterator[list[Row]]:
        """Pool after pool of composed requests; with --requests, the first so many again and again."""
        limit = max(1, self.args.requests // POOL) if self.args.requests else None
        for number in count(self.progress.pools):
            place = number % limit if limit else number
            yield self.rows(self.args.seed * 1_000_003 + place, POOL)
            self.progress.pools = number + 1

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
            "shape": asdict(self.shape),
        }
        aside = self.args.out.with_suffix(".tmp")
        torch.save(state, aside)
        aside.replace(self.args.out)

    def step(self, batch: list[Row]) -> tuple[float, float]:
        """One step of the optimizer; the losses of words and questions."""
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = rate(self.progress.step, self.args.steps, self.args.rate)
        _, words, questions = losses(self.model, collate(batch, self.args.device), self.encoder.marks)
        self.model.zero_grad(set_to_none=True)
        (words + 0.5 * questions).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.progress.step += 1
        self.progress.tokens += sum(len(row.ids) for row in batch)
        return words.item(), questions.item()

    def run(self) -> None:
        progress, args = self.progress, self.args
        held = self.rows(HELD_SEED, 300)
        size = sum(p.numel() for p in self.model.parameters())
        print(f"{size:,} parameters, from step {progress.step} to {args.steps}", flush=True)
        before, began = progress.seconds, time.perf_counter()
        total = [0.0, 0.0]
        for pool in self.pools():
            for batch in batches(pool, args.tokens, random.Random(progress.pools)):
                if progress.step >= args.steps:
                    return
                for i, loss in enumerate(self.step(batch)):
                    total[i] += loss / 50
                progress.seconds = before + time.perf_counter() - began
                if progress.step % 50 == 0:
                    print(
                        f"step {progress.step} words {total[0]:.4f} questions {total[1]:.4f} "
                        f"tokens {progress.tokens:,} seconds {progress.seconds:.0f}",
                        flush=True,
                    )
                    total = [0.0, 0.0]
                if progress.step % 250 == 0 or progress.step == args.steps:
                    words, questions, exact = evaluate(self.model, held, self.encoder.marks, args.device)
                    print(f"  held out: words {words:.4f} questions {questions:.4f} whole {exact:.3f}", flush=True)
                    self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--wordnet", type=Path, help="folder of WordNet's database, /usr/share/wordnet for one")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--tokens", type=int, default=4000, help="tokens per batch")
    parser.add_argument("--requests", type=int, help="compose only so many requests and repeat them")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--causal", action="store_true", help="each word sees only what stands before it")
    parser.add_argument("--form", choices=forms.FORMS, default="marks", help="of the answer; others to compare only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    Training(parser.parse_args()).run()


if __name__ == "__main__":
    main()
