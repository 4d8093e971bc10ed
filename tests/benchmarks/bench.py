"""One run of the benchmark: where it writes, how large it is, what there is to measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .place import Place

NAMES = {
    "bridge": "scheduler_bridge",
    "apscheduler": "django-apscheduler",
    "q2": "django-q2",
    "celery": "Celery",
    "none": "the project alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every chapter is told."""

    folder: Path
    site: Path
    engines: tuple[str, ...]
    quick: bool
    full: bool
    ways: tuple[str, ...]  # how external jobs can be started; empty where there is but one way

    @property
    def main_engines(self) -> tuple[str, ...]:
        """Give the engines that everything is measured on."""
        return tuple(engine for engine in self.engines if engine != "mariadb")

    def choose(self, normal: int, quick: int) -> int:
        return quick if self.quick else normal

    def place(self, engine: str, system: str = "bridge", extra: Mapping[str, str] | None = None) -> Place:
        return Place(self.site, self.folder, engine, system, extra or {})
