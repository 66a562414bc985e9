"""A client no one here wrote, the ADBC Flight SQL driver, against a node of a running demo.

Arguments: the demo's folder, then the names of the checks to run (all by default). Each check prints `ok NAME`.
"""

import json
import pathlib
import sys
import threading
import tomllib

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions


def connect(folder, purpose="fire-risk", cookies=False, **overrides):
    """Connects as the profile says; `overrides` replaces cert and key by other files. With cookies a session is kept."""
    profile_file = pathlib.Path(folder) / "asha" / "profile.toml"
    profile = tomllib.loads(profile_file.read_text())
    profile.update(overrides)

    def text(key):
        return (profile_file.parent / profile[key]).read_text()

    options = {DatabaseOptions.TLS_ROOT_CERTS.value: text("ca")}
    if profile.get("cert"):
        options[DatabaseOptions.MTLS_CERT_CHAIN.value] = text("cert")
        options[DatabaseOptions.MTLS_PRIVATE_KEY.value] = text("key")
    if purpose:
        options[DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "meridian-purpose"] = purpose
    if cookies:
        options[DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value] = "true"
    uri = profile["node"].replace("https://", "grpc+tls://")
    return flightsql.connect(uri, db_kwargs=options, autocommit=True)


def rows(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def refused(action, *words):
    """The action must fail, and its error must say these words."""
    try:
        action()
    except adbc_driver_manager.Error as error:
        text = str(error)
        for word in words:
            assert word in text, f"{word!r} is not in: {text}"
        return text
    raise AssertionError("it was not refused")


def hello(folder):
    with connect(folder) as connection:
        assert rows(connection, "SELECT 1 + 1 AS two") == [(2,)]


def query(folder):
    with connect(folder) as connection:
        assert rows(connection, "SELECT 1 + 1 AS two") == [(2,)]
        boroughs = rows(connection, "SELECT gss, name FROM gla.boroughs ORDER BY gss")
        assert len(boroughs) == 33 and boroughs[0] == ("E09000001", "City of London"), boroughs[:2]
        fires = rows(connection, "SELECT borough_gss, COUNT(*) FROM lfb.incidents GROUP BY borough_gss")
        assert fires and all(count >= 10 for _, count in fires), fires


def prepared(folder):
    with connect(folder) as connection, connection.cursor() as cursor:
        sql = "SELECT name FROM gla.boroughs WHERE gss = ?"
        for gss, name in [("E09000007", "Camden"), ("E09000012", "Hackney")]:
            cursor.execute(sql.replace("?", "$1"), (gss,))
            assert cursor.fetchall() == [(name,)]
        year = "SELECT COUNT(*) AS fires FROM lfb.incidents WHERE year = $1"
        counts = [rows(connection, year, (y,))[0][0] for y in (2019, 2020)]
        assert all(count > 1000 for count in counts) and counts[0] != counts[1], counts
        # A parameter is a value, whatever it looks like.
        assert rows(connection, "SELECT name FROM gla.boroughs WHERE gss = $1", ("' OR 1=1 --",)) == []


def metadata(folder):
    with connect(folder) as connection:
        info = connection.adbc_get_info()
        assert "eridian" in info["vendor_name"], info
        objects = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
        (london,) = [o for o in objects if o["catalog_name"] == "london"]
        tables = {
            (schema["db_schema_name"], table["table_name"]): [c["column_name"] for c in table["table_columns"]]
            for schema in london["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        }
        assert ("gla", "boroughs") in tables and ("every", "dwellings") in tables, tables.keys()
        assert "borough_gss" in tables[("lfb", "incidents")]
        # What is hidden does not exist for whoever asks from outside.
        assert "easting" not in tables[("lfb", "incidents")], tables[("lfb", "incidents")]
        assert connection.adbc_get_table_types()
        schema = connection.adbc_get_table_schema("boroughs", catalog_filter="london", db_schema_filter="gla")
        assert schema.names[:2] == ["gss", "name"], schema


def big(folder):
    sql = "SELECT a.gss AS a, b.gss AS b, c.name AS c, d.name AS d FROM {}".format(
        ", ".join(f"gla.boroughs {alias}" for alias in "abcd")
    )
    with connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        total = sum(batch.num_rows for batch in cursor.fetch_record_batch())
        assert total == 33**4, total


def cancel(folder):
    sql = "SELECT a.*, b.*, c.*, d.name FROM {}".format(", ".join(f"gla.boroughs {alias}" for alias in "abcd"))
    with connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        cursor.adbc_cancel()
        try:
            rest = sum(batch.num_rows for batch in reader)
        except Exception:
            rest = 0
        assert rest < 33**4 // 2, "a cancelled query went on to its end"
        # The connection is good for the next question.
        assert rows(connection, "SELECT 1") == [(1,)]


def refusals(folder):
    with connect(folder) as connection:
        refused(lambda: rows(connection, "SELECT * FROM lfb.incidents"), "lfb", "statistics")
        refused(lambda: rows(connection, "SELECT COUNT(*) FROM lfb.incidents WHERE easting > 0"), "easting")
        refused(lambda: rows(connection, "SELEC 1"), "line 1")
        refused(lambda: rows(connection, "SELECT * FROM lfb.nothing"), "lfb.nothing")
        refused(lambda: rows(connection, "DROP TABLE gla.boroughs"), "only a query")
        refused(lambda: rows(connection, "SELECT name FROM gla.boroughs WHERE nam = 'x'"), "nam")
        refused(lambda: rows(connection, "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'"), "only a query")
    with connect(folder, purpose=None) as connection:
        refused(lambda: rows(connection, "SELECT COUNT(*) FROM lfb.incidents"), "purpose")


def session(folder):
    fires = "SELECT COUNT(*) FROM lfb.incidents"
    option = ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value
    with connect(folder, purpose=None, cookies=True) as connection:
        refused(lambda: rows(connection, fires), "purpose")
        connection.adbc_connection.set_options(**{option + "purpose": "fire-risk"})
        assert rows(connection, fires)[0][0] > 1000
        held = connection.adbc_connection.get_option(ConnectionOptions.OPTION_SESSION_OPTIONS.value)
        assert json.loads(held) == {"purpose": "fire-risk"}, held
        refused(lambda: connection.adbc_connection.set_options(**{option + "catalog": "paris"}), "catalog")
        # The same by a statement; and a header goes before the session.
        with connection.cursor() as cursor:
            cursor.execute("SET purpose = 'curiosity'")
        refused(lambda: rows(connection, fires), "curiosity")
        header = ConnectionOptions.RPC_CALL_HEADER_PREFIX.value + "meridian-purpose"
        connection.adbc_connection.set_options(**{header: "fire-risk"})
        assert rows(connection, fires)[0][0] > 1000
    # Without cookies there is no session to set it in, and the advice says what there is.
    with connect(folder, purpose=None) as connection:
        refused(lambda: rows(connection, "SET purpose = 'fire-risk'"), "adbc.flight.sql.rpc.with_cookie_middleware")


CHECKS = {f.__name__: f for f in (hello, query, prepared, metadata, big, cancel, refusals, session)}


def main():
    folder, *names = sys.argv[1:]
    for name in names or CHECKS:
        # A check that hangs is a failure of its own, not of the whole run.
        failure = []

        def run():
            try:
                CHECKS[name](folder)
            except BaseException as error:  # noqa: BLE001: whatever it was, it is reported
                failure.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(120)
        if thread.is_alive():
            sys.exit(f"{name}: no end after 120 s")
        if failure:
            print(f"{name}: {type(failure[0]).__name__}: {failure[0]}", file=sys.stderr)
            raise failure[0]
        print(f"ok {name}", flush=True)


if __name__ == "__main__":
    main()
