"""Building and sorting the graph alone, with graphlib or networkx."""

from measure import Act, Case, main


def validate(case: Case) -> Act:
    parents = case.parents

    def with_graphlib() -> None:
        from graphlib import TopologicalSorter

        sorter = TopologicalSorter[int]()
        for i, upstream in enumerate(parents):
            sorter.add(i, *upstream)
        if len(list(sorter.static_order())) != len(parents):
            raise AssertionError

    def with_networkx() -> None:
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(parents)))
        graph.add_edges_from((j, i) for i, upstream in enumerate(parents) for j in upstream)
        if len(list(nx.topological_sort(graph))) != len(parents):
            raise AssertionError

    return with_networkx if case.variant == "networkx" else with_graphlib


if __name__ == "__main__":
    main({"validate": validate})
