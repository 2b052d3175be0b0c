"""ResidualViT as a student design: key frames in full, few patches and a residual token between them."""

import pytest
import timm
import torch
from small_transformers import FAMILIES, PATCHES, SIZE, WIDTH, transformer
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.residual_tokens import reduced_tokens
from deltadistill.blocks.token_choice import CHOICES, kept_patches
from deltadistill.exporting.functions import delta_functions
from deltadistill.models.vit_form import vit_form
from deltadistill.stored.architecture import found_architecture, load_network


@pytest.fixture(params=FAMILIES)
def network(request):
    return transformer(request.param)


def clip(frames=3, streams=2):
    return torch.randn(streams, frames, *SIZE, generator=torch.Generator().manual_seed(1))


def converted(network, **settings):
    torch.manual_seed(2)
    return dd.convert(network, dd.ResidualTokens(**settings), dd.vision_transformers)


@torch.no_grad()
def streamed(network, frames, **given):
    stream = dd.Stream(network, **given)
    return torch.stack([stream(frame) for frame in frames.unbind(1)], 1)


def tokenizer_of(network):
    (block,) = delta_blocks(network).values()
    return block.compressed


@torch.no_grad()
def test_a_later_frame_is_the_network_on_the_kept_patches_and_a_token_of_the_key_frames_output(network):
    frames = clip()
    delta = converted(network, rate=0.75)
    form, tokenizer = vit_form(network), tokenizer_of(delta)
    key, later = frames[:, 0], frames[:, 2]
    tokens = form.embed(later)
    kept = [tokens[:, form.prefix + place] for place in (0, 5, 10, 15)]  # 4 of 16, evenly
    seen = torch.stack(
        [*tokens[:, : form.prefix].unbind(1), tokenizer(network(key)), *kept],
        1,
    )
    found = streamed(delta, frames, period=3)
    torch.testing.assert_close(found[:, 0], network(key))
    torch.testing.assert_close(found[:, 2], form.output(form.encode(seen)))


@torch.no_grad()
def test_with_every_patch_and_without_the_residual_token_every_frame_is_the_networks(network):
    frames = clip()
    wanted = torch.stack([network(frame) for frame in frames.unbind(1)], 1)
    found = streamed(converted(network, rate=0.0, residual=False), frames, period=3)
    torch.testing.assert_close(found, wanted)
    dropped = streamed(converted(network, rate=0.75, residual=False), frames, period=3)
    assert not torch.allclose(dropped[:, 1:], wanted[:, 1:])


