"""The HTTP server of `serve`: the MPS API, health and metrics.

`app.py` has the routes. `calls.py` takes a request to its answer: `incoming.py` reads it,
`access.py` says who may call (`signing.py` checks signatures, `replay.py` remembers nonces),
`limits.py` how often, `answers.py` writes JSON and XML, `metrics.py` counts. `action.py` says
what an action is, and `actions/` has them all, one function each. Specification: api, wire,
response_shapes.
"""
