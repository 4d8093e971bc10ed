"""The pages in Django's admin."""

from . import jobs, ledger, runs

__all__ = ["jobs", "ledger", "runs"]
