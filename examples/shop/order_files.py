"""Order files: what the web front end of the shop leaves in the inbox, as JSON or as CSV."""

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.conf import settings

COLUMNS = ("number", "customer", "amount", "placed_at")


def waiting() -> list[Path]:
    """The files in the inbox, in the order of their names."""
    return sorted(path for path in settings.INBOX_DIR.glob("*") if path.suffix in {".json", ".csv"})


def read(path: Path) -> list[dict]:
    """The orders in one file.

    Raises:
        ValueError: the file holds no orders of the agreed form.
    """
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    return [_order(row, path) for row in rows]


def _order(row: dict, path: Path) -> dict:
    missing = [column for column in COLUMNS if not row.get(column)]
    if missing:
        raise ValueError(f"{path.name}: expected {', '.join(COLUMNS)} in each order, missing: {', '.join(missing)}")
    return {
        "number": row["number"],
        "customer": row["customer"],
        "amount": Decimal(row["amount"]),
        "placed_at": datetime.fromisoformat(row["placed_at"]),
    }


def set_aside(path: Path) -> None:
    """Move a file that has been read out of the way."""
    done = path.parent / "done"
    done.mkdir(exist_ok=True)
    path.rename(done / path.name)
