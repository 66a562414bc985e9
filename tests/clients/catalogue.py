"""Checks the catalogue's documents by others' tools: DCAT-AP as RDF against shapes, records of the UK model against its schema.

Arguments: `dcat`, a file of JSON-LD and the address it is from; or `exchange-model` and a file of JSON. Prints how many datasets
there are.
"""

import json
import pathlib
import socket
import sys

import jsonschema
import pyshacl
import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF

HERE = pathlib.Path(__file__).parent


def offline(*arguments, **options):
    raise RuntimeError("nothing has to be fetched to read the catalogue")


socket.socket.connect = offline


def dcat(file, address):
    graph = rdflib.Graph()
    graph.parse(file, format="json-ld", publicID=address)
    shapes = rdflib.Graph().parse(HERE / "dcat-ap.ttl")
    conforms, _, text = pyshacl.validate(graph, shacl_graph=shapes, inference="none")
    if not conforms:
        sys.exit(text)
    datasets = set(graph.subjects(RDF.type, DCAT.Dataset))
    catalogues = set(graph.subjects(RDF.type, DCAT.Catalog))
    for catalogue in catalogues:
        if set(graph.objects(catalogue, DCAT.dataset)) != datasets:
            sys.exit("the catalogue does not hold exactly its datasets")
    if len(set(graph.objects(None, DCTERMS.identifier))) != len(datasets):
        sys.exit("two datasets have one identifier")
    # The shapes hold of something: without its publisher's name it is refused.
    graph.remove((None, FOAF.name, None))
    if pyshacl.validate(graph, shacl_graph=shapes, inference="none")[0]:
        sys.exit("the shapes refuse nothing")
    return len(datasets)


def exchange_model(file):
    told = json.loads(pathlib.Path(file).read_text())
    schema = json.loads((HERE / "exchange-model.json").read_text())
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for record in told["datasets"]:
        for error in check.iter_errors(record):
            sys.exit(f"{record.get('identifier')}: {error.json_path}: {error.message}")
        if not list(check.iter_errors({**record, "licence": ""})):
            sys.exit("the schema refuses nothing")
    return len(told["datasets"])


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print("ok", {"dcat": dcat, "exchange-model": exchange_model}[what](*arguments))
