"""The Inception of FID: names of its tensors, and where it differs from torchvision's."""

import pytest
import torch
from torch import nn
from torchvision.models.inception import Inception3

from deltadistill.evaluation.generated import features
from deltadistill.evaluation.inception_fid import InceptionFID, load_inception


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return InceptionFID().eval()


def test_its_tensors_have_torchvisions_names_without_the_side_branch(network):
    with torch.device("meta"):
        theirs = Inception3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    own = {name: values.shape for name, values in network.state_dict().items()}
    assert own == {name: values.shape for name, values in theirs.items()}
    assert own["fc.weight"] == (1008, 2048)


@pytest.mark.parametrize(("name", "channels"), [("Mixed_5b", 192), ("Mixed_6e", 768), ("Mixed_7b", 1280)])
def test_averages_leave_the_padding_out(network, name, channels):
    block, seen = getattr(network, name), []
    handle = block.branch_pool.conv.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    place = torch.arange(3.0).expand(1, channels, 3, 3)
    block(place)
    handle.remove()
    assert torch.allclose(seen[0][0, 0], torch.tensor([0.5, 1.0, 1.5]).expand(3, 3))


def test_the_last_block_takes_a_maximum(network):
    seen = []
    block = network.Mixed_7c
    handle = block.branch_pool.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    place = torch.arange(3.0).expand(1, 2048, 3, 3)
    made = block(place)
    handle.remove()
    assert torch.equal(seen[-1][0, 0], torch.tensor([1.0, 2.0, 2.0]).expand(3, 3))
    assert torch.equal(made[:, -192:], block.branch_pool(seen[-1]))


def test_a_file_of_its_tensors_is_loaded_and_another_is_refused(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    loaded = load_inception(tmp_path / "weights.pth")
    frames = torch.rand(1, 3, 32, 32)
    found = features(loaded, [frames])
    assert found.shape == (1, 2048)
    assert torch.equal(found, features(network, [frames]))
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth"):
        load_inception(tmp_path / "other.pth")
