"""The limits of the MPS documents as data of the tests' own, and what a topology is told of them.

`rules.py` makes values of a limit, `outputs.py` and `others.py` list the fields, `judging.py`
puts values into topologies.
"""
