"""Cost against size, as a small SVG on logarithmic axes."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from pathlib import Path

from .figures import Chapter, Figure
from .report import number

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 75, 300, 40, 45
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d5a97", "#b8860b", "#2f4858", "#d1495b", "#6b8e23")


def write(folder: Path, chapters: Iterable[Chapter]) -> None:
    """Write one picture for each chapter and database whose figures have sizes."""
    for chapter in chapters:
        sized = [figure for figure in chapter.figures if figure.size is not None and figure.median]
        for database in dict.fromkeys(figure.database for figure in sized):
            chosen = [figure for figure in sized if figure.database == database]
            path = folder / f"{chapter.name}-{database.lower()}.svg"
            path.write_text(picture(f"{chapter.title}, {database}", chosen))


def picture(title: str, figures: Sequence[Figure]) -> str:
    """Give the picture: one line for each quantity."""
    sizes = decades([float(figure.size or 1) for figure in figures])
    costs = decades([figure.median or 1.0 for figure in figures])
    parts = [*frame(title, figures[0].unit, sizes, costs)]
    for place, what in enumerate(dict.fromkeys(plotted(figure) for figure in figures)):
        points = sorted((figure.size or 1, figure.median or 1.0) for figure in figures if plotted(figure) == what)
        parts += line(points, what, place, sizes, costs)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>"]) + "\n"


def plotted(figure: Figure) -> str:
    return figure.what.partition(" at ")[0]


def decades(values: Sequence[float]) -> tuple[int, int]:
    """Give the powers of ten around these values."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return low, max(high, low + 1)


def x_of(size: float, sizes: tuple[int, int]) -> float:
    return LEFT + (log10(size) - sizes[0]) / (sizes[1] - sizes[0]) * (WIDTH - LEFT - RIGHT)


def y_of(cost: float, costs: tuple[int, int]) -> float:
    return HEIGHT - BOTTOM - (log10(cost) - costs[0]) / (costs[1] - costs[0]) * (HEIGHT - TOP - BOTTOM)


def frame(title: str, unit: str, sizes: tuple[int, int], costs: tuple[int, int]) -> list[str]:
    """Give title, grid and the labels of the axes."""
    parts = [f'<text x="{LEFT}" y="22" font-size="15">{title}</text>']
    for power in range(costs[0], costs[1] + 1):
        y = y_of(10.0**power, costs)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(label(LEFT - 6, y + 4, f"{number(10.0**power)} {unit}", "end"))
    for power in range(sizes[0], sizes[1] + 1):
        x = x_of(10.0**power, sizes)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(label(x, HEIGHT - BOTTOM + 18, f"{10**power:,}", "middle"))
    return parts


def label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}">{text}</text>'


def line(
    points: Sequence[tuple[int, float]], what: str, place: int, sizes: tuple[int, int], costs: tuple[int, int]
) -> list[str]:
    """Give the line of one quantity, its points and its entry in the legend."""
    colour = COLOURS[place % len(COLOURS)]
    dash = "" if place < len(COLOURS) else ' stroke-dasharray="6 4"'
    spots = [(x_of(size, sizes), y_of(cost, costs)) for size, cost in points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    y = TOP + 10 + 20 * place
    return [
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots),
        f'<path d="M{WIDTH - RIGHT + 15} {y}h20" stroke="{colour}" stroke-width="3"{dash}/>',
        label(WIDTH - RIGHT + 42, y + 4, what, "start"),
    ]
