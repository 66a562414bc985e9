"""Questions of the demo asked of its generated files with another engine, compared row for row.

Arguments: the demo's folder, then by pairs the name of one of its queries and a CSV file with what the mesh answered.

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

# What is counted or summed, and what is computed from that; everything else is a label.
COUNTED = {"fires", "in_temporary_accommodation"}
DERIVED = {
    "fires_per_1000",
    "hmo_fires_percent",
    "hmo_households_percent",
    "square_metres_per_head",
    "admissions_per_100000",
    "households_per_vacant_home",
}
EXACT = {"licences", "buildings", "population", "hectares", "no2", "admissions", "vacant", "spent"}
FIGURES = COUNTED | DERIVED | EXACT | {"households"}


def published(folder):
    """The description of each dataset of a body, and the SQL of its columns over its file, as its own mapping has it."""
    for description in sorted((folder / "datasets").glob("*.toml")):
        dataset = tomllib.loads(description.read_text())
        path = folder / dataset["source"]["path"]
        read = {"csv": "read_csv('{}', header = true, all_varchar = true)", "parquet": "read_parquet('{}')"}
        source = f"SELECT * FROM {read[dataset['source']['kind']].format(path)}"
        rows = f"WITH source AS ({source}) {dataset['mapping']['sql']}" if "mapping" in dataset else source
        columns = ", ".join(f'CAST("{c["name"]}" AS {c["type"]}) AS "{c["name"]}"' for c in dataset["columns"])
        yield dataset, f"SELECT {columns} FROM ({rows})"


def central(folder):
    """All bodies' rows in one place, as none of them would give them away; and the names of those that are protected."""
    engine = duckdb.connect()
    engine.execute("ATTACH ':memory:' AS london; USE london; CREATE SCHEMA every")
    parts, protected = {}, set()
    for node in sorted(folder.glob("*/node.toml")):
        body = node.parent.name
        engine.execute(f"CREATE SCHEMA {body}")
        for dataset, rows in published(node.parent):
            name = dataset["name"]
            engine.execute(f"CREATE TABLE {body}.{name} AS {rows}")
            names = [f"{body}.{name}"]
            if "standard" in dataset:
                parts.setdefault(dataset["standard"], []).append(f"SELECT '{body}' AS _body, * FROM {body}.{name}")
                names.append(f"every.{dataset['standard']}")
            if dataset["form"] != "open":
                protected.update(names)
    for standard, rows in parts.items():
        engine.execute(f"CREATE TABLE every.{standard} AS " + " UNION ALL BY NAME ".join(rows))
    return engine, protected


def allowed(name, row, is_exact):
    """How far a figure may be from the true one."""
    if is_exact or name in EXACT:
        return 0 if name not in DERIVED else 0.1
    if name in COUNTED:
        return NOISE
    if name == "households":
        return SUMS
    if name == "fires_per_1000":
        return 1000 * (NOISE + row["fires"] * SUMS / row["households"]) / (row["households"] - SUMS) + 0.001
    if name == "households_per_vacant_home":
        return NOISE / row["vacant"] + 0.01
    return 2


def keyed(heading, rows):
    """Each row's figures by its labels."""
    table = {}
    for row in rows:
        named = dict(zip(heading, row))
        figures = {name: None if value in (None, "") else float(value) for name, value in named.items() if name in FIGURES}
        key = tuple(None if value in (None, "") else str(value) for name, value in named.items() if name not in figures)
        assert key not in table, f"twice: {key}"
        table[key] = figures
    return table


def grouped(question, at):
    """What the SELECT whose GROUP BY stands at this place reads, without its subqueries."""
    depth, read = 0, []
    for place in range(at - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(question[place], 0)
        if depth == 0 and question[place] != ")":
            read.append(question[place])
            if question.startswith("FROM", place):
                return "".join(reversed(read))
        assert depth >= 0, "no FROM before GROUP BY"
    raise AssertionError("no FROM before GROUP BY")


def asked(engine, question, protected, units):
    """The answer with the groups of so many units and more, and how many kinds of groups those are."""
    cells = 0

    def at_least(match):
        nonlocal cells
        if not any(name in grouped(question, match.start()) for name in protected):
            return match.group(0)
        cells += 1
        return f"{match.group(1)} HAVING count(*) >= {units}\n"

    result = engine.execute(re.sub(r"(GROUP BY [a-z_,. ]+)\n", at_least, question))
    heading = [column[0] for column in result.description]
    return heading, keyed(heading, result.fetchall()), cells


def compare(engine, protected, name, question, answer):
    """Fails where the mesh's answer is none that the rows allow."""
    heading, may, cells = asked(engine, question, protected, 10)
    _, must, _ = asked(engine, question, protected, 10 + NOISE)
    is_open = not any(dataset in question for dataset in protected)
    assert is_open or cells > 0, "the query has no cell"
    with open(answer, newline="") as lines:
        found_heading, *found = csv.reader(lines)
    assert found_heading == heading, (found_heading, heading)
    assert must, "nothing to compare"
    # Not every query orders its rows wholly: that they come in order is looked at elsewhere.
    found = keyed(heading, found)
    missing, surplus = must.keys() - found.keys(), found.keys() - may.keys()
    assert not missing and not surplus, f"{name}: missing {list(missing)[:5]}, surplus {list(surplus)[:5]}"
    for key, figures in found.items():
        for figure, value in figures.items():
            true = may[key][figure]
            assert (value is None) == (true is None), (name, key, figure, value, true)
            if value is not None:
                counts_homes = figure != "households" or "every.dwellings" in question
                most = allowed(figure, may[key], is_open or not counts_homes)
                assert abs(value - true) <= most + 1e-9, (name, key, figure, value, true, most)
    exact = sum(figures == may[key] for key, figures in found.items())
    # A few counts may all have drawn nothing.
    assert is_open or exact < len(found) or len(found) < 10, f"{name}: no figure carries noise"
    print(f"ok {name}: {len(found)} rows")


def main():
    folder, *pairs = sys.argv[1:]
    folder = pathlib.Path(folder)
    engine, protected = central(folder)
    for name, answer in zip(pairs[::2], pairs[1::2], strict=True):
        text = (folder / "queries" / f"{name}.sql").read_text()
        compare(engine, protected, name, re.sub(r"SET purpose = '[a-z-]+';", "", text), answer)


if __name__ == "__main__":
    main()
