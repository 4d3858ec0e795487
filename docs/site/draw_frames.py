"""Draw the frames of cameras for docs/cameras.md, by `python docs/site/draw_frames.py`."""

from pathlib import Path

# The camera is seen from behind and above: where its right, up and forward go on the page.
RIGHT, UP, FORWARD = (0.86, 0.30), (0.0, -1.0), (0.62, -0.52)
ORIGIN = (86.0, 176.0)

FRAMES = {  # the axes in terms of right, up and forward, and the corner that the image starts at
    "ours": {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)},
    "opencv": {"x": (1, 0, 0), "y": (0, -1, 0), "z": (0, 0, 1)},
    "opengl": {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, -1)},
    "pytorch3d": {"x": (-1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)},
}
COLORS = {"x": "#d62728", "y": "#2ca02c", "z": "#1f77b4"}


def place(right: float, up: float, forward: float) -> tuple[float, float]:
    """Where a point of the view frame is on the page."""
    steps = (right, RIGHT), (up, UP), (forward, FORWARD)
    x, y = (ORIGIN[i] + sum(length * axis[i] for length, axis in steps) for i in (0, 1))
    return round(x, 1), round(y, 1)


def line(a: tuple[float, float], b: tuple[float, float], style: str) -> str:
    """A line of the drawing."""
    return f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" {style}/>'


def draw(axes: dict[str, tuple[int, int, int]]) -> str:
    """One frame, as SVG: the camera, the image in front of it, and the axes."""
    corners = [(-52, 40, 150), (52, 40, 150), (52, -40, 150), (-52, -40, 150)]
    eye, image = place(0, 0, 0), [place(*corner) for corner in corners]
    thin = 'stroke="#888" stroke-width="1"'
    parts = [line(eye, corner, thin + ' stroke-dasharray="3 3"') for corner in image]
    points = " ".join(f"{x},{y}" for x, y in image)
    parts.append(f'<polygon points="{points}" fill="#888" fill-opacity="0.18" {thin}/>')
    x, y = image[0]
    parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="#888"/>')
    parts.append(f'<text x="{x + 6}" y="{y - 6}" fill="#888">pixel 0, 0</text>')
    for name, axis in axes.items():
        end, label = (place(*(length * step for step in axis)) for length in (66, 80))
        style = f'stroke="{COLORS[name]}" stroke-width="3" marker-end="url(#{name})"'
        parts.append(line(eye, end, style))
        parts.append(
            f'<text x="{label[0]}" y="{label[1]}" fill="{COLORS[name]}" font-weight="bold" '
            f'text-anchor="middle" dominant-baseline="middle">{name}</text>'
        )
    parts.append(f'<circle cx="{eye[0]}" cy="{eye[1]}" r="4" fill="#888"/>')
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="7" refY="5" markerWidth="5" '
        f'markerHeight="5" orient="auto"><path d="M0 0L10 5L0 10z" fill="{color}"/></marker>'
        for name, color in COLORS.items()
    )
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="10 20 225 245" width="207" height="225" '
        f'font-family="sans-serif" font-size="13">\n<defs>{heads}</defs>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    for name, axes in FRAMES.items():
        (Path(__file__).parents[1] / f"frame-{name}.svg").write_text(draw(axes))
