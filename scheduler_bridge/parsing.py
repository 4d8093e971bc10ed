"""What a command's own parser says of words: foreign code, asked apart, and at most once in a process."""

import argparse
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from .isolation import isolated
from .object_text import error_line, text_of


class Verdict(Enum):
    """What came of giving words to a parser."""

    TAKEN = "taken"
    REFUSED = "refused"  # as wrong words are
    FAILED = "failed"  # the code of the command raised something
    UNKNOWN = "unknown"  # it asks a database, which nobody lets it do before it runs


@dataclass(frozen=True, slots=True)
class Reply:
    """The verdict, and in words what the parser said."""

    verdict: Verdict
    text: str = ""


TAKEN: Final = Reply(Verdict.TAKEN)


class OwnParser:
    """The parser of one command as it was made first, and its replies."""

    def __init__(self) -> None:
        self._parser: Any = None
        self._unmade: Reply | None = None  # why there is no parser
        self._asks = ""  # the alias of a database that was asked while it was made
        self._replies: dict[tuple[str, ...], Reply] = {}

    def reply(self, command_class: type[BaseCommand], command: str, words: tuple[str, ...]) -> Reply:
        """Return what the parser of this command says of these words; always of the same command."""
        if not words and _is_known(command_class):
            return TAKEN
        if self._parser is None and self._unmade is None:
            self._make(command_class, command)
        if self._unmade is not None:
            return self._unmade
        if words not in self._replies:
            self._replies[words] = self._ask(words)
        return self._replies[words]

    def _make(self, command_class: type[BaseCommand], command: str) -> None:
        with isolated() as isolation:
            try:
                self._parser = command_class().create_parser("manage.py", command)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # foreign code, which may even try to leave the process
                self._unmade = Reply(Verdict.FAILED, error_line(error))
        self._asks = isolation.asked
        if self._unmade is not None and self._asks:
            self._unmade = Reply(Verdict.UNKNOWN, self._asks)

    def _ask(self, words: tuple[str, ...]) -> Reply:
        with isolated() as isolation:
            try:
                reply = _parse(self._parser, words)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the types and choices of its arguments are foreign code, too
                reply = Reply(Verdict.FAILED, error_line(error))
        asked = self._asks or isolation.asked
        # What it would say with the rows it wanted nobody knows; what it takes without them is taken.
        return Reply(Verdict.UNKNOWN, asked) if asked and reply != TAKEN else reply


def takes_nothing(command_class: type[BaseCommand]) -> bool:
    """Tell a command with Django's own parser, which asks for nothing."""
    own = (command_class.add_arguments, command_class.create_parser)
    return own == (BaseCommand.add_arguments, BaseCommand.create_parser)


def _is_known(command_class: type[BaseCommand]) -> bool:
    """Return whether none of this command's code has a say in its parser."""
    try:
        return takes_nothing(command_class) and type(command_class.help) is str
    except (Exception, SystemExit):  # a metaclass is foreign code, too
        return False


def _parse(parser: Any, words: tuple[str, ...]) -> Reply:
    try:
        parser.parse_args(list(words))
    except CommandError as error:
        return Reply(Verdict.REFUSED, text_of(error))
    except SystemExit as error:
        if not _is_the_parsers_own(error):
            raise
        return Reply(Verdict.REFUSED, "it would only print something and exit")
    return TAKEN


def _is_the_parsers_own(error: SystemExit) -> bool:
    """Return whether the parser left by itself, as it does for --help, and not the code of the command."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is argparse.ArgumentParser.exit.__code__
