"""Connects to a node as a profile says: copy this file beside your own scripts. Needs adbc-driver-flightsql and pyarrow."""

import os
import pathlib
import tomllib

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions as Options


def connect(profile=None):
    """An ADBC connection (DBAPI 2.0) with the certificate and the purpose of a profile file, or of MERIDIAN_PROFILE."""
    file = pathlib.Path(profile or os.environ["MERIDIAN_PROFILE"])
    said = tomllib.loads(file.read_text())
    options = {
        Options.TLS_ROOT_CERTS.value: (file.parent / said["ca"]).read_text(),
        Options.MTLS_CERT_CHAIN.value: (file.parent / said["cert"]).read_text(),
        Options.MTLS_PRIVATE_KEY.value: (file.parent / said["key"]).read_text(),
    }
    if "purpose" in said:
        options[Options.RPC_CALL_HEADER_PREFIX.value + "meridian-purpose"] = said["purpose"]
    return flightsql.connect(said["node"].replace("https://", "grpc+tls://"), db_kwargs=options, autocommit=True)
