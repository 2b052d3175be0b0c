"""Token merging (ToMe, Bolya et al., ICLR 2023): in every block of a transformer, like tokens become one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models.vit_block import joined, vit_block
from deltadistill.models.vit_form import vit_form


class MergedTokens(nn.Module):
    """A vision transformer that merges `merged` patches in each of its blocks, after attention; per frame.

    Of the patches every second one may join the one of the others whose key (mean over heads) is nearest by
    cosine; the `merged` nearest pairs do. Tokens are means over the patches in them, and attention adds the
    logarithm of how many these are. At most half of the patches of a block merge; class tokens stay.
    The network itself is not changed. Nothing is trained.
    """

    def __init__(self, network: nn.Module, *, merged: int):
        super().__init__()
        if merged < 0:
            raise ValueError(f"merged {merged}: expected a number of patches, at least 0")
        form = vit_form(network)  # says why it has none
        for block in form.blocks:
            vit_block(block)
        self.network, self.merged = network, merged

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, C, H, W) to the network's output (N, outputs)."""
        form = vit_form(self.network)
        tokens = form.before(form.embed(frames))
        sizes = torch.ones_like(tokens[..., :1])
        for block in form.blocks:
            tokens, sizes = merged_block(block, tokens, sizes, self.merged, prefix=form.prefix)
        return form.output(tokens)


def merged_block(
    block: nn.Module, x: Tensor, sizes: Tensor, merged: int, *, prefix: int
) -> tuple[Tensor, Tensor]:
    """A block's tokens (N, L − merged, D) of its input x (N, L, D), and of how many patches they are made.

    sizes: (N, L, 1).
    """
    parts = vit_block(block)
    query, key, value = parts.heads(parts.norm_1(x))
    bias = sizes.log()[:, None].transpose(-1, -2)  # (N, 1, 1, L)
    attended = joined(F.scaled_dot_product_attention(query, key, value, attn_mask=bias))
    y = x + parts.scale_1(parts.project(attended))
    y, sizes = merge(y, sizes, key.mean(1), merged, prefix=prefix)
    return y + parts.scale_2(parts.mlp(parts.norm_2(y))), sizes


def merge(tokens: Tensor, sizes: Tensor, keys: Tensor, merged: int, *, prefix: int) -> tuple[Tensor, Tensor]:
    """Tokens (N, L − merged, D) with the most alike patches joined, weighted by their sizes (N, L, 1).

    keys: (N, L, d), compared by cosine. In the result come the first `prefix`, patches that joined nobody,
    then those that may be joined. Fewer merge where there are not two times as many patches.
    """
    patches = tokens.shape[1] - prefix
    merged = min(merged, patches // 2)
    if merged == 0:
        return tokens, sizes
    keys = F.normalize(keys[:, prefix:], dim=-1)
    nearest, partner = (keys[:, ::2] @ keys[:, 1::2].transpose(-1, -2)).max(-1)
    order = nearest.argsort(descending=True, stable=True)
    joining, staying = order[:, :merged, None], order[:, merged:, None].sort(1).values
    into = partner[..., None].gather(1, joining)

    def joined_up(x: Tensor) -> Tensor:
        first, second = x[:, prefix::2], x[:, prefix + 1 :: 2]
        taken = first.gather(1, joining.expand(-1, -1, x.shape[-1]))
        second = second.scatter_add(1, into.expand(-1, -1, x.shape[-1]), taken)
        return torch.cat([x[:, :prefix], first.gather(1, staying.expand(-1, -1, x.shape[-1])), second], 1)

    total = joined_up(sizes)
    return joined_up(tokens * sizes) / total, total
