import hashlib
from itertools import islice

import numpy as np
import pytest

from deltadistill.preparation.street.draws import Draws
from deltadistill.preparation.street.long_clip import Course, daylight, render_long
from deltadistill.preparation.street.rides import ROUTE, draw_ride
from deltadistill.preparation.street.scene import draw_scene
from deltadistill.preparation.street.scene_parts import Light
from deltadistill.preparation.street.traffic import INTERVAL, LIFE, Traffic

SMALL = {"height": 32, "width": 64}
CAMERAS = ("fixed", "walking", "driving")


def frames(count, course, *, noise=0.0, key=(0, 2, 1)):
    return list(islice(render_long(key, course, noise=noise, **SMALL), count))


def labels(found):
    return np.stack([frame.label_ids for frame in found])


def street(camera):
    scene = draw_scene(Draws(3, 0), 0.0, 0.0, is_empty=True)
    ride = draw_ride(Draws(3, 1), camera, scene.ground)
    return ride, Traffic((3, 2), scene, ride)


def test_long_videos_are_the_same_bits_on_every_machine():
    digest = hashlib.sha256()
    for camera in CAMERAS:
        for frame in frames(5, Course(camera, scenes=2, hold=2, day=7), noise=0.03):
            digest.update(frame.image.tobytes() + frame.label_ids.tobytes())
    assert digest.hexdigest() == KNOWN


def test_the_first_frames_do_not_depend_on_how_many_are_taken():
    few, many = (frames(count, Course("walking"), noise=0.02) for count in (2, 4))
    assert all(np.array_equal(one.image, other.image) for one, other in zip(few, many, strict=False))


def test_a_fixed_camera_sees_less_change_than_a_walking_one_and_that_than_a_driving_one():
    changed = []
    for camera in CAMERAS:
        seen = labels(frames(120, Course(camera))[::10])
        changed.append((seen[1:] != seen[:-1]).mean())
    assert changed[0] < changed[1] < changed[2]
    assert changed[0] < 0.1


def test_behind_a_fixed_camera_s_traffic_nothing_moves():
    pictures = np.stack([frame.image for frame in frames(60, Course("fixed"))]).astype(int)
    spread = pictures.max(0) - pictures.min(0)
    flicker = 16  # the light's own, of grey levels
    assert (spread.max(-1) <= flicker).mean() > 0.5


def test_scenes_take_turns_and_go_on_where_they_were():
    seen = labels(frames(8, Course("fixed", scenes=2, hold=2)))
    alone = labels(frames(4, Course("fixed")))
    assert np.array_equal(seen[[0, 1, 4, 5]], alone)
    assert (seen[2] != seen[1]).mean() > 0.2


def test_light_falls_until_midnight_and_reddens_and_is_back_at_noon():
    light = Light(haze=200, gain=1.0, drift=0.0, flicker=(0, 0, 0), sky=(0.5, 0.6, 0.9))
    assert daylight(light, 50, 0) == light
    assert daylight(light, 0, 100).tint == pytest.approx((1, 1, 1))
    assert daylight(light, 50, 100).tint == pytest.approx((0.35, 0.35 * 0.9, 0.35 * 0.75))
    assert daylight(light, 100, 100).tint == pytest.approx((1, 1, 1))
    noon, night = (frames(6, Course("fixed", day=10))[n].image.mean() for n in (0, 5))
    assert night < 0.5 * noon


def test_the_street_begins_again_at_the_end_of_its_route():
    ride, traffic = street("driving")
    last = next(frame for frame in range(1, 10_000) if ride.lap(frame) == 1) - 1
    assert ROUTE - ride.pace < ride.pose(last).z <= ROUTE
    assert ride.pose(last + 1).z < ride.pace
    assert {thing.z for thing in traffic.at(0).things if thing.kind == "tree"} <= {
        thing.z for thing in traffic.at(last + 1).things if thing.kind == "tree"
    }


@pytest.mark.parametrize("camera", CAMERAS)
def test_traffic_keeps_and_draws_no_more_after_an_hour_than_at_the_start(camera):
    _, traffic = street(camera)
    for frame in range(0, 36_000, 1_000):
        scene = traffic.at(frame)
        assert len(scene.materials.labels) == len(scene.materials.colours) <= 256
        assert max(index for thing in scene.things for index in thing.materials) < len(scene.materials.labels)
        assert len(scene.things) < 60
    assert traffic._standing.cache_info().currsize <= 16
    assert traffic._passing.cache_info().currsize <= 16


def test_who_passes_moves_on_and_is_gone_after_its_life():
    _, traffic = street("fixed")
    first = next(n for n in range(50) if traffic._passing(n).things)
    thing, begin = traffic._passing(first).things[0], first * INTERVAL

    def places(frame):
        return [(each.x, each.z) for each in traffic.at(frame).things if each.grain == thing.grain]

    assert places(begin + 10) == [(thing.x + 10 * thing.velocity[0], thing.z + 10 * thing.velocity[1])]
    assert len(places(begin + LIFE - 1)) == 1
    assert places(begin + LIFE) == []


KNOWN = "89ea1c59f0e06851a90b492c2b070733bbcb080f736be89b51e465eabacca95a"
