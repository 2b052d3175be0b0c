"""Pictures, the animation and the overlay video, from frames and example predictions."""

import io
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from deltadistill.pipeline.report.animation import (
    MAX_BYTES,
    MOST_FRAMES,
    animate,
    bar_height,
    compose,
    label_font,
    panel_rows,
)
from deltadistill.pipeline.report.label_scene import LabelScene
from deltadistill.pipeline.report.paint import MISTAKE, blend, mistakes, palette
from deltadistill.pipeline.report.scenes import read_scenes
from deltadistill.pipeline.report.side_by_side import has_side_by_side, side_by_side, small_side_by_side
from deltadistill.pipeline.report.storyboard import storyboard
from deltadistill.pipeline.results.variants import NOUNS, Variant

VARIANTS = {noun: Variant("stream", role, noun) for role, noun in NOUNS.items()}
TABLE = palette([(128, 64, 128), (0, 0, 142)])


TWO = {name: VARIANTS[name] for name in ("teacher", "delta")}


def scene(*, labels=True, frames=12, period=10, height=16, width=32):
    truth = np.zeros((frames, height, width), np.uint8)
    for frame in range(frames):
        truth[frame, 4:10, frame : frame + 8] = 1
    images = np.repeat(truth[..., None] * 90 + 60, 3, axis=3).astype(np.uint8)
    copied = truth[[frame - frame % period for frame in range(frames)]]
    predictions = {"teacher": truth.copy(), "delta": truth.copy(), "copy": copied}
    return LabelScene("clip", period, images, truth if labels else None, predictions, VARIANTS)


def test_wrong_pixels_are_counted_against_the_labels_without_the_ignored():
    shown = scene()
    shown.truths[3] = 1
    shown.truths[3, :8] = 255
    assert shown.wrong("teacher", 3)[:8].sum() == 0
    assert shown.wrong("teacher", 3)[8:].sum() == 8 * 32 - 2 * 8


def test_without_labels_wrong_means_unlike_the_teacher():
    shown = scene(labels=False)
    assert not shown.wrong("delta", 5).any()
    assert shown.wrong("copy", 5).sum() == 2 * 5 * 6


def test_a_prediction_is_blended_over_its_frame_and_mistakes_are_red():
    image, prediction = np.full((2, 2, 3), 100, np.uint8), np.array([[0, 1], [255, 0]], np.uint8)
    blended = blend(image, prediction, TABLE, share=0.5)
    assert blended[0, 0].tolist() == [114, 82, 114]
    assert blended[1, 0].tolist() == [50, 50, 50]
    assert (mistakes(image, prediction == 1)[0, 1] == MISTAKE).all()


def test_a_storyboard_grows_with_the_distance():
    board = storyboard(scene(), TABLE)
    assert board.distances == (0, 1, 3, 5, 9)
    names = [name for name, _ in board.rows]
    assert names[:3] == ["frame", "ground truth", "teacher"]
    assert "copy: wrong pixels" in names
    notes = [tile.note for tile in dict(board.rows)["copy: wrong pixels"]]
    assert notes[0] == "0.0 %"
    assert notes[1] == f"{100 * 12 / 512:.1f} %"


def test_a_short_clip_shows_the_distances_it_has():
    assert storyboard(scene(frames=4), TABLE).distances == (0, 1, 3)


def test_a_storyboard_without_labels_compares_with_the_teacher():
    names = [name for name, _ in storyboard(scene(labels=False), TABLE).rows]
    assert names == [
        "frame",
        "teacher",
        "delta",
        "delta: unlike the teacher",
        "copy",
        "copy: unlike the teacher",
    ]


def test_the_animation_holds_every_frame_and_a_still(tmp_path):
    film = animate(scene(), TABLE)
    assert len(film.moving) <= MAX_BYTES
    (tmp_path / "a.webp").write_bytes(film.moving)
    with Image.open(tmp_path / "a.webp") as picture:
        assert len(list(ImageSequence.Iterator(picture))) == 12
        assert picture.size == film.size
    (tmp_path / "b.webp").write_bytes(film.still)
    with Image.open(tmp_path / "b.webp") as picture:
        assert getattr(picture, "n_frames", 1) == 1


def test_of_a_long_clip_the_animation_shows_the_beginning(tmp_path):
    film = animate(scene(frames=MOST_FRAMES + 5), TABLE)
    (tmp_path / "a.webp").write_bytes(film.moving)
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.n_frames == MOST_FRAMES


