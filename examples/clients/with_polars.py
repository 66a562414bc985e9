"""Polars: households by borough out of every borough's own data, joined here with the boroughs' names."""

import polars
from meridian_profile import connect

with connect() as connection, connection.cursor() as cursor:
    cursor.execute("SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss")
    households = polars.from_arrow(cursor.fetch_arrow_table())
    cursor.execute("SELECT gss AS borough_gss, name FROM gla.boroughs")
    boroughs = polars.from_arrow(cursor.fetch_arrow_table())

print(boroughs.join(households, on="borough_gss").sort("households", descending=True, nulls_last=True))
