"""Clips for distillation: tensors, lists, data sets, loaders."""

import pytest
import torch
from depthwise import clips_of, converted
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import deltadistill as dd
from deltadistill.distillation.clip_batches import ClipBatches
from deltadistill.distillation.training import DistillTraining


class _Endless(IterableDataset):
    def __init__(self, clips):
        self.clips = clips

    def __iter__(self):
        yield from self.clips


def batches(clips, batch=2, seed=3):
    return ClipBatches(clips, converted(), batch=batch, seed=seed)


def test_a_list_and_a_data_set_are_drawn_from_as_the_tensor_is():
    clips = clips_of()
    drawn = [batches(clips).at(step) for step in range(3)]
    for other in (list(clips), TensorDataset(clips, torch.arange(8))):
        assert all(torch.equal(batches(other).at(step), some) for step, some in enumerate(drawn))


def test_a_list_of_batches_gives_one_of_them_as_it_is():
    clips = clips_of()
    listed = [clips[:3], clips[3:5], clips[5:]]
    drawn = [batches(listed, batch=1).at(step) for step in range(9)]
    assert all(any(found is given for given in listed) for found in drawn)
    assert len({len(found) for found in drawn}) == 2  # of 3 and of 2 clips


def test_a_loaders_batches_come_in_its_order_and_again_from_the_start():
    clips = clips_of(5)
    for loader in (
        DataLoader(clips, batch_size=2),
        DataLoader(TensorDataset(clips), batch_size=2),
        DataLoader(_Endless(clips), batch_size=2),
    ):
        given = batches(loader)
        found = [given.at(step) for step in range(4)]
        assert [len(some) for some in found] == [2, 2, 1, 2]
        assert torch.equal(torch.cat(found[:3]), clips)
        assert torch.equal(found[3], clips[:2])


def test_single_clips_of_an_iterable_are_put_together():
    clips = clips_of(3)
    given = batches(_Endless(clips))
    assert torch.equal(given.at(0), clips[:2])
    assert torch.equal(given.at(1), clips[[2, 0]])


def test_a_generator_that_runs_out_is_named():
    given = batches(clip for clip in clips_of(5))
    assert len(given.at(0)) == len(given.at(1)) == 2
    with pytest.raises(
        ValueError, match=r"ran out after 5 item\(s\), and a generator cannot be gone through"
    ):
        given.at(2)


def test_clips_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"a dict.*expected a clip \(T, C, H, W\)"):
        batches([{"clip": clips_of()[0]}]).at(0)
    with pytest.raises(ValueError, match="there are no clips"):
        batches([])
    with pytest.raises(ValueError, match="clips are a int"):
        batches(3)
    with pytest.raises(ValueError, match="differ in shape"):
        batches([clips_of()[0], clips_of()[0][:, :, 1:]]).at(0)
    with pytest.raises(ValueError, match="at least 2 frames"):
        batches(DataLoader(clips_of()[:, :1], batch_size=2)).at(0)


def test_a_network_that_was_made_in_inference_mode_is_refused_with_the_way_out():
    with torch.inference_mode():
        delta = converted()
    with pytest.raises(ValueError, match=r"made under torch\.inference_mode\(\).* outside of it"):
        dd.distill(delta, clips_of(), steps=2, progress=False)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_a_distillation_without_gradients_around_it_learns_all_the_same(off):
    losses = dd.distill(converted(), clips_of(), steps=3, progress=False)
    network = converted()
    with off():
        clips = clips_of()
        assert dd.distill(network, clips, steps=3, progress=False) == losses
        assert not torch.is_grad_enabled()


def test_a_loader_distills():
    loader = DataLoader(clips_of(), batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(0))
    losses = dd.distill(converted(), loader, steps=20, cost=0.9, learning_rate=0.01, progress=False)
    assert sum(losses[-4:]) < sum(losses[:4])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_network_in_half_precision_is_to_be_distilled_in_float32(dtype):
    network = converted().to(dtype)
    with pytest.raises(ValueError, match=rf"students are in {dtype}.*distill in float32"):
        dd.distill(network, clips_of().to(dtype), steps=1, progress=False)


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_a_distillation_takes_from_a_generator_one_batch_a_step_in_its_order(steps, monkeypatch):
    seen, given = [], [clips_of(1) + n for n in range(steps)]
    step = DistillTraining.step

    def noted(self, index, batch):
        seen.append((index, batch["clip"]))
        return step(self, index, batch)

    monkeypatch.setattr(DistillTraining, "step", noted)
    dd.distill(converted(), iter(given), steps=steps, progress=False)
    assert [index for index, _ in seen] == list(range(steps))
    assert all(torch.equal(clips, batch) for (_, clips), batch in zip(seen, given, strict=True))


def test_clips_are_drawn_without_the_same_one_twice_where_there_are_enough():
    clips = torch.arange(3.0).reshape(3, 1, 1, 1, 1).expand(3, 2, 3, 4, 4)
    batches = ClipBatches(clips, converted(), batch=3, seed=0)
    drawn = [batches.at(step)[:, 0, 0, 0, 0].tolist() for step in range(20)]
    assert all(sorted(batch) == [0, 1, 2] for batch in drawn)
    assert len({tuple(batch) for batch in drawn}) > 3
    assert len(ClipBatches(clips, converted(), batch=4, seed=0).at(0)) == 4
