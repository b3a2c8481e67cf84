from stages.report.parts import Cell, Table, count, interval, number, share, text


def test_cells_keep_the_exact_number_to_sort_by() -> None:
    assert number(0.123456) == Cell("0.1235", 0.123456)
    assert number(0.5, 2, signed=True) == Cell("+0.50", 0.5)
    assert count(12345) == Cell("12,345", 12345)
    assert share(0.1234) == Cell("12.3%", 0.1234)
    assert interval(0.1, 0.2).text.split() == ["0.1000", "to", "0.2000"]
    assert {cell(None) for cell in (number, count, share, text)} == {Cell("–")}


def test_columns_of_numbers_and_long_tables() -> None:
    table = Table("t", "c", ["a", "b"], [[text("x"), count(None)], [text("y"), count(2)]])
    assert (table.numeric, table.searchable) == ([False, True], False)
    assert Table("t", "c", ["a"], [[text("x")]] * 11).searchable
    assert Table("t", "c", ["a", "b"], []).numeric == [False, False]
