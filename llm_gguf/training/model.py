"""A small Llama in plain PyTorch: RMSNorm, rotary positions, SwiGLU, tied embeddings.

Every token sees the whole prompt, in both directions (llama.cpp does the same when causal attention is switched off),
unless the shape is causal.
Knows no data format.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    vocabulary: int
    width: int = 256
    layers: int = 6
    heads: int = 8
    hidden: int = 768
    context: int = 1024
    rope_base: float = 10_000.0
    epsilon: float = 1e-5
    causal: bool = False


def rotary(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables, each (length, head width / 2)."""
    half = shape.width // shape.heads // 2
    frequency = shape.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns x (..., length, head width) by its place; the pairs are (i, i + half), which is faster than neighbours."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cosine - high * sine, low * sine + high * cosine), dim=-1)


class Norm(nn.Module):  # type: ignore[misc]
    """Root mean square normalisation with a learned scale."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


class Block(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = Norm(shape.width, shape.epsilon)
        self.ffn_norm = Norm(shape.width, shape.epsilon)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, bias: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.attn_norm(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key = rotate(qkv[:2].contiguous(), cosine, sine).unbind(0)
        # Written out: on a CPU at these lengths it is faster than scaled_dot_product_attention.
        score = (query * (width // self.heads) ** -0.5) @ key.transpose(-1, -2) + bias
        value = qkv[2]
        mixed = (score.softmax(-1).to(value.dtype) @ value).transpose(1, 2).reshape(batch, length, width)
        x = x + self.out(mixed)
        gate, up = self.gate_up(self.ffn_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class SmallLlama(nn.Module):  # type: ignore[misc]
    """Token ids and lengths in, hidden states out; `logits` turns chosen states into scores."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.epsilon)
        cosine, sine = rotary(shape, shape.context)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.layers) ** 0.5 if deep else 0.02)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """ids (batch, length) padded behind lengths (batch,) -> hidden states (batch, length, width)."""
        length = ids.shape[1]
        padding = torch.arange(length, device=ids.device)[None, :] >= lengths[:, None]
        x = self.embedding(ids)
        where = ids.device.type
        x = x.to(torch.get_autocast_dtype(where) if torch.is_autocast_enabled(where) else x.dtype)
        bias = torch.zeros(padding.shape, dtype=x.dtype, device=ids.device).masked_fill(padding, -1e4)[:, None, None]
        if self.shape.causal:
            bias = bias + torch.full((length, length), -1e4, dtype=x.dtype, device=ids.device).triu(1)
        cosine, sine = self.cosine[:length].to(x.dtype), self.sine[:length].to(x.dtype)
        for block in self.blocks:
            x = block(x, bias, cosine, sine)
        return self.norm(x)

    def logits(self, states: Tensor, tokens: slice) -> Tensor:
        """Scores of a run of tokens, (states, tokens)."""
        return F.linear(states, self.embedding.weight[tokens].to(states.dtype))
