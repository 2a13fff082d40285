"""The ledger as a page to read: one HTML file, with nothing to fetch and no script."""

from __future__ import annotations

from theory_checks.page.page import page_html, write_page

__all__ = ["page_html", "write_page"]
