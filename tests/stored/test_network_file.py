"""A network comes back from its file as it was saved: types of numbers, builders that are not known."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.models.building import REGISTERED
from deltadistill.stored.architecture import load_network
from deltadistill.stored.network_file import read_network_file, save_network

MODEL = {"name": "ddrnet23_slim", "classes": 4, "options": {"width": 4, "stem_strides": [2, 1]}}
STUDENTS = dd.LinearStudent(gamma=2, initialisation="random")


class Scaled(nn.Module):
    """Parameters, buffers of several kinds, one buffer that no state dict has, one tensor under two names."""

    def __init__(self, classes):
        super().__init__()
        self.first = nn.Linear(3, 5, bias=False)
        self.norm = nn.BatchNorm1d(5)
        self.last = nn.Linear(5, classes)
        self.register_buffer("seen", torch.zeros(2))
        self.register_buffer("scale", torch.full((5,), 1.5), persistent=False)
        self.again = self.last

    def forward(self, x):
        return self.again(self.norm(self.first(x)) * self.scale)


@pytest.fixture(autouse=True)
def scaled(monkeypatch):
    monkeypatch.setitem(REGISTERED, "scaled", lambda *, classes: Scaled(classes))


def plain():
    torch.manual_seed(0)
    return dd.models.build(MODEL["name"], classes=MODEL["classes"], **MODEL["options"]).eval()


def types(network):
    return {n: t.dtype for n, t in [*network.named_parameters(), *network.named_buffers()]}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
def test_a_network_comes_back_in_the_precision_that_it_was_saved_in(tmp_path, dtype):
    network = Scaled(7).to(dtype).eval()
    save_network(tmp_path / "network.pt", network, {"name": "scaled", "classes": 7, "options": {}})
    loaded = load_network(tmp_path / "network.pt")
    assert types(loaded) == types(network)
    assert loaded.scale.dtype == dtype
    assert loaded.again.weight is loaded.last.weight
    x = torch.randn(2, 3, dtype=dtype)
    assert torch.equal(loaded(x), network(x))


def test_every_tensor_of_a_mixed_network_keeps_its_own_type(tmp_path):
    network = Scaled(7).eval()
    network.first.half()
    network.norm.bfloat16()
    network.last.double()
    network.seen = torch.tensor([3, 2**40])
    save_network(tmp_path / "network.pt", network, {"name": "scaled", "classes": 7, "options": {}})
    loaded = load_network(tmp_path / "network.pt")
    assert types(loaded) == types(network)
    assert len(set(types(loaded).values())) == 5
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


@pytest.mark.parametrize("predicts", ["delta", "feature"])
def test_a_deployed_network_in_half_precision_streams_as_before(tmp_path, predicts):
    deployed = dd.deploy(dd.convert(plain(), STUDENTS, predicts=predicts)).bfloat16()
    architecture = dd.found_architecture(deployed, STUDENTS)
    save_network(tmp_path / "network.pt", deployed, MODEL, architecture=architecture)
    loaded = load_network(tmp_path / "network.pt")
    assert types(loaded) == types(deployed)
    streams = [dd.Stream(network, period=3) for network in (loaded, deployed)]
    for frame in torch.randn(4, 1, 3, 16, 24).bfloat16():
        assert torch.equal(*(stream(frame) for stream in streams))


def test_a_file_of_a_network_in_single_precision_is_as_it_was(tmp_path):
    save_network(tmp_path / "network.pt", plain(), MODEL)
    assert set(read_network_file(tmp_path / "network.pt")) == {
        "format",
        "model",
        "architecture",
        "state_dict",
    }


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"dtypes": ["float16"]}, r"the types of buffers are \['float16'\]"),
        ({"dtypes": {"scale": "int8"}}, "not some of float16, bfloat16, float64 by name"),
        ({"dtypes": {"scale": ["float16"]}}, "the types of buffers are"),
    ],
)
def test_types_that_are_none_are_refused_by_name(tmp_path, changes, fault):
    path = tmp_path / "network.pt"
    save_network(path, plain(), MODEL)
    torch.save(read_network_file(path) | changes, path)
    with pytest.raises(ValueError, match=rf"network\.pt: .*{fault}"):
        load_network(path)


def test_a_parameter_of_whole_numbers_is_refused_by_name(tmp_path):
    path = tmp_path / "network.pt"
    save_network(path, plain(), MODEL)
    content = read_network_file(path)
    content["state_dict"]["conv1.0.weight"] = content["state_dict"]["conv1.0.weight"].to(torch.int8)
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"network\.pt: conv1\.0\.weight is of type torch\.int8"):
        load_network(path)


def test_a_network_whose_builder_is_not_known_says_how_to_make_it_known(tmp_path, monkeypatch):
    path = tmp_path / "network.pt"
    save_network(path, Scaled(7).eval(), {"name": "scaled", "classes": 7, "options": {}})
    monkeypatch.delitem(REGISTERED, "scaled")
    words = (
        r"network\.pt: the network it describes, 'scaled', cannot be built: unknown model; before loading, "
        r"register its builder by dd\.models\.register\('scaled', build\), or put it into "
        r"networks/scaled\.py of the folder you work in; known: clip_tower, coarse_trunk, ddpm, "
        r"ddrnet23, [^\n]+$"
    )
    with pytest.raises(ValueError, match=words):
        load_network(path)
    dd.models.register("scaled", lambda *, classes: Scaled(classes))
    assert load_network(path).last.out_features == 7
