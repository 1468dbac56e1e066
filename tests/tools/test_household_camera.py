"""The geometry of the cameras and what the difficulty does to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.household.camera import (
    CAMERAS,
    Difficulty,
    cameras,
    direction,
    jittered_shot,
    shot,
)

AZIMUTHS, ELEVATIONS = st.floats(-720, 720), st.floats(-89, 89)
TARGETS = st.tuples(*3 * [st.floats(-1, 1)]).map(np.array)
WHITE = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


def seen_at(view, point):
    """Where the image shows a point: across and up from the centre in half image sides, and depth."""
    x, y, z, w = view.projection @ np.append(point, 1.0)
    return x / w, y / w, z / w


def taken(azimuth=30.0, elevation=20.0, distance=3.0, target=(0.0, 0.0, 0.0), field_of_view=40.0):
    up = (0.0, 1.0, 0.0)
    return shot((azimuth, elevation, distance), np.array(target), field_of_view, up, WHITE)


@given(AZIMUTHS, st.floats(-90, 90))
def test_directions_are_unit_vectors(azimuth, elevation):
    assert np.linalg.norm(direction(azimuth, elevation)) == pytest.approx(1)


def test_directions_of_the_axes():
    np.testing.assert_allclose(direction(0, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(direction(90, 0), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(direction(0, 90), (0, 1, 0), atol=1e-12)


@given(AZIMUTHS, ELEVATIONS, st.floats(1.5, 6), TARGETS)
def test_the_target_is_in_the_centre_of_the_image(azimuth, elevation, distance, target):
    across, up, depth = seen_at(taken(azimuth, elevation, distance, target), target)
    assert (across, up) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    assert -1 < depth < 1


@given(AZIMUTHS, ELEVATIONS, st.floats(1.5, 6), TARGETS)
def test_the_eye_is_at_its_distance_from_the_target(azimuth, elevation, distance, target):
    view = taken(azimuth, elevation, distance, target)
    assert np.linalg.norm(np.array(view.eye) - target) == pytest.approx(distance)


def test_up_is_up_and_right_is_right():
    front = taken(azimuth=0, elevation=0)
    assert seen_at(front, (0, 0.5, 0))[1] > 0
    assert seen_at(front, (0.5, 0, 0))[0] > 0
    assert seen_at(front, (0, 0, 0.5))[2] < seen_at(front, (0, 0, -0.5))[2]


@given(st.floats(20, 60))
def test_the_field_of_view_spans_the_image(field_of_view):
    edge = 3.0 * np.tan(np.radians(field_of_view) / 2)
    view = taken(azimuth=0, elevation=0, distance=3.0, field_of_view=field_of_view)
    assert seen_at(view, (edge, 0, 0))[0] == pytest.approx(1)


def test_the_cameras_go_round_the_object_at_full_scale():
    azimuths = [camera.azimuth for camera in cameras(Difficulty(azimuth_scale=1))]
    gaps = np.diff(sorted(np.mod(azimuths, 360)))
    np.testing.assert_allclose(gaps, 360 / CAMERAS)


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0])
def test_the_scale_shrinks_all_angles_between_cameras_alike(scale):
    whole = np.array([camera.azimuth for camera in cameras(Difficulty(azimuth_scale=1))])
    scaled = np.array([camera.azimuth for camera in cameras(Difficulty(azimuth_scale=scale))])
    np.testing.assert_allclose(scaled, scale * whole)


@pytest.mark.parametrize("photometry", [0.0, 0.3, 1.0])
def test_photometry_spreads_the_light_without_changing_its_mean(photometry):
    lights = np.array([camera.light for camera in cameras(Difficulty(photometry=photometry))])
    full = np.array([camera.light for camera in cameras(Difficulty(photometry=1))])
    np.testing.assert_allclose(lights.mean(axis=0), full.mean(axis=0))
    np.testing.assert_allclose(lights.std(axis=0), photometry * full.std(axis=0), atol=1e-12)


def test_brightness_multiplies_the_light():
    bright, dim = cameras(Difficulty(brightness=2))[0], cameras(Difficulty(brightness=1))[0]
    np.testing.assert_allclose(bright.light, 2 * np.array(dim.light))
    assert bright.gain == dim.gain


def test_a_jittered_shot_stays_beside_its_camera_and_frames_the_unit_sphere():
    camera = cameras(Difficulty())[2]
    for seed in range(50):
        view = jittered_shot(camera, 10, np.random.default_rng(seed))
        eye = np.array(view.eye)
        azimuth = np.degrees(np.arctan2(eye[0], eye[2]))
        assert abs(azimuth - camera.azimuth) < 10 + 4
        assert np.abs(seen_at(view, (0, 0, 0))[:2]).max() < 0.25
        assert np.linalg.norm(view.light_direction) == pytest.approx(1)


def test_the_same_random_stream_gives_the_same_shot():
    camera = cameras(Difficulty())[0]
    first, second = (jittered_shot(camera, 22, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.projection, second.projection)
