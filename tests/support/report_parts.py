"""Looks into the sections of a report."""

from stages.report.parts import Section, Table


def table_of(section: Section, name: str) -> Table:
    """The table of this id."""
    [found] = [table for table in section.tables if table.id == name]
    return found


def cells(table: Table) -> list[list[object]]:
    """The rows: the exact numbers, the texts of what is none."""
    return [[cell.text if cell.sort is None else cell.sort for cell in row] for row in table.rows]
