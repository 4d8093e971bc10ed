"""The one task that the engine's workers know: to perform a run that was handed over."""

from . import engine, errand


def perform_run(run_id: int) -> None:
    """Perform this run, unless another worker has taken it up or nobody is to."""
    errand.perform(run_id)


perform_run = engine.as_task(perform_run)
