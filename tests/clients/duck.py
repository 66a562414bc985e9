"""DuckDB, asked by the benchmark of TPC-H: a statement a line; rows, and behind them the seconds it took or the error.

`duck.py THREADS [EXTENSION]`: an extension is taken from the package `duckdb-extension-…` that is installed.
"""

import importlib.resources
import sys
import time

import duckdb

FIELD, END = "\x1f", "\x1e"


def text(value):
    return "NULL" if value is None else str(value)


def main():
    threads, *extensions = sys.argv[1:]
    connection = duckdb.connect(config={"threads": int(threads)})
    for extension in extensions:
        files = importlib.resources.files(f"duckdb_extension_{extension}") / "extensions" / f"v{duckdb.__version__}"
        connection.load_extension(str(files / f"{extension}.duckdb_extension"))
    for statement in sys.stdin:
        try:
            began = time.perf_counter()
            relation = connection.sql(statement)
            table = relation.to_arrow_table() if relation is not None else None
            end = str(time.perf_counter() - began)
            for row in zip(*(column.to_pylist() for column in table.columns)) if table is not None else ():
                print(FIELD.join(map(text, row)))
        except duckdb.Error as error:
            end = "DuckDB says: " + " ".join(str(error).split())
        print(END + end, flush=True)


if __name__ == "__main__":
    main()
