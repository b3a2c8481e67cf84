"""The report: one page that shows data, codebooks, training, results and lists (numpy, pyarrow, jinja2)."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.report.options import ReportOptions

if TYPE_CHECKING:
    from stages.report.stage import report

__all__ = ["ReportOptions", "report"]
__getattr__ = lazy_names(__name__, {"report": "stages.report.stage"})
