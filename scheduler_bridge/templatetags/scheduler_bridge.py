"""The tag by which pages of Django's own views ask for what is shown of the scheduler.

This module is loaded with every template, in projects without Django's admin too, so it imports none of our pages.
"""

from typing import Any

from django import template
from django.contrib.admin.sites import all_sites
from django.template import Context

from ..models import Job

register = template.Library()


@register.simple_tag(takes_context=True)
def scheduler_glance(context: Context) -> Any:
    """Give what the reader may see of the scheduler; None on a site that does not show its jobs."""
    if "glance" in context:
        return context["glance"]
    request = getattr(context, "request", None)
    name = getattr(request, "current_app", None)
    pages = (site.get_model_admin(Job) for site in all_sites if site.name == name and site.is_registered(Job))
    glance = getattr(next(pages, None), "glance", None)
    return glance(request) if glance else None
