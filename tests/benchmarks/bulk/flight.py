"""pyarrow's C++ Flight over mutual TLS: `serve` holds tables in memory and streams them, `read` counts what it is sent.

Asked one line at a time; answers behind U+001E, what went wrong behind U+001E too."""

import sys
import time

import pyarrow.compute as pc
import pyarrow.flight as flight
import pyarrow.parquet as pq
import pyarrow as pa

END = "\x1e"
BATCH_ROWS = 32 << 10


def contents(path):
    with open(path, "rb") as file:
        return file.read()


class Server(flight.FlightServerBase):
    def __init__(self, ca, cert, key, files):
        super().__init__(
            "grpc+tls://127.0.0.1:0",
            tls_certificates=[(contents(cert), contents(key))],
            verify_client=True,
            root_certificates=contents(ca),
        )
        self.tables = {}
        for file in files:
            name, path = file.split("=", 1)
            batches = list(pq.ParquetFile(path).iter_batches(batch_size=BATCH_ROWS))
            self.tables[name.encode()] = pa.Table.from_batches(batches)

    def do_get(self, context, ticket):
        return flight.RecordBatchStream(self.tables[ticket.ticket])


def serve(ca, cert, key, *files):
    with Server(ca, cert, key, files) as server:
        for _ in sys.stdin:
            print(f"{END}{server.port}", flush=True)


def read(ca, cert, key):
    clients = {}
    for line in sys.stdin:
        uri, ticket, whether = line.split()
        if uri not in clients:
            clients[uri] = flight.FlightClient(
                uri, tls_root_certs=contents(ca), cert_chain=contents(cert).decode(), private_key=contents(key).decode()
            )
        try:
            print(END + answer(clients[uri], bytes.fromhex(ticket), whether == "sum"), flush=True)
        except pa.ArrowException as error:
            print(END + str(error).replace("\n", " "), flush=True)


def answer(client, ticket, summed):
    """Rows, the first column's sum if it is asked for, and seconds."""
    began = time.perf_counter()
    rows, total = 0, 0
    for chunk in client.do_get(flight.Ticket(ticket)):
        rows += chunk.data.num_rows
        if summed:
            total += pc.sum(chunk.data.column(0)).as_py() or 0
    return f"{rows} {total} {time.perf_counter() - began}"


{"serve": serve, "read": read}[sys.argv[1]](*sys.argv[2:])
