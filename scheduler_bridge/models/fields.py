"""The kinds of columns: moments that stay exact whatever the project says about time zones."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone

from .. import storable


def utc_now() -> datetime:
    """Give this moment as an aware datetime, whatever ``USE_TZ`` says."""
    return datetime.now(UTC)


class InstantField(models.DateTimeField):
    """A moment that is always an aware datetime in Python, whatever ``USE_TZ`` says.

    With ``USE_TZ = False`` the column holds local time, as all columns of such a project do.
    """

    def from_db_value(self, value: datetime | None, *args: object) -> datetime | None:
        if value is None or timezone.is_aware(value):
            return value
        return timezone.make_aware(value, timezone.get_default_timezone()).astimezone(UTC)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, datetime) and timezone.is_aware(value) and not django_settings.USE_TZ:
            return timezone.make_naive(value, timezone.get_default_timezone())
        return value


class MomentField(models.BigIntegerField):
    """A moment kept as microseconds since 1970 in UTC: exact in a repeated local hour too."""

    EPOCH: ClassVar = datetime(1970, 1, 1, tzinfo=UTC)

    def from_db_value(self, value: int | None, *args: object) -> datetime | None:
        return None if value is None else self.EPOCH + timedelta(microseconds=value)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, datetime) else super().to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            value = (value - self.EPOCH) // timedelta(microseconds=1)
        return super().get_prep_value(value)


class NarrowIndex(models.Index):
    """An index of some rows only, where the database knows that; of all rows elsewhere."""

    def __init__(self, *expressions: Any, only: models.Q, **options: Any) -> None:
        super().__init__(*expressions, **options)
        self.only = only

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **options: Any) -> Any:
        can_be_narrow = schema_editor.connection.features.supports_partial_indexes
        index = models.Index(fields=self.fields, name=self.name, condition=self.only if can_be_narrow else None)
        return index.create_sql(model, schema_editor, using, **options)

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, "only": self.only}


class TextColumn(models.TextField):
    """A text that is written as its column can hold it; to the migrations it is the plain field."""

    limit: int | None = storable.TEXT_LIMIT

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return _fit(self, super().get_db_prep_value(value, connection, prepared), connection, self.limit)

    def deconstruct(self) -> Any:
        name, _path, words, options = super().deconstruct()
        return name, "django.db.models.TextField", words, options


class OutputColumn(TextColumn):
    """A text that was bounded already, as long as the settings want it."""

    limit = None


class CharColumn(models.CharField):
    """A short text, likewise."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return _fit(self, super().get_db_prep_value(value, connection, prepared), connection, self.max_length)

    def deconstruct(self) -> Any:
        name, _path, words, options = super().deconstruct()
        return name, "django.db.models.CharField", words, options


def _fit(field: Any, value: Any, connection: Any, limit: int | None) -> Any:
    if not isinstance(value, str):
        return value
    return storable.fit(value, connection.alias, field.model._meta.db_table, field.column, limit)
