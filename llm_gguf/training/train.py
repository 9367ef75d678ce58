"""Trains the small Llama on invented requests: python -m llm_gguf.training.train REQUESTS.jsonl TOKENIZER.json OUT.pt

One thread, bfloat16 autocast, a checkpoint every 250 steps; the same command again continues from it. The loss is
that of the marks of the words plus that of the two questions at the end (task, device).
"""

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from llm_gguf.prompting import ASK_DEVICE, ASK_TASK, WORD
from llm_gguf.training.answers import answer
from llm_gguf.training.generate import load, samples
from llm_gguf.training.marking import Sample
from llm_gguf.training.model import Shape, SmallLlama

REQUESTS_PER_STEP = 38
"""About how many requests a batch of 4000 tokens holds; used to step over what an earlier run has seen."""


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of a prompt and (place, wanted token) of its words and, last, its two questions."""

    ids: list[int]
    wanted: list[tuple[int, int]]


class Encoder:
    """Requests to token ids, with a memory of pieces already split."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}

    def ids(self, piece: str) -> list[int]:
        if piece not in self.known:
            self.known[piece] = self.tokenizer.encode(piece).ids
        return self.known[piece]

    def row(self, sample: Sample) -> Row | None:
        """None where a mark of the sample cuts a word in two."""
        made = answer(sample)
        if made is None:
            return None
        marks = iter(made[1])
        ids: list[int] = []
        wanted: list[tuple[int, int]] = []
        for piece in made[0].pieces:
            if piece in (WORD, ASK_TASK, ASK_DEVICE):
                wanted.append((len(ids), self.ids(next(marks))[0]))
            ids += self.ids(piece)
        return Row(ids, wanted)


def batches(rows: Iterator[Row], tokens: int, rng: random.Random) -> Iterator[list[Row]]:
    """Batches of about `tokens` tokens from rows of like length, in random order within a pool."""
    while pool := [row for row, _ in zip(rows, range(6000), strict=False)]:
        pool.sort(key=lambda row: len(row.ids))
        made: list[list[Row]] = [[]]
        for row in pool:
            if made[-1] and (len(made[-1]) + 1) * len(row.ids) > tokens:
                made.append([])
            made[-1].append(row)
        rng.shuffle(made)
        yield from made


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids, lengths, the flat places of the states that answer, the tokens wanted there, and which are words."""

    ids: Tensor
    lengths: Tensor
    places: Tensor
    wanted: Tensor
    is_word: Tensor


def collate(rows: list[Row]) -> Batch:
    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
    return Batch(
        ids=ids,
        lengths=torch.tensor([len(row.ids) for row in rows]),
        places=torch.tensor([i * longest + place for i, row in enumerate(rows) for place, _ in row.wanted]),
        wanted=torch.tensor([token for row in rows for _, token in row.wanted]),
        is_word=torch.tensor([n < len(row.wanted) - 2 for row in rows for n in range(len(row.wanted))]),
    )


def losses(model: SmallLlama, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Logits at all answering places, mean loss of the words, mean loss of the questions."""
    with torch.autocast("cpu", torch.bfloat16):
        states = model(batch.ids, batch.lengths).flatten(0, 1)[batch.places]
        logits = model.logits(states).float()
    each = F.cross_entropy(logits, batch.wanted, reduction="none")
    return logits, each[batch.is_word].mean(), each[~batch.is_word].mean()


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(model: SmallLlama, rows: list[Row]) -> tuple[float, float, float]:
    """Loss of the words, loss of the questions, share of requests in which every first choice is right."""
    words, questions, right = 0.0, 0.0, 0
    for start in range(0, len(rows), 30):
        part = rows[start : start + 30]
        batch = collate(part)
        logits, word_loss, question_loss = losses(model, batch)
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


def train(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    encoder = Encoder(Tokenizer.from_file(str(args.tokenizer)))
    shape = Shape(vocabulary=encoder.tokenizer.get_vocab_size(), layers=args.layers)
    model = SmallLlama(shape)
    grouped = [[p for p in model.parameters() if p.dim() == 2], [p for p in model.parameters() if p.dim() != 2]]
    optimizer = torch.optim.AdamW(
        [{"params": grouped[0], "weight_decay": 0.05}, {"params": grouped[1], "weight_decay": 0.0}],
        lr=args.rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    done, seen, spent = 0, 0, 0.0
    if args.out.exists():
        state = torch.load(args.out, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done, seen, spent = state["step"], state["tokens"], state["seconds"]
    rng = random.Random(args.seed + done)
    held = [row for sample in samples(300, 987_654) if (row := encoder.row(sample))]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, from step {done} to {args.steps}", flush=True)

    def rows() -> Iterator[Row]:
        while True:
            for sample in load(args.requests):
                if row := encoder.row(sample):
                    yield row

    source = rows()
    for _ in range(done * REQUESTS_PER_STEP):
        next(source)
    began, total, asked = time.perf_counter(), 0.0, 0.0
    for step, batch in enumerate(batches(source, args.tokens, rng), start=done):
        if step >= args.steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate(step, args.steps, args.rate)
        _, words, questions = losses(model, collate(batch))
        optimizer.zero_grad(set_to_none=True)
        (words + 0.5 * questions).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += sum(len(row.ids) for row in batch)
        total += words.item()
        asked += questions.item()
        if (step + 1) % 50 == 0:
            seconds = spent + time.perf_counter() - began
            print(
                f"step {step + 1} words {total / 50:.4f} questions {asked / 50:.4f} "
                f"tokens {seen:,} seconds {seconds:.0f}",
                flush=True,
            )
            total, asked = 0.0, 0.0
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            word_loss, question_loss, exact = evaluate(model, held)
            print(f"  held out: words {word_loss:.4f} questions {question_loss:.4f} whole {exact:.3f}", flush=True)
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step + 1,
                "tokens": seen,
                "seconds": spent + time.perf_counter() - began,
                "layers": args.layers,
            }
            aside = args.out.with_suffix(".tmp")
            torch.save(state, aside)
            aside.replace(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1250)
    parser.add_argument("--tokens", type=int, default=4000, help="tokens per batch")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
