"""What readers of several formats share: words of text files, and what is wrong with a file."""

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

LARGEST_WHOLE = 2**62
"""Beyond all counts and indices, and well within 64 bits."""


class FormatError(ValueError):
    """What is wrong with a file, in words for whoever brought it.

    `read_mesh` passes these on. Whatever else a reader meets is called damage, without the words
    of the library that met it.
    """


def decoded(content: bytes) -> str:
    """Decode a text file: UTF-8, or UTF-16 if it starts as that does, or else Latin-1.

    Raises:
        FormatError: If it is no text.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:1024]:
        raise FormatError("must be text, got bytes of 0 among its first")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # older files; any byte is some character of this one
        return content.decode("latin-1")


def whole_number(word: str) -> int:
    """Read an integer, of base 16 if it starts with 0x.

    Raises:
        FormatError: If it is none.
    """
    try:
        number = int(word, 16 if word[:2].lower() == "0x" else 10)
    except ValueError:
        raise FormatError(f"must have a whole number, got {word[:40]!r}") from None
    if abs(number) > LARGEST_WHOLE:
        raise FormatError(f"must have a whole number up to {LARGEST_WHOLE}, got {word[:40]!r}")
    return number


def real_numbers(words: Iterable[str]) -> NDArray[Any]:
    """Read numbers, as float64.

    Raises:
        FormatError: If one of them is none.
    """
    words = list(words)
    try:
        return np.array(list(map(float, words)), dtype=np.float64)
    except ValueError:
        _blame(words)


def _blame(words: list[str]) -> NoReturn:
    for word in words:
        try:
            float(word)
        except ValueError:
            raise FormatError(f"must have a number, got {word[:40]!r}") from None
    raise AssertionError("one of the words is no number")
