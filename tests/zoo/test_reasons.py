"""What the probe says about layers of public networks that it must leave alone, or take as windows."""

import pytest
import torch
from torch import nn
from torchvision.models import swin_t, swin_v2_t, vit_b_32
from zoo.networks import ENTRIES

from deltadistill.conversion.frame_axis import probe_frame_axes

NEVER_CALLED = "its forward is never called"


def axes_of(network, example, kinds=(nn.Conv2d, nn.Linear)):
    layers = {module: name for name, module in network.named_modules() if isinstance(module, kinds)}
    found = probe_frame_axes(network.eval(), list(layers), example)
    return {layers[module]: axis for module, axis in found.items()}


def frames(size, count=1):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_swin_of_torchvision_reads_the_weights_of_its_attention_and_calls_the_rest():
    axes = axes_of(swin_t(weights=None), frames(32))
    uncalled = {name for name, axis in axes.items() if axis.reason.startswith(NEVER_CALLED)}
    assert uncalled == {name for name in axes if name.endswith((".attn.qkv", ".attn.proj"))}
    assert all(axis.rows_per_frame == 1 and not axis.reason for name, axis in axes.items() if ".mlp." in name)


def test_the_table_of_positions_of_swin_v2_is_not_frames():
    axes = axes_of(swin_v2_t(weights=None), frames(32))
    tables = [axis.reason for name, axis in axes.items() if ".cpb_mlp." in name]
    assert set(tables) == {"its first axis is not frames: 1 row(s) for 2 frames, 1 for 1 frame"}


def test_swin_of_timm_calls_its_attention_on_windows():
    swin = pytest.importorskip("timm.models.swin_transformer")
    network = swin.SwinTransformer(
        img_size=32, window_size=4, embed_dim=16, depths=(2,), num_heads=(2,), num_classes=3
    )
    axes = axes_of(network, frames(32))
    assert axes["layers.0.blocks.1.attn.qkv"].rows_per_frame == 4  # 8×8 tokens in windows of 4×4
    assert axes["layers.0.blocks.1.mlp.fc1"].rows_per_frame == 1
    assert not any(axis.reason for axis in axes.values())


def test_multi_head_attention_never_calls_its_projection():
    axes = axes_of(vit_b_32(weights=None, image_size=32), frames(32))
    uncalled = {name for name, axis in axes.items() if axis.reason}
    assert uncalled == {name for name in axes if name.endswith("out_proj")}


def test_the_fused_transformer_layer_calls_no_linear_layer():
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    axes = axes_of(layer, torch.rand(1, 5, 8))
    assert all(axis.reason.startswith(NEVER_CALLED) for axis in axes.values())


def test_a_transformer_whose_first_axis_is_tokens_is_refused():
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=False)

    class TokensFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x.flatten(2).permute(2, 0, 1))

    axes = axes_of(TokensFirst(), torch.rand(1, 8, 3, 3))
    assert "9 row(s) for 2 frames, 9 for 1 frame" in axes["layer.linear1"].reason


def test_heads_on_regions_are_refused_as_content_chose_the_regions():
    axes = axes_of(
        ENTRIES["maskrcnn_resnet50_fpn"].network(), ENTRIES["maskrcnn_resnet50_fpn"].frames()[:, 0]
    )
    heads = {name: axis.reason for name, axis in axes.items() if name.startswith("roi_heads.")}
    assert len(heads) == 9  # two boxed layers, two predictors, four mask convolutions and their last
    assert all("not frames" in reason and "torchvision::nms" in reason for reason in heads.values())
    assert not any(axis.reason for name, axis in axes.items() if name not in heads)
