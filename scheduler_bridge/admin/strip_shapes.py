"""Shapes of SVG whose places are shares of the width, so that they fit any screen."""

from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

LEAST: Final = 2e-4  # width


def rect(classes: str, left: float, right: float, y: float, height: float) -> SafeString:
    """Draw a rectangle between two places."""
    text = '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>'
    x, width = extent(left, right)
    return format_html(text, classes, x, y, width, height)


def extent(left: float, right: float) -> tuple[str, str]:
    """Give a place and a width; without any width nothing would be drawn."""
    return percent(left), percent(max(LEAST, right - left))


def percent(share: float) -> str:
    """Give a share of the width as SVG takes it."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"
