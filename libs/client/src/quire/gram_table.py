"""A corner of a kernel matrix as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

if TYPE_CHECKING:
    from quire_contracts.result import KernelResult

_MOST_ROWS: Final = 12
_MOST_COLUMNS: Final = 8


def gram_table(result: KernelResult) -> Table:
    """The first rows and columns of a kernel matrix."""
    rows, columns = len(result.matrix), len(result.matrix[0])
    high, wide = min(rows, _MOST_ROWS), min(columns, _MOST_COLUMNS)
    title = f"kernel, {rows} x {columns}" + (", symmetric" if result.symmetric else "")
    table = Table(title=title, title_justify="left")
    for name in ("", *map(str, range(wide))):
        table.add_column(name, justify="right")
    for number, row in enumerate(result.matrix[:high]):
        errors = result.std_errors[number][:wide] if result.std_errors is not None else (0.0,) * wide
        cells = (f"{value:.4f}" + (f" ± {e:.4f}" if e else "") for value, e in zip(row[:wide], errors, strict=True))
        table.add_row(str(number), *cells)
    said = []
    if (high, wide) != (rows, columns):
        said.append(f"the first {high} x {wide} entries; --json prints all")
    if result.smallest_eigenvalue is not None:
        said.append(f"smallest eigenvalue {result.smallest_eigenvalue:.3g}")
    if result.psd_enforced:
        said.append("eigenvalues below 0 were raised to 0: this is the nearest matrix without them")
    table.caption = "\n".join(said) or None
    return table
