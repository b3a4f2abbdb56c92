"""Tables that people open in a spreadsheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a formula begins


def as_cell(cell: object) -> object:
    """A cell that a spreadsheet takes for no formula: what people wrote is put behind an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
