"""Executors: who calls `Runner.run_activity`, in which order, and who gets to watch.

`inline.py` uses threads and nothing else. `prefect_flow.py` turns the execution into a Prefect
flow run with one task per activity, and `prefect_server.py` finds or starts the local server.
Both executors give the same states, outputs and records. Decisions 1-4.
"""