def test_the_animation_is_cut_to_its_limit():
    whole = len(animate(scene(), TABLE).moving)
    assert len(animate(scene(), TABLE, max_bytes=whole // 3).moving) <= whole // 3
    with pytest.raises(ValueError, match="exceeds 100 bytes"):
        animate(scene(), TABLE, max_bytes=100)


def test_a_frame_of_the_animation_has_a_panel_for_input_teacher_delta_and_copy():
    assert compose(scene(), 3, TABLE).size == (800, 2 * (200 + bar_height(400)))


def test_the_caption_names_the_panels_that_there_are():
    assert panel_rows(scene()) == ("input and teacher", "delta and copy")
    shown = scene()
    del shown.predictions["copy"]
    assert panel_rows(shown) == ("input and teacher", "delta")


@pytest.mark.parametrize("width", [320, 400, 480])
def test_the_longest_label_fits_above_its_panel(width):
    font = label_font(width)
    assert font.getlength("delta, T = 30, 29 after key frame") + 8 < width
    assert sum(font.getmetrics()) <= bar_height(width)


def test_the_video_side_by_side_plays_and_shows_both_panels():
    content = side_by_side((scene(), scene(frames=5)), TABLE)
    with av.open(io.BytesIO(content)) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 17
    assert frames[0].width == 960
    with pytest.raises(ValueError, match="100 allowed"):
        side_by_side((scene(),), TABLE, max_bytes=100)


def times_of(content):
    with av.open(io.BytesIO(content)) as video:
        return [frame.time for frame in video.decode(video=0)]


def test_the_video_side_by_side_plays_each_scene_at_the_rate_at_which_it_was_taken():
    slow, fast = (
        replace(scene(frames=count), frames_per_second=rate) for count, rate in ((4, 2.5), (6, 29.97))
    )
    steps = [0.4] * 4 + [1 / 29.97] * 6
    expected = [sum(steps[:number]) for number in range(10)]
    assert times_of(side_by_side((slow, fast), TABLE)) == pytest.approx(expected, abs=1e-3)
    untold = times_of(side_by_side((scene(frames=4),), TABLE))
    assert untold == pytest.approx([0, 1 / 12, 2 / 12, 3 / 12], abs=1e-3)


def test_the_small_animation_plays_at_the_rate_of_its_scene():
    for rate, milliseconds in ((None, 83), (2.5, 400), (25.0, 40)):
        content = small_side_by_side((replace(scene(), frames_per_second=rate),), TABLE, max_bytes=60_000)
        with Image.open(io.BytesIO(content)) as picture:
            picture.seek(1)
            picture.load()
            assert picture.info["duration"] == milliseconds


def test_the_small_animation_stays_small():
    assert 0 < len(small_side_by_side((scene(),), TABLE, max_bytes=60_000)) <= 60_000


def test_scenes_are_read_with_frames_and_labels(street, shown):
    variants = shown(street.variants)
    scenes = read_scenes(street.artifacts, data=street.data, seed=1, variants=variants, period=10)
    assert [shown.clip for shown in scenes] == ["test_0", "test_1"]
    images, labels = street.clips["test_1"]
    assert (scenes[1].images == images).all()
    assert (scenes[1].truths == labels).all()
    assert set(scenes[0].predictions) == set(street.variants)


def test_scenes_know_the_rate_at_which_their_clips_were_taken(tree, shown):
    variants = shown(tree.variants)

    def rates():
        scenes = read_scenes(tree.artifacts, data=tree.data, seed=0, variants=variants, period=10)
        return [scene.frames_per_second for scene in scenes]

    assert rates() == [None, None]
    path = tree.data / "manifest.csv"
    header, *rows = path.read_text().splitlines()
    timed = [row + (f",{int(row.split(',')[1]) / 12.5}" if row.startswith("test_1") else ",") for row in rows]
    path.write_text("\n".join([f"{header},seconds", *timed]) + "\n")
    assert rates() == [None, 12.5]


def test_scenes_of_a_video_have_no_labels(real_video, shown):
    variants = shown(real_video.variants)
    scenes = read_scenes(real_video.artifacts, data=real_video.data, seed=0, variants=variants, period=3)
    assert scenes[0].truths is None
    assert scenes[0].distance(4) == 1


def test_missing_examples_are_named_with_their_stage(tree):
    path = tree.artifacts / "seed0/sweep_sequence_length/delta/examples.npz"
    with pytest.raises(ValueError, match=r"expected clips and predictions_T7.*picture_lengths"):
        read_scenes(tree.artifacts, data=tree.data, seed=0, variants=TWO, period=7)
    path.unlink()
    with pytest.raises(ValueError, match=r"examples\.npz is missing; the stage sweep_sequence_length"):
        read_scenes(tree.artifacts, data=tree.data, seed=0, variants=TWO, period=10)


def test_predictions_of_another_size_than_the_frames_are_refused(tree):
    path = tree.artifacts / "seed0/sweep_sequence_length/delta/examples.npz"
    with np.load(path) as stored:
        content = dict(stored)
    content["predictions_T10"] = content["predictions_T10"][:, :, ::2]
    np.savez(path, **content)
    with pytest.raises(ValueError, match=r"uint8 \(2, 12, 16, 64\), expected uint8 \(2, 12, 32, 64\)"):
        read_scenes(tree.artifacts, data=tree.data, seed=0, variants=TWO, period=10)


def test_without_one_of_ours_there_is_no_video_side_by_side(real_video, shown, read):
    scenes = (scene(labels=False),)
    assert has_side_by_side(read(real_video), scenes)
    alone = replace(scenes[0], variants={"teacher": VARIANTS["teacher"]})
    assert not has_side_by_side(read(real_video), (alone,))


def test_pictures_are_under_the_labels_of_their_variants():
    mine = replace(VARIANTS["delta"], label="My method")
    shown = replace(scene(), variants=VARIANTS | {"delta": mine})
    assert panel_rows(shown) == ("input and teacher", "My method and copy")
    assert "My method: wrong pixels" in dict(storyboard(shown, TABLE).rows)
