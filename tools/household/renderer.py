"""Draws a model off the screen with OpenGL; a software rasteriser is enough."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.household.camera import Shot
from tools.household.mesh import Material
from tools.household.shape import Part

LEAST_OPACITY = 0.3  # glass is seen
CLAY = Material(colour=(0.7, 0.7, 0.7))

VERTEX_SHADER = """#version 330
uniform mat4 projection;
in vec3 position; in vec3 normal; in vec2 coordinate;
out vec3 place; out vec3 upward; out vec2 at;
void main() {
    place = position; upward = normal; at = coordinate;
    gl_Position = projection * vec4(position, 1);
}"""
FRAGMENT_SHADER = """#version 330
uniform vec4 colour; uniform float shine; uniform bool has_picture; uniform sampler2D picture;
uniform vec3 eye; uniform vec3 light_direction; uniform vec3 light; uniform vec3 ambient;
in vec3 place; in vec3 upward; in vec2 at;
out vec4 pixel;
void main() {
    vec3 normal = length(upward) > 0.1 ? normalize(upward) : normalize(cross(dFdx(place), dFdy(place)));
    vec3 towards_eye = normalize(eye - place);
    if (dot(normal, towards_eye) < 0) normal = -normal;
    vec4 base = colour;
    if (has_picture) {
        vec4 sampled = texture(picture, at);
        base = vec4(sampled.rgb, sampled.a * colour.a);
        if (base.a < 0.25) discard;
    }
    float sky = 0.5 + 0.5 * normal.y;
    float diffuse = max(dot(normal, light_direction), 0.0);
    vec3 between = normalize(light_direction + towards_eye);
    float highlight = shine * 0.6 * pow(max(dot(normal, between), 0.0), 30.0);
    vec3 lit = base.rgb * (ambient * (0.6 + 0.5 * sky) + light * diffuse) + light * highlight;
    pixel = vec4(pow(clamp(lit, 0.0, 1.0), vec3(0.9)), base.a);
}"""


class RendererMissingError(Exception):
    """This machine cannot draw; the message says what to install."""


@dataclass(frozen=True)
class Drawable:
    """A part that lies in graphics memory."""

    material: Material
    triangles: Any
    picture: Any


class Renderer:
    """A square canvas of `pixels` a side."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._context = _context()
        self._program = self._context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        self._canvas = self._context.framebuffer(
            [self._context.renderbuffer((pixels, pixels), 4)],
            self._context.depth_renderbuffer((pixels, pixels)),
        )
        self._context.enable(self._context.DEPTH_TEST | self._context.BLEND)
        self._context.blend_func = (
            self._context.SRC_ALPHA,
            self._context.ONE_MINUS_SRC_ALPHA,
            self._context.ONE,
            self._context.ONE_MINUS_SRC_ALPHA,
        )

    @contextmanager
    def loaded(self, parts: Sequence[Part]) -> Iterator[list[Drawable]]:
        """The parts in graphics memory, opaque ones first, until the end of the block."""
        resources: list[Any] = []
        drawables = [self._load(part, resources) for part in parts]
        try:
            yield sorted(drawables, key=lambda drawable: -drawable.material.opacity)
        finally:
            for resource in resources:
                resource.release()

    def _load(self, part: Part, resources: list[Any]) -> Drawable:
        picture = None
        if part.picture is not None:
            flipped = part.picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            picture = self._context.texture(flipped.size, 4, flipped.tobytes())
            picture.build_mipmaps()
            resources.append(picture)
        buffer = self._context.buffer(part.corners.tobytes())
        layout = [(buffer, "3f 3f 2f", "position", "normal", "coordinate")]
        triangles = self._context.vertex_array(self._program, layout)
        resources += [buffer, triangles]
        return Drawable(part.material, triangles, picture)

    def draw(
        self, drawables: Sequence[Drawable], shot: Shot, *, in_clay: bool = False
    ) -> NDArray[np.float32]:
        """The picture from 0 to 1: red, green, blue, all multiplied by the opacity, and the opacity.

        Args:
            in_clay: draw every part in the same grey, which shows the shape alone.
        """
        self._canvas.use()
        self._context.clear(0.0, 0.0, 0.0, 0.0)
        self._program["projection"].write(shot.projection.T.astype(np.float32).tobytes())
        for name in ("eye", "light_direction", "light", "ambient"):
            self._program[name].value = getattr(shot, name)
        for drawable in drawables:
            self._draw_part(drawable, in_clay=in_clay)
        raw = np.frombuffer(self._canvas.read(components=4), dtype=np.uint8)
        return raw.reshape(self._pixels, self._pixels, 4)[::-1].astype(np.float32) / np.float32(255)

    def _draw_part(self, drawable: Drawable, *, in_clay: bool) -> None:
        material = CLAY if in_clay else drawable.material
        has_picture = drawable.picture is not None and not in_clay
        self._program["colour"].value = (*material.colour, max(material.opacity, LEAST_OPACITY))
        self._program["shine"].value = material.shine
        self._program["has_picture"].value = has_picture
        if has_picture:
            drawable.picture.use(0)
        drawable.triangles.render(self._context.TRIANGLES)


def _context() -> Any:
    """A new OpenGL context without a window; its library is optional, so it is imported here."""
    try:
        import moderngl  # noqa: PLC0415

        return moderngl.create_context(
            standalone=True, backend="egl", libgl="libGL.so.1", libegl="libEGL.so.1"
        )
    except ModuleNotFoundError as error:
        raise RendererMissingError(f"{error}. Install the extra: pip install -e '.[household]'") from error
    # Moderngl raises nothing narrower.
    except Exception as error:
        raise RendererMissingError(
            f"no OpenGL context: {error}. Drawing needs EGL; a software rasteriser is enough "
            "(Debian: libegl1 libgl1 libgl1-mesa-dri)"
        ) from error
