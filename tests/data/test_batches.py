import pytest
import torch
from data import small_dataset
from torch.utils.data import DataLoader

from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.transforms import Augment

WHOLE = Augment(crop=(16, 24))


@pytest.fixture
def store(tmp_path):
    return FrameStore(small_dataset.make_manifest(tmp_path, frames=8))


def batches(store, **changes):
    options = {"steps": 20, "batch": 4, "clip_length": 2, "max_distance": 3, "augment": WHOLE, "seed": 0}
    return TrainingBatches(store, "train", **options | changes)


def indices(clip):
    """Clip number and frame index of each frame (N, T), told by the colours."""
    return clip[:, :, 0, 0, 0] // 10, clip[:, :, 1, 0, 0].int()


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_batch_has_frames_and_labels_of_the_size_asked_for(store, length):
    augment = Augment(crop=(10, 12), scale=(0.5, 2.0), flip=True)
    item = batches(store, clip_length=length, augment=augment)[5]
    assert item["clip"].shape == (4, length, 3, 10, 12)
    assert item["label"].shape == (4, length, 10, 12)
    assert item["clip"].dtype == item["label"].dtype == torch.uint8
    assert item["clip"].is_contiguous()
    assert set(item["label"].unique().tolist()) <= {0, 5, 255}


def test_a_batch_is_a_function_of_seed_and_step_alone(store, tmp_path):
    augment = Augment(crop=(12, 16), scale=(0.5, 2.0), flip=True)
    forward = batches(store, augment=augment)
    backward = batches(FrameStore(store.manifest, cache_bytes=0), augment=augment)
    expected = [forward[step] for step in range(6)]
    for step in reversed(range(6)):
        assert all(torch.equal(backward[step][key], expected[step][key]) for key in ("clip", "label"))
    assert not torch.equal(expected[0]["clip"], expected[1]["clip"])
    assert not torch.equal(expected[0]["clip"], batches(store, augment=augment, seed=1)[0]["clip"])
    longer = batches(store, augment=augment, steps=500)
    assert torch.equal(longer[3]["clip"], expected[3]["clip"])


def test_a_loader_changes_nothing(store):
    plain = batches(store, steps=3)
    loaded = list(DataLoader(plain, batch_size=None))
    assert len(loaded) == len(plain) == 3
    assert all(torch.equal(loaded[step]["clip"], plain[step]["clip"]) for step in range(3))


def test_pairs_lie_in_one_clip_at_every_distance_up_to_the_largest(store):
    distances = []
    for step in range(20):
        clip, index = indices(batches(store)[step]["clip"])
        assert (clip[:, 0] == clip[:, 1]).all()
        distances += (index[:, 1] - index[:, 0]).tolist()
    assert set(distances) == {1, 2, 3}
    assert max(distances.count(d) for d in (1, 2, 3)) < 50


def pairs_of(store, **changes):
    """Every (key frame, other frame) that 200 batches hold."""
    found = set()
    for step in range(200):
        index = indices(batches(store, steps=200, **changes)[step]["clip"])[1]
        found |= {tuple(pair) for pair in index.tolist()}
    return found


def test_pairs_of_both_directions_reach_to_the_ends_of_a_clip(store):
    # eight frames, distances 1 to 3: from each frame those up to 3 before and after it that are there
    expected = {
        0: {1, 2, 3}, 1: {0, 2, 3, 4}, 2: {0, 1, 3, 4, 5}, 3: {0, 1, 2, 4, 5, 6},
        4: {1, 2, 3, 5, 6, 7}, 5: {2, 3, 4, 6, 7}, 6: {3, 4, 5, 7}, 7: {4, 5, 6},
    }  # fmt: skip
    both = {(key, other) for key, others in expected.items() for other in others}
    assert pairs_of(store, directions="both") == both
    assert pairs_of(store) == {(key, other) for key, other in both if key < other}


def test_both_directions_are_equally_likely(store):
    index = torch.cat([indices(batches(store, directions="both", batch=50)[n]["clip"])[1] for n in range(20)])
    later = int((index[:, 1] > index[:, 0]).sum())
    assert 400 < later < 600  # of 1000; six standard deviations


def test_pairs_end_on_a_labelled_frame_from_either_side(tmp_path):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=8, labelled=[5]))
    # three frames before it, only two after it
    assert pairs_of(store, directions="both") == {(2, 5), (3, 5), (4, 5), (6, 5), (7, 5)}


def test_longer_clips_of_both_directions_go_one_way_each(store):
    ways = set()
    for step in range(20):
        steps = indices(batches(store, clip_length=3, max_distance=5, directions="both")[step]["clip"])[
            1
        ].diff()
        assert ((steps > 0).all(1) | (steps < 0).all(1)).all()
        ways |= set((steps > 0)[:, 0].tolist())
    assert ways == {True, False}


def test_longer_clips_rise_and_span_no_more_than_allowed(store):
    gaps = set()
    for step in range(20):
        clip, index = indices(batches(store, clip_length=3, max_distance=5)[step]["clip"])
        assert (clip == clip[:, :1]).all()
        assert (index.diff(dim=1) > 0).all()
        assert (index[:, -1] - index[:, 0] <= 5).all()
        gaps |= set(index.diff(dim=1).flatten().tolist())
    assert len(gaps) > 2


def test_single_frames_come_from_all_clips(store):
    seen = set()
    for step in range(20):
        clip, index = indices(batches(store, clip_length=1)[step]["clip"])
        seen |= set(zip(clip.flatten().tolist(), index.flatten().tolist(), strict=True))
    assert len(seen) == 16


def test_all_frames_of_a_clip_are_transformed_alike(store):
    augment = Augment(crop=(8, 8), scale=(1.0, 1.0), flip=True)
    for step in range(10):
        columns = batches(store, augment=augment)[step]["clip"][:, :, 2]  # blue tells the column
        assert torch.equal(columns[:, 0], columns[:, 1])


def test_sequences_end_on_a_labelled_frame(tmp_path):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=8, labelled=[5]))
    for step in range(10):
        item = batches(store)[step]
        assert (indices(item["clip"])[1][:, 1] == 5).all()
        assert (item["label"][:, 0] == 255).all()
        assert (item["label"][:, 1] != 255).all()


def test_without_labels_any_frame_will_do(tmp_path):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=8, labelled=[]))
    ends = {int(end) for step in range(20) for end in indices(batches(store)[step]["clip"])[1][:, 1]}
    assert ends == set(range(1, 8))
    assert (batches(store)[0]["label"] == 255).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_distance": 8}, "no clip of split train holds a sequence that spans 8 frames"),
        ({"clip_length": 4, "max_distance": 2}, "4 frames span at least 3, more than max_distance 2"),
        ({"batch": 0}, "batch 0"),
        ({"steps": -1}, "steps -1"),
    ],
)
def test_impossible_requests_are_refused(store, changes, message):
    with pytest.raises(ValueError, match=message):
        batches(store, **changes)


def test_a_training_of_no_steps_has_no_batches(store):
    assert len(batches(store, steps=0)) == 0


def test_there_is_no_step_beyond_the_last(store):
    with pytest.raises(IndexError, match="step 20 of 20"):
        batches(store)[20]
