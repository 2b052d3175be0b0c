"""Vision transformers of three families in their steps and in their parts, and a tower's weight file."""

import pytest
import timm
import torch
from small_transformers import FAMILIES, SIZE, transformer
from torch import nn

import deltadistill as dd
from deltadistill.models.clip_tower import ResidualAttentionBlock
from deltadistill.models.vit_block import vit_block
from deltadistill.models.vit_form import vit_form


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_three_steps_and_the_parts_of_blocks_are_the_network(family):
    network = transformer(family)
    form, frames = vit_form(network), torch.randn(2, *SIZE)
    torch.testing.assert_close(form.output(form.encode(form.embed(frames))), network(frames))
    assert form.grid(frames) == (4, 4)
    x = form.embed(frames)
    for module in form.blocks:
        parts = vit_block(module)
        y = x + parts.scale_1(parts.project(parts.attend(parts.norm_1(x))))
        z = y + parts.scale_2(parts.mlp(parts.norm_2(y)))
        torch.testing.assert_close(z, module(x))


def test_a_module_that_is_no_block_is_refused():
    with pytest.raises(ValueError, match="Linear is no block of a vision transformer"):
        vit_block(nn.Linear(2, 2))
    gated = ResidualAttentionBlock(24, 3, nn.GELU)
    gated.attn = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="ResidualAttentionBlock is no block"):
        vit_block(gated)


def test_a_tower_reads_its_part_of_a_file_of_a_whole_clip_model(tmp_path):
    written, read = transformer("clip"), transformer("clip")
    for parameter in read.parameters():
        nn.init.zeros_(parameter)
    whole = {f"visual.{name}": value for name, value in written.state_dict().items()}
    whole |= {"transformer.resblocks.0.ln_1.weight": torch.ones(4), "logit_scale": torch.ones([])}
    torch.save(whole, tmp_path / "clip.pt")
    loaded = dd.load_weights(read, tmp_path / "clip.pt", part="visual")
    assert (loaded.missing, len(loaded.loaded)) == ((), len(written.state_dict()))
    frames = torch.randn(2, *SIZE)
    torch.testing.assert_close(read(frames), written(frames))


def test_a_towers_names_are_those_of_open_clips_files():
    names = set(transformer("clip", depth=1).state_dict())
    block = "transformer.resblocks.0."
    of_block = {
        "ln_1.weight", "ln_1.bias", "attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight",
        "attn.out_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias",
        "mlp.c_proj.weight", "mlp.c_proj.bias",
    }  # fmt: skip
    assert names == {block + name for name in of_block} | {
        "conv1.weight", "class_embedding", "positional_embedding", "ln_pre.weight", "ln_pre.bias",
        "ln_post.weight", "ln_post.bias", "proj",
    }  # fmt: skip


def test_sizes_of_a_tower_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="image_size 30 must be a multiple of patch_size 8"):
        dd.models.build("clip_tower", classes=4, image_size=30, patch_size=8)


@torch.no_grad()
def test_a_network_of_any_size_has_the_patches_of_the_frame():
    torch.manual_seed(0)
    network = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=24, depth=1, num_heads=3, num_classes=5,
        dynamic_img_size=True, dynamic_img_pad=True,
    ).eval()  # fmt: skip
    frames = torch.randn(1, 3, 32, 44)
    assert vit_form(network).grid(frames) == (4, 6)
    assert vit_form(network).embed(frames).shape[1] == 1 + 24
    for choice in ("uniform", "center", "random", "motion", "attention"):
        delta = dd.convert(network, dd.ResidualTokens(0.75, choice), dd.vision_transformers)
        stream = dd.Stream(delta, period=2)
        torch.testing.assert_close(stream(frames), network(frames))
        assert stream(frames).shape == (1, 5)
