"""The site of the benchmarks; with Celery its app must exist as soon as Django does."""

import os

if os.environ.get("BENCH_SYSTEM") in {"celery", "plain"} or os.environ.get("BENCH_TASKS") == "celery":
    from .celery import app as celery_app

    __all__ = ["celery_app"]
