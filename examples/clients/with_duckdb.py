"""DuckDB: an answer of the mesh is a table like any other, beside a file of one's own."""

import pathlib
import tempfile

import duckdb
from meridian_profile import connect

with tempfile.TemporaryDirectory() as folder:
    mine = pathlib.Path(folder) / "visits.csv"
    mine.write_text("borough_gss,visits\nE09000007,120\nE09000012,80\n")
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss")
        fires = cursor.fetch_record_batch()  # Read as it arrives.
        print(duckdb.sql(f"SELECT borough_gss, visits, fires FROM fires JOIN '{mine}' USING (borough_gss) ORDER BY 1"))
