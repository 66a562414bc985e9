"""Starts the demo with the given binary and prints readiness, memory (PSS), the warm fire-risk query's time and the processor
time that it takes each body, beside the same SQL by one DataFusion over all rows in memory."""

import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import datafusion

import adbc
import generated

WARM_UP, RUNS = 5, 31


def nodes_of(folder):
    """The node processes of the mesh, by the body."""
    nodes = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and b"\0node\0serve" in command:
            (configuration,) = (word for word in command.split(b"\0") if word.endswith(b"node.toml"))
            nodes[pathlib.Path(configuration.decode()).parent.name] = process
    return nodes


def pss_of(process):
    """Proportional set size, in MiB."""
    rollup = (process / "smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def processor_of(process):
    """Processor time so far, in milliseconds."""
    of_user, of_kernel = (process / "stat").read_text().rsplit(") ", 1)[1].split()[11:13]
    return (int(of_user) + int(of_kernel)) * 1000 / os.sysconf("SC_CLK_TCK")


def timed(ask):
    """Asks often enough, and returns the times of the runs that count, in order, in milliseconds."""
    times = []
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        rows = ask()
        times.append((time.perf_counter() - start) * 1000)
        assert rows == 33, rows
    return sorted(times[WARM_UP:])


def central(folder):
    """One DataFusion that holds the rows of all bodies in memory."""
    engine, _ = generated.central(folder)
    config = datafusion.SessionConfig().with_target_partitions(2).with_default_catalog_and_schema("london", "public")
    context = datafusion.SessionContext(config)
    tables = engine.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
    for schema in {schema for schema, _ in tables}:
        context.sql(f"CREATE SCHEMA {schema}").collect()
    for schema, table in tables:
        rows = engine.sql(f"FROM {schema}.{table}").to_arrow_table()
        of_schema = context.catalog("london").schema(schema)
        of_schema.register_table(table, context.from_arrow(rows).cache())
    return context


def shown(times):
    return f"median {statistics.median(times):.0f} ms, fastest {times[0]:.0f} ms, slowest {times[-1]:.0f} ms"


def main():
    (binary,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "mesh"
        began = time.monotonic()
        demo = subprocess.Popen([binary, "demo", "--dir", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = []
        for line in demo.stderr:
            said.append(line)
            if "nodes are ready" in line:
                print(line.strip())
            if "Ctrl-C" in line:
                break
        else:
            sys.exit("".join(said))
        print(f"demo up, question answered: {time.monotonic() - began:.1f} s after its start")
        try:
            sql = (folder / "queries" / "fire_risk.sql").read_text()
            nodes = nodes_of(folder)
            idle = processors(nodes)
            time.sleep(5)
            idle = {body: (now - idle[body]) / 5 for body, now in processors(nodes).items()}
            with adbc.connect(folder) as connection:
                before, since = processors(nodes), time.monotonic()
                times = timed(lambda: len(adbc.rows(connection, sql)))
                seconds = time.monotonic() - since
                used = {body: (now - before[body]) / (WARM_UP + RUNS) for body, now in processors(nodes).items()}
            print(f"warm fire-risk query, {RUNS} runs: {shown(times)}")
            asker, others = used.pop("loda"), list(used.values())
            print(f"processor time for each question: {asker:.0f} ms at the asker's node, {statistics.median(others):.1f} ms (median) and "
                  f"{max(others):.1f} ms (most) at another, {asker + sum(others):.0f} ms at all {len(nodes)}; what they do anyway, "
                  f"{sum(idle.values()):.0f} ms a second, is in it for {seconds / (WARM_UP + RUNS):.2f} s each")
            print(f"memory of {len(nodes)} node processes together: {sum(map(pss_of, nodes.values())):.0f} MiB PSS")
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(30)
        one = central(folder)
        before = time.process_time()
        times = timed(lambda: sum(batch.num_rows for batch in one.sql(sql).collect()))
        each = (time.process_time() - before) * 1000 / (WARM_UP + RUNS)
        print(f"the same SQL by DataFusion {datafusion.__version__} over all rows in memory: {shown(times)}; processor time {each:.0f} ms")


def processors(nodes):
    return {body: processor_of(process) for body, process in nodes.items()}


if __name__ == "__main__":
    main()
