"""A question of the demo asked of its generated files with another engine, compared row for row.

Arguments: the demo's folder, the name of one of its queries, and a CSV file with what the mesh answered.

Every cell that leaves a body counts at least ten units and carries noise of at most five. So each group of fifteen and
more has to be there, none of fewer than ten may be, and figures may differ by the noise.
"""

import csv
import pathlib
import re
import sys
import tomllib

import duckdb

# The largest noise of a count; a dwelling stands for ten households at most, which is its bound.
NOISE = 5
SUMS = 10 * NOISE


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


def allowed(name, row):
    """How far a figure may be from the true one."""
    if name == "fires":
        return NOISE
    if name == "households":
        return SUMS
    if name == "fires_per_1000":
        return 1000 * (NOISE + row["fires"] * SUMS / row["households"]) / (row["households"] - SUMS) + 0.001
    return 2


def is_figure(name):
    """Whether a column is a figure; the others are labels."""
    return name in ("fires", "households", "fires_per_1000") or name.endswith("_percent")


def keyed(heading, rows):
    """Each row's figures by its labels."""
    table = {}
    for row in rows:
        named = dict(zip(heading, row))
        figures = {name: float(value) for name, value in named.items() if is_figure(name)}
        key = tuple(None if value in (None, "") else str(value) for name, value in named.items() if name not in figures)
        assert key not in table, f"twice: {key}"
        table[key] = figures
    return table


def asked(engine, question, units):
    """The answer with the groups of so many units and more."""
    question, cells = re.subn(
        r"(GROUP BY [a-z_, ]+)\n", lambda match: f"{match.group(1)} HAVING count(*) >= {units}\n", question
    )
    assert cells > 0, "the query has no cell"
    result = engine.execute(question)
    heading = [column[0] for column in result.description]
    return heading, keyed(heading, result.fetchall())


def main():
    folder, name, answer = sys.argv[1:]
    folder = pathlib.Path(folder)
    question = (folder / "queries" / f"{name}.sql").read_text()
    engine = central(folder)
    heading, may = asked(engine, question, 10)
    _, must = asked(engine, question, 10 + NOISE)
    with open(answer, newline="") as lines:
        found_heading, *found = csv.reader(lines)
    assert found_heading == heading, (found_heading, heading)
    assert must, "nothing to compare"
    # Not every query orders its rows wholly: that they come in order is looked at elsewhere.
    found = keyed(heading, found)
    missing, surplus = must.keys() - found.keys(), found.keys() - may.keys()
    assert not missing and not surplus, f"missing {list(missing)[:5]}, surplus {list(surplus)[:5]}"
    for key, figures in found.items():
        for figure, value in figures.items():
            most = allowed(figure, may[key])
            assert abs(value - may[key][figure]) <= most, (key, figure, value, may[key][figure], most)
    exact = sum(figures == may[key] for key, figures in found.items())
    # A few counts may all have drawn nothing.
    assert exact < len(found) or len(found) < 10, "no figure carries noise"
    print(f"ok {name}: {len(found)} rows")


if __name__ == "__main__":
    main()
