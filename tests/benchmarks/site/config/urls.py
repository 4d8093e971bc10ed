"""The addresses of the site: the admin, and those of each app."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    *(path(f"{name}/", include(f"{name}.urls")) for name in settings.PROJECT_APPS),
]
