"""Where the App API is, and how it shows records."""

from typing import Final

from mystira.http.views import Page, show_page, show_record, show_unless_known, view

__all__ = ["PREFIX", "Page", "show_page", "show_record", "show_unless_known", "view"]

PREFIX: Final = "/api/v1"