@pytest.mark.parametrize("relative_to", ["key", "previous"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_clip_at_once_is_what_a_stream_says_frame_by_frame(choice, relative_to):
    delta, frames = converted(transformer("timm"), rate=0.75, choice=choice), clip(4)
    found = dd.forward_clip(delta, frames, relative_to=relative_to).detach()
    torch.testing.assert_close(found, streamed(delta, frames, period=4, relative_to=relative_to))


def test_residual_tokens_of_the_frame_before_are_others_than_those_of_the_key_frame():
    delta, frames = converted(transformer("clip"), rate=0.75), clip(4)
    of_key, of_previous = (streamed(delta, frames, period=4, relative_to=to) for to in ("key", "previous"))
    torch.testing.assert_close(of_key[:, :2], of_previous[:, :2])
    assert not torch.allclose(of_key[:, 2:], of_previous[:, 2:])


def test_the_residual_token_stands_between_the_class_token_and_the_patches_that_stay():
    tokens = torch.arange(2 * 5.0).view(2, 5, 1)  # class token 0 and 5
    token, places = torch.tensor([[[-1.0]], [[-2.0]]]), torch.tensor([[1, 3]])
    found = reduced_tokens(tokens, places, token, prefix=1)
    assert found[..., 0].tolist() == [[0, -1, 2, 4], [5, -2, 7, 9]]
    assert reduced_tokens(tokens, places, None, prefix=1)[..., 0].tolist() == [[0, 2, 4], [5, 7, 9]]
    each = torch.tensor([[0, 1], [2, 3]])
    assert reduced_tokens(tokens, each, None, prefix=1)[..., 0].tolist() == [[0, 1, 2], [5, 8, 9]]


def test_of_196_patches_29_stay_at_a_rate_of_85_percent_and_one_at_least():
    assert [kept_patches(196, rate) for rate in (0, 0.5, 0.85, 0.999)] == [196, 98, 29, 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_macs_of_later_frames_are_those_of_the_fewer_tokens(family):
    network = transformer(family)
    table = dd.count_macs(converted(network, rate=0.75), SIZE)
    form = vit_form(network)
    outputs = {"timm": 5, "timm_average": WIDTH, "torchvision": 5, "clip": 7}[family]

    def macs(tokens):
        each = tokens * 12 * WIDTH**2 + 2 * tokens**2 * WIDTH  # layers, and both products of attention
        return PATCHES * 192 * WIDTH + 2 * each + (WIDTH * outputs if family != "timm_average" else 0)

    assert table.teacher == macs(form.prefix + 16)
    assert table.delta == macs(form.prefix + 1 + 4)
    assert table.key == table.teacher + outputs * WIDTH  # the token is made once per key frame


def test_later_frames_of_a_vit_b_16_cost_what_31_tokens_of_197_do():
    with torch.device("meta"):
        network = timm.create_model("vit_base_patch16_224", num_classes=0)
    delta = converted(network, rate=0.85)
    delta.decide("compressed")  # a gate without values prefers nothing
    table = dd.count_macs(delta, (3, 224, 224))
    # 12 blocks: 12·768² a token, 2·768 a pair of tokens; 196 patches of 16·16·3 values embedded
    whole, reduced = (12 * (n * 12 * 768**2 + 2 * n**2 * 768) + 196 * 768**2 for n in (197, 31))
    assert (table.teacher, table.delta) == (whole, reduced)
    assert reduced / whole == pytest.approx(0.157, abs=0.001)
    assert 1 - table.amortised(3) / whole == pytest.approx(0.56, abs=0.005)  # two later frames a key frame


def test_only_the_residual_tokenizer_learns_and_later_frames_come_nearer_to_the_networks(caplog):
    network, frames = transformer("clip"), clip(3, 8)
    delta = converted(network, rate=0.75)
    before = {name: value.clone() for name, value in delta.state_dict().items()}
    wanted = network(frames[:, 1]).detach()

    def similarity():
        return nn.functional.cosine_similarity(streamed(delta, frames, period=3)[:, 1], wanted).mean()

    start = similarity()
    losses = dd.distill(delta, frames, steps=60, batch=8, learning_rate=0.01, progress=False)
    assert losses[-1] < losses[0]
    assert similarity() > start
    changed = {name for name, value in delta.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"compressed.weight", "compressed.bias", "decision"}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_exported_functions_say_what_the_stream_says(choice):
    deployed, frames = dd.deploy(converted(transformer("timm"), rate=0.75, choice=choice)).eval(), clip(2)
    functions = delta_functions(deployed, frames[:, 0])
    first, *maps = functions.key(frames[:, 0])
    wanted = streamed(deployed, frames, period=2)
    torch.testing.assert_close(first, wanted[:, 0])
    torch.testing.assert_close(functions.delta(frames[:, 1], *maps)[0], wanted[:, 1])
    assert functions.state_bytes == 4 * 2 * (WIDTH + (3 * 32 * 32 if choice == "motion" else 0))


def test_a_converted_tower_is_saved_and_loaded(tmp_path):
    options = {"image_size": 32, "patch_size": 8, "width": WIDTH, "layers": 2, "heads": 3}
    model = {"name": "clip_tower", "classes": 7, "options": options}
    network = dd.models.build("clip_tower", classes=7, **options).eval()
    design, frames = dd.ResidualTokens(rate=0.75, choice="center"), clip()
    delta = dd.convert(network, design, dd.vision_transformers)
    deployed = dd.deploy(delta)
    dd.save_network(tmp_path / "tower.pt", deployed, model, architecture=found_architecture(delta, design))
    loaded = load_network(tmp_path / "tower.pt")
    torch.testing.assert_close(streamed(loaded, frames, period=3), streamed(deployed, frames, period=3))


def test_a_transformer_inside_a_larger_network_is_found():
    network = nn.Sequential(transformer("timm"), nn.Linear(5, 2)).eval()
    delta = converted(network, rate=0.75)
    assert [*delta_blocks(delta)] == ["0"]
    assert streamed(delta, clip(), period=3).shape == (2, 3, 2)


def test_windows_of_a_swin_have_no_tokens_that_could_be_dropped_and_the_error_says_what_fits():
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=2,
        embed_dim=12,
        depths=(1, 1),
        num_heads=(2, 2),
    )
    with pytest.raises(ValueError, match=r"within windows of a grid.*dd\.LinearStudent"):
        converted(swin)


def test_networks_whose_tokens_do_something_else_are_refused():
    maps = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=24, depth=1, num_heads=3, num_classes=0,
        global_pool="",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"returns \(1, 17, 24\); expected one vector a frame"):
        converted(maps)

    class Louder(type(transformer("clip"))):
        def forward(self, frames):
            return 2 * super().forward(frames)

    louder = transformer("clip")
    louder.__class__ = Louder
    with pytest.raises(ValueError, match="does more than embed patches"):
        converted(louder)
    with pytest.raises(ValueError, match="Sequential is no vision transformer that is known here"):
        converted(nn.Sequential(nn.Conv2d(3, 4, 1)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"rate": 1.0}, "below 1"), ({"rate": -0.1}, "from 0"), ({"choice": "best"}, "uniform")],
)
def test_settings_that_cannot_be_meant_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        dd.ResidualTokens(**settings)
