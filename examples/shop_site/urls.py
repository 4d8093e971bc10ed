"""The admin is all that this shop shows."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

urlpatterns = [path("", RedirectView.as_view(url="/admin/")), path("admin/", admin.site.urls)]
