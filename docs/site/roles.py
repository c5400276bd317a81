"""A hook of the site: roles in docstrings become links, where the reference has the name."""

import re
from typing import Any

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):\s*<code>~?([\w.]+)(?:\(\))?</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Return a page with ``:func:`stochi.sim.run``` as a link named ``run``."""
    return ROLE.sub(_link, html)


def _link(role: re.Match[str]) -> str:
    name = role[1]
    return f'<autoref identifier="{name}" optional><code>{name.rpartition(".")[2]}</code></autoref>'
