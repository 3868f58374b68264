"""Rooms hold each other in one direction: the graph of who imports whom has no ring."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from tests.checkout import folders

OURS_ALONE = {"benchmarks", "chaos", "demo", "migrations", "tests"}  # nobody imports from these
DEPTH = {"service": 2, "trainers": 2, "metrics": 2}  # names in a room: service.evaluations


def room(module: str) -> str:
    """The room that a module is in, or the module itself where it lies loose."""
    package, *names = module.split(".")
    return ".".join([package, *names][: DEPTH.get(package, 1)])


def uses(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """Each room with the rooms it imports from. A package's own `__init__` is no room."""
    rooms: dict[str, set[str]] = {}
    for module in graph.modules - DEPTH.keys():
        imported = graph.find_modules_directly_imported_by(module) - DEPTH.keys()
        rooms.setdefault(room(module), set()).update(room(one) for one in imported)
    return {name: used - {name} for name, used in rooms.items()}


def test_the_graph_of_rooms_has_no_ring() -> None:
    graph = uses(grimp.build_graph(*folders() - OURS_ALONE))
    assert {"service.evaluations", "trainers.learning", "metrics.core"} <= set(graph)
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("service.jobs") < order.index("service.evaluations")
    assert order.index("inference") < order.index("metrics.core")


def test_a_ring_would_be_found() -> None:
    graph = grimp.ImportGraph()
    for module in ("service.a.x", "service.a.y", "service.b.x", "service.c"):
        graph.add_module(module)
    graph.add_import(importer="service.a.x", imported="service.b.x")
    graph.add_import(importer="service.b.x", imported="service.c")
    graph.add_import(importer="service.c", imported="service.a.y")
    with pytest.raises(CycleError):
        list(TopologicalSorter(uses(graph)).static_order())
