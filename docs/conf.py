"""Sphinx configuration; built by `make docs`, warnings as errors."""

import re
from pathlib import Path

import tralgos
from theory_checks.claim_pages import write_claim_pages
from theory_checks.registry import all_claims
from theory_checks.replay import kept

project = "tralgos"
author = "The tralgos developers"
copyright = "2026, The tralgos developers"
version = release = tralgos.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build", "figures/*.md", "**/.ipynb_checkpoints"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the numpydoc sections say it, and say shapes too
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = "tralgos"
html_show_sphinx = False

#: What keeps its bars: literals, roles and interpreted text.
_QUOTED = re.compile(r"(``.*?``|:\w+:`.*?`|`.*?`)")


def keep_bars(app, what, name, obj, options, lines):
    """Let docstrings write norms as ||s||: reStructuredText takes |s| for a substitution."""
    block = None  # the indentation that opened a math or literal block
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        directive = line.lstrip().startswith(".. ")
        if block is None and not directive and not line.lstrip().startswith(">>>"):
            parts = _QUOTED.split(line)
            parts[::2] = [re.sub(r"(?<!\\)\|", r"\\|", part) for part in parts[::2]]
            lines[i] = "".join(parts)
        if block is None and (directive or line.rstrip().endswith("::")):
            block = indent


def write_pages(app):
    """Make the page of each claim anew, so that it cannot differ from the claim."""
    write_claim_pages(all_claims(), kept(), Path(app.srcdir) / "claims")


def setup(app):
    app.connect("builder-inited", write_pages)
    # After numpydoc, which has its own order of sections to make.
    app.connect("autodoc-process-docstring", keep_bars, priority=900)
