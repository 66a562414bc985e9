"""The ADBC driver with a certificate that a node must not accept: it gets nothing, and an error in words.

Arguments: the demo's folder, then certificate and key (none: it presents no certificate at all).
Prints what the driver said.
"""

import sys

import adbc_driver_manager

import adbc


def main():
    folder, *pair = sys.argv[1:]
    cert, key = pair or ("", "")
    got = []
    try:
        with adbc.connect(folder, cert=cert, key=key) as connection:
            got = adbc.rows(connection, "SELECT gss FROM gla.boroughs")
    except adbc_driver_manager.Error as error:
        print(error)
        return
    sys.exit(f"it got {len(got)} rows")


if __name__ == "__main__":
    main()
