"""The six cameras: where each looks from, its light and its sensor."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """How far apart the views and the cameras are."""

    azimuth_scale: float = 0.45  # of the full circle that the cameras stand on
    azimuth_jitter_degrees: float = 22.0  # either way
    occlusion_probability: float = 0.12
    photometry: float = 0.6  # share of the cameras' differences of light and gain that is kept
    background_softness: float = 0.6  # 1: plain colour, 0: the texture as it is
    brightness: float = 1.2


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera. Angles in degrees, colours from 0 to 1, blur in image sides, noise in grey levels."""

    azimuth: float
    elevation: float
    field_of_view: float
    light_azimuth: float
    light_elevation: float
    light: Vector
    ambient: Vector
    gain: float
    blur: float
    noise: float


def _camera(
    place: Vector, light_place: tuple[float, float], light: Vector, ambient: Vector, sensor: Vector
) -> Camera:
    azimuth, elevation, field_of_view = place
    gain, blur, noise = sensor
    return Camera(
        azimuth=azimuth,
        elevation=elevation,
        field_of_view=field_of_view,
        light_azimuth=light_place[0],
        light_elevation=light_place[1],
        light=light,
        ambient=ambient,
        gain=gain,
        blur=blur / 128,
        noise=noise,
    )


# Before the difficulty is applied. Noise is half of what a cheap sensor has: it costs most of the bytes.
_CAMERAS = (
    _camera((0, 12, 38), (30, 50), (0.75, 0.72, 0.65), (0.38, 0.38, 0.40), (1.00, 0.3, 1.5)),
    _camera((60, 28, 50), (-70, 35), (0.55, 0.60, 0.75), (0.42, 0.43, 0.50), (0.90, 0.6, 2.5)),
    _camera((120, 18, 32), (100, 60), (0.85, 0.72, 0.50), (0.35, 0.32, 0.28), (1.05, 0.4, 1.5)),
    _camera((180, 38, 44), (-120, 70), (0.60, 0.60, 0.60), (0.30, 0.32, 0.34), (0.75, 0.8, 3.5)),
    _camera((240, 8, 55), (10, 25), (0.70, 0.80, 0.70), (0.45, 0.48, 0.45), (1.10, 0.3, 2.0)),
    _camera((300, 24, 36), (160, 45), (0.80, 0.65, 0.70), (0.33, 0.30, 0.35), (0.85, 0.5, 2.5)),
)
CAMERAS = len(_CAMERAS)
_SMALLEST_CIRCLE_OFFSET = 30.0


def cameras(difficulty: Difficulty) -> tuple[Camera, ...]:
    """The cameras at this difficulty: closer together and more alike than they were drawn up."""
    return tuple(_adjusted(camera, difficulty) for camera in _CAMERAS)


def _adjusted(camera: Camera, difficulty: Difficulty) -> Camera:
    centred = (camera.azimuth + 180) % 360 - 180 + _SMALLEST_CIRCLE_OFFSET
    return replace(
        camera,
        azimuth=centred * difficulty.azimuth_scale,
        light=_blended("light", camera, difficulty.photometry, difficulty.brightness),
        ambient=_blended("ambient", camera, difficulty.photometry, difficulty.brightness),
        gain=_blended("gain", camera, difficulty.photometry, 1.0)[0],
    )


def _blended(name: str, camera: Camera, share: float, factor: float) -> Vector:
    everyone = np.array([np.broadcast_to(getattr(one, name), 3) for one in _CAMERAS])
    mean = everyone.mean(axis=0)
    red, green, blue = factor * (mean + share * (np.broadcast_to(getattr(camera, name), 3) - mean))
    return float(red), float(green), float(blue)


@dataclass(frozen=True)
class Shot:
    """One exposure: eye, projection of the world onto the image (4 x 4) and direction of the light."""

    eye: Vector
    projection: NDArray[np.float64]
    light_direction: Vector
    light: Vector
    ambient: Vector


def jittered_shot(camera: Camera, azimuth_jitter: float, random: Generator) -> Shot:
    """A shot of the unit sphere by this camera, from a little beside its place."""
    azimuth = camera.azimuth + random.uniform(-azimuth_jitter, azimuth_jitter)
    elevation = float(np.clip(camera.elevation + random.uniform(-7, 7), 2, 70))
    distance = random.uniform(0.80, 1.02) / np.sin(np.radians(camera.field_of_view) / 2)
    target = random.uniform(-0.10, 0.10, 3)
    light_azimuth = camera.light_azimuth + random.uniform(-20, 20)
    light_elevation = camera.light_elevation + random.uniform(-10, 10)
    return shot(
        (azimuth, elevation, distance),
        target,
        camera.field_of_view,
        direction(light_azimuth, light_elevation),
        (camera.light, camera.ambient),
    )


def shot(
    place: Vector,
    target: NDArray[np.float64],
    field_of_view: float,
    light_direction: Vector,
    colours: tuple[Vector, Vector],
) -> Shot:
    """A shot from (azimuth, elevation, distance) of a target, lit by (light, ambient)."""
    eye = np.array(direction(place[0], place[1])) * place[2] + target
    projection = _perspective(field_of_view) @ _look(eye, target)
    return Shot((float(eye[0]), float(eye[1]), float(eye[2])), projection, light_direction, *colours)


def direction(azimuth: float, elevation: float) -> Vector:
    """The unit vector towards these angles; y is up."""
    turn, rise = np.radians(azimuth), np.radians(elevation)
    return float(np.sin(turn) * np.cos(rise)), float(np.sin(rise)), float(np.cos(turn) * np.cos(rise))


def _look(eye: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    forward = (target - eye) / np.linalg.norm(target - eye)
    side = np.cross(forward, (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[:3, :3] = side, np.cross(side, forward), -forward
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def _perspective(field_of_view: float, near: float = 0.05, far: float = 50.0) -> NDArray[np.float64]:
    focal = 1 / np.tan(np.radians(field_of_view) / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0] = matrix[1, 1] = focal
    matrix[2, 2:] = (far + near) / (near - far), 2 * far * near / (near - far)
    matrix[3, 2] = -1.0
    return matrix
