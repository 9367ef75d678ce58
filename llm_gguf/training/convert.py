"""Checkpoint to GGUF: python -m llm_gguf.training.convert CHECKPOINT.pt TOKENIZER.json OUT.gguf [--type Q8_0]

Writes float32, lets llama.cpp quantize it, and checks that llama.cpp splits prompts as the training did.
"""

import argparse
import json
import tempfile
from pathlib import Path

import gguf
import numpy
import torch
from tokenizers import Tokenizer

from llm_gguf import llama
from llm_gguf.engine import ATTENTION_KEY, CAUSAL, LANGUAGE_KEY, PROMPT_LANGUAGE
from llm_gguf.prompting import encode
from llm_gguf.training.generate import samples
from llm_gguf.training.model import Shape

NAME = "edge-ru"


def _interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of a query or key matrix from (i, i + half) pairs to neighbours, as llama.cpp's Llama turns them."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def tensors(state: dict[str, torch.Tensor], shape: Shape) -> dict[str, numpy.ndarray]:
    """llama.cpp's names and orders."""
    out = {"token_embd.weight": state["embedding.weight"], "output_norm.weight": state["norm.weight"]}
    for i in range(shape.layers):
        block = {k.removeprefix(f"blocks.{i}."): v for k, v in state.items() if k.startswith(f"blocks.{i}.")}
        query, key, value = block["qkv.weight"].chunk(3)
        gate, up = block["gate_up.weight"].chunk(2)
        out |= {
            f"blk.{i}.attn_norm.weight": block["attn_norm.weight"],
            f"blk.{i}.ffn_norm.weight": block["ffn_norm.weight"],
            f"blk.{i}.attn_q.weight": _interleaved(query, shape.heads),
            f"blk.{i}.attn_k.weight": _interleaved(key, shape.heads),
            f"blk.{i}.attn_v.weight": value,
            f"blk.{i}.attn_output.weight": block["out.weight"],
            f"blk.{i}.ffn_gate.weight": gate,
            f"blk.{i}.ffn_up.weight": up,
            f"blk.{i}.ffn_down.weight": block["down.weight"],
        }
    return {name: tensor.float().contiguous().numpy() for name, tensor in out.items()}


def write(path: Path, weights: dict[str, numpy.ndarray], shape: Shape, tokenizer: Tokenizer) -> None:
    """A float32 GGUF of architecture llama with the tokenizer inside."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_string(LANGUAGE_KEY, PROMPT_LANGUAGE)
    writer.add_string(ATTENTION_KEY, CAUSAL if shape.causal else "both")
    writer.add_context_length(2048)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    described = json.loads(tokenizer.to_str())
    added = {entry["id"] for entry in described["added_tokens"]}
    tokens = [tokenizer.id_to_token(i) for i in range(shape.vocabulary)]
    kinds = [gguf.TokenType.USER_DEFINED if i in added else gguf.TokenType.NORMAL for i in range(shape.vocabulary)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")  # single digits, then the byte-level split of GPT-2
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(m) for m in described["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.token_to_id("<spare0>"))  # never given: a mark is no text
    writer.add_add_bos_token(False)
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: Path, target: Path, kind: str) -> None:
    llama_cpp = llama.library()  # with its log caught
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    settings.nthread = 1
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), settings) != 0:
        raise SystemExit(f"llama.cpp could not quantize to {kind}")


def check_tokens(path: Path, tokenizer: Tokenizer, count: int = 500) -> int:
    """Number of prompts that llama.cpp and the training split differently."""
    from llm_gguf.engine import LlamaEngine

    engine = LlamaEngine(path, 1)
    differing = 0
    for sample in samples(count, 4242):
        prompt = encode(sample.text)
        differing += engine.tokens(prompt) != [i for p in prompt.pieces for i in tokenizer.encode(p).ids]
    return differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", default="Q8_0", choices=("F32", "Q8_0", "Q4_K_M"))
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    state = torch.load(args.checkpoint, weights_only=True)
    shape = Shape(**state["shape"])
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "f32.gguf"
        write(full, tensors(state["model"], shape), shape, tokenizer)
        if args.type == "F32":
            args.out.write_bytes(full.read_bytes())
        else:
            quantize(full, args.out, args.type)
    size, step = args.out.stat().st_size, state["progress"]["step"]
    differing = check_tokens(args.out, tokenizer)
    print(f"{args.out}: {size:,} bytes, step {step}, {differing} of 500 prompts split differently")


if __name__ == "__main__":
    main()
