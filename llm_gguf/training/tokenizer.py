"""Learns the byte-level BPE of the small model: python -m llm_gguf.training.tokenizer OUT.json

Single digits, no capitals (the prompt is in small letters), structural tokens at the end of the vocabulary.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llm_gguf.prompting import encode, structural_tokens
from llm_gguf.training.generate import samples

TEXT_VOCABULARY = 4096


def _texts(count: int, wordnet: Path | None) -> Iterator[str]:
    for sample in samples(count, 1, wordnet):
        yield "".join(p for p in encode(sample.text).pieces if not p.startswith("<") or len(p) == 1)


def learn(count: int, wordnet: Path | None) -> Tokenizer:
    """Byte-level BPE on the words of `count` composed requests."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_texts(count, wordnet), trainer)
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in structural_tokens()])
    # At least one is needed as the end-of-text token that llama.cpp wants and the model never gives.
    spare = -tokenizer.get_vocab_size() % 64 or 64
    tokenizer.add_tokens([AddedToken(f"<spare{i}>", normalized=False) for i in range(spare)])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--wordnet", type=Path, help="folder of WordNet's database")
    args = parser.parse_args()
    tokenizer = learn(args.count, args.wordnet)
    tokenizer.save(str(args.out))
    print(f"vocabulary of {tokenizer.get_vocab_size()} tokens in {args.out}")


if __name__ == "__main__":
    main()
