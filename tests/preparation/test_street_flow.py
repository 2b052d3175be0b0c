"""Backward flow of things and camera, against positions worked by hand."""

import numpy as np
import pytest

from deltadistill.preparation.street.camera import Lens, Pose
from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.flow import backward_flow
from deltadistill.preparation.street.scene_parts import Thing

LENS = Lens(height=40, width=100)  # a focal length of 58 pixels
DEPTH = 10.0
PARTS = np.repeat(np.arange(4), 25)  # columns of the background and of things 1, 2 and 3


def thing(*velocity):
    return Thing("car", 0.0, 12.0, velocity, (2.0, 1.5, 4.0), (0,), 0.0)


def seen(*, x=0.0, z=0.0, depths=(DEPTH,) * 4):
    """A view straight ahead from (x, z) of four upright surfaces side by side, at these depths."""
    pose = Pose(x, z, 0.0, 0.0)
    canvas = Canvas.blank(pose, LENS.rays(pose))
    canvas.distance[:] = np.take(depths, PARTS)
    canvas.surface[:] = PARTS
    return canvas


def where_it_was(now, *, x=0.0, z=0.0, velocity=(0.0, 0.0)):
    """Columns and rows, as flow, of pixels whose points stood elsewhere, seen from (x, z)."""
    column, row = np.arange(LENS.width)[None, :], np.arange(LENS.height)[:, None]
    u0, v0 = LENS.centre
    aside = now.pose.x + DEPTH * (column - u0) / LENS.focal - velocity[0] - x
    ahead = now.pose.z + DEPTH - velocity[1] - z
    down = DEPTH * (row - v0) / LENS.focal
    return np.broadcast_arrays(aside / ahead * LENS.focal + u0 - column, down / ahead * LENS.focal + v0 - row)


def test_things_come_from_where_their_velocities_say_and_the_background_stands_still():
    velocities = (0.2, -0.5), (-0.3, 0.0), (0.0, 0.4)
    things, now = tuple(thing(*velocity) for velocity in velocities), seen()
    flow, _ = backward_flow(now, seen(), things, LENS)
    assert abs(flow[:, PARTS == 0]).max() < 1e-4
    for number, velocity in enumerate(velocities, start=1):
        expected = np.stack(where_it_was(now, velocity=velocity), axis=-1)
        assert np.abs(flow - expected)[:, number == PARTS].max() < 1e-3
    # by hand: 0.3 m to the left at 10 m are 1.74 pixels, from the right; away from us, things were larger
    assert flow[20, 60] == pytest.approx([0.3 / 10 * 58, 0], abs=1e-3)
    assert flow[20, 90, 0] == pytest.approx(40.5 * (10 / 9.6 - 1), abs=1e-3)


@pytest.mark.parametrize(("x", "z"), [(0.0, -1.0), (-0.25, 0.0), (0.3, 0.6)])
def test_the_camera_moves_the_background_against_its_own_way(x, z):
    """The camera was at (x, z), and is at the origin now."""
    now = seen()
    flow, _ = backward_flow(now, seen(x=x, z=z), (thing(0, 0),) * 3, LENS)
    assert np.abs(flow - np.stack(where_it_was(now, x=x, z=z), axis=-1)).max() < 1e-3


def test_a_pixel_is_valid_where_the_same_surface_was_seen_at_the_same_depth():
    things = thing(0, 0), thing(0, 0), thing(2.0, 0)
    before = seen(depths=(DEPTH, 1.1 * DEPTH, 1.3 * DEPTH, DEPTH))
    _, valid = backward_flow(seen(), before, things, LENS)
    assert valid[:, PARTS == 0].all()
    assert valid[:, PARTS == 1].all()  # a tenth farther: slanted ground does that
    assert not valid[:, PARTS == 2].any()  # hidden by something nearer, or the other way round
    # 2 m are 11.6 pixels: the left of thing 3 was where thing 2 was seen
    assert valid[0, PARTS == 3].tolist() == [False] * 12 + [True] * 13


@pytest.mark.parametrize("speed", [3.0, -3.0])
def test_what_was_outside_of_the_picture_is_not_valid(speed):
    now = seen()
    now.surface[:] = before_surface = 1
    before = seen()
    before.surface[:] = before_surface
    _, valid = backward_flow(now, before, (thing(speed, 0),), LENS)
    moved = np.arange(100) - speed / DEPTH * 58  # by 17.4 pixels
    assert valid[0].tolist() == ((moved > -0.5) & (moved < 99.5)).tolist()
    assert 80 < valid[0].sum() < 84


def test_a_thing_moves_by_its_velocity_in_every_frame():
    car = Thing("car", 1.0, 12.0, (0.25, -0.5), (2.0, 1.5, 4.0), (0,), 0.0)
    assert [car.position(frame) for frame in (0, 1, 4)] == [(1.0, 12.0), (1.25, 11.5), (2.0, 10.0)]
