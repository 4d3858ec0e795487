"""The lines of OBJ and MTL files."""

import re
from collections.abc import Iterator


def directives(text: str) -> Iterator[tuple[str, str]]:
    """Split a file into the first word of each line, and what follows that.

    A line goes on in the next where it ends in a backslash, unless that is in a comment.
    """
    begun = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        whole = begun + line.strip()
        begun = ""
        if whole.startswith("#"):
            continue
        if whole.endswith("\\") and not re.search(r"\s#", whole):
            begun = whole[:-1] + " "
            continue
        words = whole.split(None, 1)
        if words:
            yield words[0], words[1].strip() if len(words) > 1 else ""


def words_of(rest: str) -> list[str]:
    """Split numbers from each other, and from a comment; names may have such a sign in them."""
    return (rest.split("#", 1)[0] if "#" in rest else rest).split()


def before_comment(name: str) -> str:
    """A name without the comment that may follow it; for a name that is not known as a whole."""
    return re.split(r"\s#", name, maxsplit=1)[0].strip()
