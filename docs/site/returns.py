"""Returned shapes, such as "(1,), or (B,): the means", are text, not a type in parentheses."""

import re
from typing import Any

import griffe


class ReturnedShapes(griffe.Extension):
    """Keep the parser from taking what is before the colon for a type."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Put a space without width between the parenthesis and the colon."""
        if func.docstring is not None:
            shape = r"(^ *Returns:\n +\S[^\n]*?\)):"
            func.docstring.value = re.sub(
                shape, "\\1\u200b:", func.docstring.value, count=1, flags=re.MULTILINE
            )
