"""What lands in buckets becomes runs: every object version once, however often it is noticed.

`intake.py` is what listeners and `serve` call. `stability.py` says what is complete,
`admission.py` what it starts, `settling.py` brings the two together, `reconcile.py` compares
listings with what was admitted, `existing.py` says what is older than the watch, and `contents.py`
what is another file under the same version. `explaining.py` tells why an object did or did not
start runs.
"""
