"""The fire-risk question asked of the published files with another engine, compared row for row.

Arguments: the folder of published data, and a CSV file with what the mesh answered.
"""

import csv
import pathlib
import sys

import duckdb

QUESTION = """
WITH fires AS (
    SELECT borough AS gss, count(*) AS fires
    FROM read_csv($fires, all_varchar = true)
    WHERE substr(date, 1, 4) BETWEEN '2019' AND '2023'
    GROUP BY 1
), households AS (
    SELECT "Lower tier local authorities Code" AS gss, any_value("Lower tier local authorities") AS borough,
           sum(CAST(CAST("Observation" AS DOUBLE) AS BIGINT)) AS households
    FROM read_csv($census, all_varchar = true)
    GROUP BY 1
)
SELECT gss, borough, fires, households, 1000.0::DOUBLE * fires / households AS fires_per_1000
FROM fires JOIN households USING (gss)
ORDER BY fires_per_1000 DESC, gss
"""


def main():
    data, answer = map(pathlib.Path, sys.argv[1:])
    files = {
        "fires": str(data / "fire/lfb_dwelling_fires_2009_2024.csv"),
        "census": str(data / "housing/census2021_hmo_by_accommodation_lad.csv"),
    }
    expected = duckdb.execute(QUESTION, files).fetchall()
    with answer.open(newline="") as lines:
        heading, *found = csv.reader(lines)
    assert heading == ["borough_gss", "borough", "fires", "households", "fires_per_1000"], heading
    assert len(expected) == 33, len(expected)
    assert len(found) == len(expected), (len(found), len(expected))
    for row, (gss, borough, fires, households, rate) in zip(found, expected):
        assert row[:4] == [gss, borough, str(fires), str(households)], (row, gss, borough, fires, households)
        assert abs(float(row[4]) - rate) <= 0.0005 + 1e-9, (row, rate)
    print(f"ok {len(found)} rows")


if __name__ == "__main__":
    main()
