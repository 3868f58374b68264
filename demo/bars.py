"""Progress bars of long steps."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


def bars(console: Console) -> Progress:
    """Bars with a title and counts; a task's field `said` stands behind them."""
    said = TextColumn("[dim]{task.fields[said]}")
    title = TextColumn("{task.description}")
    return Progress(
        SpinnerColumn(), title, BarColumn(40), MofNCompleteColumn(), said, console=console
    )
