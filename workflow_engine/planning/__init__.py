"""From a topology and one input to what will be done. Pure: nothing here does I/O.

`graph` makes a checked DAG of a topology with the structural `rules`; `plan` makes steps, content
keys and shared decodes of a graph and one input.
"""
