"""django-apscheduler's own pages: still there to read, but nothing is run from the web process any more."""

from typing import Any

import django_apscheduler.admin as replaced  # it registers its pages, which are replaced below
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from .keyset import KeysetList
from .read_only import ReadOnlyAdmin


class LedgerJobAdmin(ReadOnlyAdmin):
    """The jobs of the ledger; what may be pickled in them is never read."""

    list_display = ("id", "next_run_time")
    search_fields = ("id",)
    fields = ("id", "next_run_time")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("job_state")


class StatusFilter(admin.ChoicesFieldListFilter):
    """Executions by status, for which the ledger has no index."""

    has_index = False


class LedgerExecutionAdmin(ReadOnlyAdmin):
    """The executions of the ledger, which are as many as the runs."""

    list_display = ("id", "job_id", "status", "run_time", "duration")
    list_filter = (("status", StatusFilter),)
    list_select_related = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they would count the table
    sortable_by = ()
    fields = ("id", "job_id", "status", "run_time", "duration", "exception", "traceback")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[KeysetList]:
        return KeysetList


SITE = replaced.admin.site
for model, page in ((DjangoJob, LedgerJobAdmin), (DjangoJobExecution, LedgerExecutionAdmin)):
    if SITE.is_registered(model):
        SITE.unregister(model)
    SITE.register(model, page)
