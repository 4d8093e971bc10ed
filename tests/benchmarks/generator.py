"""Writes the project that is measured: one of middle size, of which nothing but the amount of code matters.

Six apps with five models, eight scheduled commands, an admin, forms, views and the plain modules of a project each. Its
code is written here instead of being imported from elsewhere, so that it weighs the same wherever it is measured.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

SITE = Path(__file__).with_name("site")
APPS = ("catalogue", "customers", "invoices", "payments", "reports", "stock")
MODELS = 5
COMMANDS = 8
SERVICES = 9
FUNCTIONS = 12
RECORDS = 8


def write_site(folder: Path) -> Path:
    """Write the project into this folder and give the folder."""
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "apps.json").write_text(json.dumps(APPS))
    for app in APPS:
        write_app(folder / app, app)
    words = [sys.executable, "manage.py", "makemigrations", "--verbosity", "0", "work", *APPS]
    subprocess.run(words, cwd=folder, env={**os.environ, "BENCH_SYSTEM": "none"}, check=True)
    return folder


def write_many(folder: Path, count: int) -> Path:
    """Write an app of many jobs into this folder and give the folder."""
    commands = package(package(package(folder / "many") / "management") / "commands")
    for number in range(count):
        (commands / f"job{number:05}.py").write_text(command_source(number))
    return folder


def write_crew(folder: Path, kinds: Mapping[str, int]) -> Path:
    """Write an app of jobs with a queue into this folder and give the folder.

    Args:
        kinds: how many jobs there are to do what each of these commands does.
    """
    commands = package(package(package(folder / "crew") / "management") / "commands")
    for kind, count in kinds.items():
        for number in range(count):
            (commands / f"{kind}{number:05}.py").write_text(crew_source(kind))
    return folder


def package(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").touch()
    return folder


def write_app(folder: Path, app: str) -> None:
    package(folder)
    (folder / "apps.py").write_text(apps_source(app))
    (folder / "models.py").write_text("".join([MODELS_HEAD, *(model_source(app, item) for item in range(MODELS))]))
    (folder / "admin.py").write_text("".join([ADMIN_HEAD, *(admin_source(item) for item in range(MODELS))]))
    (folder / "forms.py").write_text("".join([FORMS_HEAD, *(form_source(item) for item in range(MODELS))]))
    (folder / "views.py").write_text("".join([views_head(app), *(view_source(item) for item in range(MODELS))]))
    (folder / "urls.py").write_text(urls_source(app))
    services = package(folder / "services")
    for number in range(SERVICES):
        (services / f"part{number}.py").write_text(service_source())
    commands = package(package(folder / "management") / "commands")
    for number in range(COMMANDS):
        (commands / f"{app}_job{number}.py").write_text(command_source(number))


def apps_source(app: str) -> str:
    return dedent(f"""\
        from django.apps import AppConfig


        class Config(AppConfig):
            name = "{app}"
    """)


MODELS_HEAD = dedent("""\
    import decimal, email.message, http.client, json, logging, urllib.request, xml.dom.minidom

    from django.core.validators import MinValueValidator, RegexValidator
    from django.db import models

