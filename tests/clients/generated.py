"""A question of the demo asked of its generated files with another engine, compared row for row.

Arguments: the demo's folder, the name of one of its queries, and a CSV file with what the mesh answered.

Every cell that leaves a body counts at least ten units, so the same threshold stands behind each GROUP BY here.
"""

import csv
import decimal
import pathlib
import re
import sys
import tomllib

import duckdb

CELL = " HAVING count(*) >= 10\n"


def mapped(engine, folder):
    """The SQL of a body's only dataset, over its file, as its own mapping has it."""
    (description,) = (folder / "datasets").glob("*.toml")
    dataset = tomllib.loads(description.read_text())
    path = folder / dataset["source"]["path"]
    read = {"csv": "read_csv('{}', header = true, all_varchar = true)", "parquet": "read_parquet('{}')"}
    source = read[dataset["source"]["kind"]].format(path)
    if "mapping" not in dataset:
        return f"SELECT * FROM {source}"
    return f"WITH source AS (SELECT * FROM {source}) {dataset['mapping']['sql']}"


def central(folder):
    """All bodies' rows in one place, as none of them would give them away."""
    engine = duckdb.connect()
    engine.execute("ATTACH ':memory:' AS london; USE london; CREATE SCHEMA gla; CREATE SCHEMA lfb; CREATE SCHEMA every")
    engine.execute(f"CREATE TABLE gla.boroughs AS {mapped(engine, folder / 'gla')}")
    engine.execute(f"CREATE TABLE lfb.incidents AS {mapped(engine, folder / 'lfb')}")
    boroughs = [node.parent for node in folder.glob("*/node.toml") if node.parent.name not in ("loda", "gla", "lfb")]
    columns = "uprn, borough_gss, accommodation_type, hmo, households::INT AS households"
    parts = [f"SELECT {columns} FROM ({mapped(engine, borough)})" for borough in boroughs]
    engine.execute("CREATE TABLE every.dwellings AS " + " UNION ALL ".join(parts))
    return engine


def keyed(rows, inexact):
    """Each row's exact cells, with its inexact ones: numbers that each engine rounds in its own way."""
    table = {}
    for row in rows:
        key = tuple(None if cell in (None, "") else str(cell) for i, cell in enumerate(row) if i not in inexact)
        assert key not in table, f"twice: {key}"
        table[key] = [float(row[i]) for i in sorted(inexact)]
    return table


def main():
    folder, name, answer = sys.argv[1:]
    folder = pathlib.Path(folder)
    question = (folder / "queries" / f"{name}.sql").read_text()
    question, cells = re.subn(r"(GROUP BY [a-z_, ]+)\n", lambda match: match.group(1) + CELL, question)
    assert cells > 0, "the query has no cell"
    result = central(folder).execute(question)
    heading = [column[0] for column in result.description]
    expected = result.fetchall()
    with open(answer, newline="") as lines:
        found_heading, *found = csv.reader(lines)
    assert found_heading == heading, (found_heading, heading)
    assert expected, "nothing to compare"
    inexact = {i for i, cell in enumerate(expected[0]) if isinstance(cell, (float, decimal.Decimal))}
    # Not every query orders its rows wholly: that they come in order is looked at elsewhere.
    expected, found = keyed(expected, inexact), keyed(found, inexact)
    missing, surplus = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not missing and not surplus, f"missing {list(missing)[:5]}, surplus {list(surplus)[:5]}"
    for key, numbers in expected.items():
        assert all(abs(a - b) <= 0.01 for a, b in zip(numbers, found[key])), (key, numbers, found[key])
    print(f"ok {name}: {len(found)} rows")


if __name__ == "__main__":
    main()
