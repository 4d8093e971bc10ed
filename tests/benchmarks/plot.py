"""Cost against size, as a small SVG: on logarithmic axes, or on straight ones where a curve is asked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from .axis import Axis
from .figures import Chapter, Figure
from .report import number

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 75, 300, 40, 45
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d5a97", "#b8860b", "#2f4858", "#d1495b", "#6b8e23")


def write(folder: Path, chapters: Iterable[Chapter]) -> None:
    """Write one picture for each chapter, curve and database whose figures have sizes."""
    for chapter in chapters:
        sized = [figure for figure in chapter.figures if figure.size is not None and figure.median]
        for curve, database in dict.fromkeys((figure.curve, figure.database) for figure in sized):
            chosen = [figure for figure in sized if (figure.curve, figure.database) == (curve, database)]
            names = [name for name in (chapter.name, curve, database.lower()) if name]
            title = f"{chapter.title}, {database}{f', {curve}' if curve else ''}"
            (folder / f"{'-'.join(names)}.svg").write_text(picture(title, chosen))


def picture(title: str, figures: Sequence[Figure]) -> str:
    """Give the picture: one line for each quantity."""
    over = Axis.straight if figures[0].curve else Axis.decades
    sizes = over([float(figure.size or 1) for figure in figures])
    costs = over([figure.median or 1.0 for figure in figures])
    parts = [*frame(title, figures[0].unit, sizes, costs)]
    for place, what in enumerate(dict.fromkeys(plotted(figure) for figure in figures)):
        points = sorted((figure.size or 1, figure.median or 1.0) for figure in figures if plotted(figure) == what)
        parts += line(points, what, place, sizes, costs)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>"]) + "\n"


def plotted(figure: Figure) -> str:
    return figure.what.partition(" at ")[0]


def x_of(size: float, sizes: Axis) -> float:
    return LEFT + sizes.share(size) * (WIDTH - LEFT - RIGHT)


def y_of(cost: float, costs: Axis) -> float:
    return HEIGHT - BOTTOM - costs.share(cost) * (HEIGHT - TOP - BOTTOM)


def frame(title: str, unit: str, sizes: Axis, costs: Axis) -> list[str]:
    """Give title, grid and the labels of the axes."""
    parts = [f'<text x="{LEFT}" y="22" font-size="15">{title}</text>']
    for cost in costs.ticks:
        y = y_of(cost, costs)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(label(LEFT - 6, y + 4, f"{number(cost)} {unit}", "end"))
    for size in sizes.ticks:
        x = x_of(size, sizes)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(label(x, HEIGHT - BOTTOM + 18, f"{size:,.0f}", "middle"))
    return parts


def label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}">{text}</text>'


def line(points: Sequence[tuple[int, float]], what: str, place: int, sizes: Axis, costs: Axis) -> list[str]:
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
