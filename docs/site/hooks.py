"""What the site adds: names in code lead to the reference, and search prefers what explains."""

import re
from typing import Any

_pages: dict[str, Any] = {}
"""The page of the reference that each public name is on."""


ABOUT_OTHERS = ("comparison.md", "migration.md", "softras.md")


def on_files(files: Any, config: Any) -> Any:
    """Find which page of the reference has which names."""
    for file in files.documentation_pages():
        if file.src_uri.startswith("reference/"):
            for name in re.findall(r"^::: taichi_softras\.(\w+)$", file.content_string, re.M):
                _pages[name] = file
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> None:
    """Have the search find what explains before what shows, and not what has changed."""
    uri = page.file.src_uri
    if uri == "site/changes.md":
        page.meta["search"] = {"exclude": True}
    elif not uri.startswith(("reference/", "notebooks/")):
        page.meta["search"] = {"boost": 3}


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Link the names on a page: not in headings and code blocks, nor where a link is already.

    Nor, on pages about other packages, in the first cells of rows, which have names of theirs.
    """
    kept = r"(<pre.*?</pre>|<a .*?</a>|<h\d.*?</h\d>"
    kept += r"|<tr>\s*<td.*?</td>)" if page.file.src_uri in ABOUT_OTHERS else ")"
    parts = re.split(kept, html, flags=re.DOTALL)
    parts[::2] = [_link(part, page) for part in parts[::2]]
    return "".join(parts)


def _link(html: str, page: Any) -> str:
    def replace(match: re.Match[str]) -> str:
        target = _pages.get(match["name"])
        if target is None:
            return match[0]
        url = target.page.file.url_relative_to(page.file) if target.page else ""
        return f'<a href="{url}#taichi_softras.{match["name"]}">{match[0]}</a>'

    return re.sub(r"<code>(?:sr\.|ts\.)?(?P<name>\w+)(?:\([^<]*\))?</code>", replace, html)
