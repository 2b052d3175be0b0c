"""A small detection transformer with queries that are boxes (DETR, ECCV 2020; DAB-DETR, ICLR 2022).

    frames ─ backbone (1/16) ─ encoder ─ memory (N, D, h, w) ─ decoder, asked by boxes ─ classes and boxes

Departures from DAB-DETR: a backbone of four convolutions in place of a ResNet, norms before the layers, no
refinement of boxes between layers of the decoder, and no loss on these.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes, conv_bn, initialise

STRIDE = 16  # pixels per place of the memory
_SLOWEST = 100.0  # how much slower the slowest wave of a position is than the fastest
_RARE = 0.01  # a class's probability before anything is learnt

Answer = dict[str, Tensor]
"""Of N frames and Q queries: "logits" (N, Q, classes + 1), the last of which is that there is nothing,
"boxes" (N, Q, 4), centre x and y, width and height as shares of the frame, and "sizes" (N, 2), its height and
width in pixels."""


class Layer(nn.Module):
    """A layer of the encoder, or, with `crossed`, of the decoder: attention and MLP, each added to tokens."""

    def __init__(self, width: int, heads: int, *, crossed: bool):
        super().__init__()
        self.norm_self, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend_self = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm_cross = nn.LayerNorm(width) if crossed else None
        self.attend_cross = nn.MultiheadAttention(width, heads, batch_first=True) if crossed else None
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(
        self,
        tokens: Tensor,
        places: Tensor,
        memory: tuple[Tensor, Tensor] | None = None,
        absent: Tensor | None = None,
    ) -> Tensor:
        """Tokens (N, L, D) at `places` (N or 1, L, D). memory: tokens that are attended to, with positions,
        and without. absent: bool (N, L), tokens that none attends to.
        """
        seen = self.norm_self(tokens)
        at = seen + places
        tokens = tokens + self.attend_self(at, at, seen, key_padding_mask=absent, need_weights=False)[0]
        if self.attend_cross is not None and self.norm_cross is not None and memory is not None:
            asked = self.norm_cross(tokens) + places
            tokens = tokens + self.attend_cross(asked, *memory, need_weights=False)[0]
        return tokens + self.mlp(self.norm_mlp(tokens))


class Detr(nn.Module):
    """Frames (N, 3, H, W) to an Answer; `encode` and `read` are its two halves.

    What the module `memory` returns is the encoder's output as a map. `boxes_asked` are the queries' boxes,
    as logits of shares of the frame.
    """

    def __init__(
        self, *, classes: int, channels: int, width: int, heads: int, encoder: int, decoder: int, queries: int
    ):
        super().__init__()
        steps = [3, channels, 2 * channels, 4 * channels, width]
        self.backbone = nn.Sequential(
            *(
                nn.Sequential(*conv_bn(inputs, outputs, 3, stride=2), nn.ReLU())
                for inputs, outputs in pairwise(steps)
            )
        )
        self.backbone.apply(initialise)
        self.encoder = nn.ModuleList(Layer(width, heads, crossed=False) for _ in range(encoder))
        self.norm_memory, self.memory = nn.LayerNorm(width), nn.Identity()
        self.boxes_asked = nn.Parameter(torch.empty(queries, 4).uniform_(0.05, 0.95).logit())
        self.place = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))
        self.decoder = nn.ModuleList(Layer(width, heads, crossed=True) for _ in range(decoder))
        self.norm_read = nn.LayerNorm(width)
        self.classify = nn.Linear(width, classes + 1)
        self.locate = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))
        nn.init.constant_(self.classify.bias[:-1], math.log(_RARE))
        nn.init.zeros_(self.locate[-1].weight)
        nn.init.zeros_(self.locate[-1].bias)

    @property
    def classes(self) -> int:
        """The number of classes, without that of nothing."""
        return self.classify.out_features - 1

    def forward(self, frames: Tensor) -> Answer:
        """What the network's own queries find."""
        boxes = self.boxes_asked.sigmoid().expand(len(frames), -1, -1)
        sizes = frames.new_tensor([frames.shape[-2:]]).expand(len(frames), -1)
        return {**self.read(self.encode(frames), boxes), "sizes": sizes}

    def encode(self, frames: Tensor) -> Tensor:
        """The memory (N, D, h, w)."""
        maps = self.backbone(frames)
        places, tokens = _places(maps), maps.flatten(2).mT
        for layer in self.encoder:
            tokens = layer(tokens, places)
        return self.memory(self.norm_memory(tokens).mT.unflatten(2, maps.shape[-2:]))

    def read(self, memory: Tensor, boxes: Tensor, absent: Tensor | None = None) -> Answer:
        """ "logits" and "boxes" of queries (N, Q, 4), shares of the frame.

        absent: bool (N, Q), queries that are there to fill up; of every frame one has to be present.
        """
        held = memory.flatten(2).mT
        places, tokens = self.place(waves(boxes, memory.shape[1] // 2)), torch.zeros_like(held[:, :1])
        tokens = tokens.expand(-1, boxes.shape[1], -1)
        for layer in self.decoder:
            tokens = layer(tokens, places, (held + _places(memory), held), absent)
        read = self.norm_read(tokens)
        moved = boxes.clamp(1e-4, 1 - 1e-4).logit() + self.locate(read)
        return {"logits": self.classify(read), "boxes": moved.sigmoid()}


def waves(values: Tensor, width: int) -> Tensor:
    """Numbers (…, K) from 0 to 1 as sines and cosines of `width / 2` frequencies each; (…, K · width)."""
    steps = torch.arange(width // 2, device=values.device, dtype=values.dtype)
    angles = 2 * math.pi * values[..., None] / _SLOWEST ** (2 * steps / width)
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


def _places(maps: Tensor) -> Tensor:
    """Positions (1, h · w, D) of the places of maps (N, D, h, w)."""
    rows, columns = (
        (torch.arange(count, device=maps.device, dtype=maps.dtype) + 0.5) / count for count in maps.shape[-2:]
    )
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    return waves(grid, maps.shape[1] // 2).flatten(0, 1)[None]


def build(
    *,
    classes: int,
    channels: int = 16,
    width: int = 64,
    heads: int = 4,
    encoder: int = 2,
    decoder: int = 2,
    queries: int = 30,
) -> Detr:
    """Build one with random weights; `channels` are those of the first convolution.

    Raises ValueError for sizes that do not fit each other.
    """
    sizes = {"channels": channels, "width": width, "heads": heads, "encoder": encoder, "decoder": decoder}
    check_sizes(classes=classes, queries=queries, **sizes)
    if width % heads or width % 4:
        raise ValueError(f"width {width} must be a multiple of heads {heads} and of 4")
    return Detr(classes=classes, queries=queries, **sizes)