""")


def model_source(app: str, number: int) -> str:
    former = f'former = models.ForeignKey("Item{number - 1}", models.CASCADE, null=True)' if number else ""
    return dedent(f"""
        class Item{number}(models.Model):
            class State(models.TextChoices):
                NEW = "new"
                OPEN = "open"
                DONE = "done"

            name = models.CharField(max_length=100, validators=[RegexValidator(r"^[a-z ]+$")])
            code = models.SlugField(unique=True)
            state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
            amount = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(0)])
            owner = models.ForeignKey("auth.User", models.SET_NULL, null=True, related_name="{app}_items{number}")
            {former}
            tags = models.ManyToManyField("auth.Group", related_name="{app}_items{number}")
            extra = models.JSONField(default=dict)
            created_at = models.DateTimeField(auto_now_add=True, db_index=True)
            changed_at = models.DateTimeField(auto_now=True)

            class Meta:
                ordering = ["name"]

            def __str__(self):
                return self.name

    """)


ADMIN_HEAD = "from django.contrib import admin\n\nfrom . import models\n\n"


def admin_source(number: int) -> str:
    return dedent(f"""
        @admin.register(models.Item{number})
        class Item{number}Admin(admin.ModelAdmin):
            list_display = ["name", "code", "state", "amount", "owner", "created_at"]
            list_filter = ["state", "created_at"]
            search_fields = ["name", "code"]
            date_hierarchy = "created_at"
            raw_id_fields = ["owner"]

    """)


FORMS_HEAD = "from django import forms\n\nfrom . import models\n\n"


def form_source(number: int) -> str:
    return dedent(f"""
        class Item{number}Form(forms.ModelForm):
            class Meta:
                model = models.Item{number}
                fields = ["name", "code", "state", "amount", "owner", "tags", "extra"]

            comment = forms.CharField(widget=forms.Textarea, required=False)

    """)


def views_head(app: str) -> str:
    parts = "\n".join(f"from .services import part{number}" for number in range(SERVICES))
    return f"from django.views import generic\n\nfrom . import forms, models\n{parts}\n\n"


def view_source(number: int) -> str:
    return dedent(f"""
        class Item{number}List(generic.ListView):
            model = models.Item{number}
            paginate_by = 50


        class Item{number}Change(generic.UpdateView):
            model = models.Item{number}
            form_class = forms.Item{number}Form

    """)


def urls_source(app: str) -> str:
    lines = [
        f'    path("item{number}/", views.Item{number}List.as_view(), name="{app}_list{number}"),\n'
        f'    path("item{number}/<int:pk>/", views.Item{number}Change.as_view(), name="{app}_change{number}"),\n'
        for number in range(MODELS)
    ]
    return f"from django.urls import path\n\nfrom . import views\n\nurlpatterns = [\n{''.join(lines)}]\n"


def service_source() -> str:
    """Give a module as projects have many: patterns, records and functions."""
    head = "import dataclasses, datetime, decimal, enum, re, typing\n\n"
    return head + "".join([*(record_source(item) for item in range(RECORDS)), *map(function_source, range(FUNCTIONS))])


def record_source(number: int) -> str:
    return dedent(f"""
        PATTERN{number} = re.compile(r"^(?P<code{number}>[A-Z]{{2,3}})-(?P<digits>\\d{{1,{number + 1}}})(?:/[a-z]+)*$")


        @dataclasses.dataclass(frozen=True, slots=True)
        class Record{number}:
            code: str
            amount: decimal.Decimal
            due: datetime.date
            paid: datetime.date | None = None
            lines: tuple[str, ...] = ()

            @property
            def is_open(self) -> bool:
                return self.paid is None

    """)


def function_source(number: int) -> str:
    return dedent(f"""
        def step{number}(records, today, *, limit=decimal.Decimal("{number}.00")):
            found = {{}}
            for record in records:
                if record.is_open and record.due < today and record.amount > limit:
                    found.setdefault(record.code, []).append(record)
            return {{code: sum(item.amount for item in items) for code, items in found.items()}}

    """)


def crew_source(kind: str) -> str:
    """Give a command that does what another does, as a job with a queue."""
    return dedent(f"""\
        from work.management.commands import {kind}


        class Command({kind}.Command):
            class ScheduledJob:
                queue = "bench"
    """)


def command_source(number: int) -> str:
    """Give a command that is a job of every day, so that none is due while something is measured."""
    return dedent(f"""\
        from datetime import timedelta

        from django.core.management.base import BaseCommand


        class Command(BaseCommand):
            help = "Job number {number}"

            class ScheduledJob:
                scheduled_interval = timedelta(days=1)
                internal = True

            def handle(self, *args, **options):
                pass
    """)
