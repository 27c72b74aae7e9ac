"""The engine: topology, graph, plan, execution, store."""
