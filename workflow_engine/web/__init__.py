"""The pages of `serve`: routes, sign-in, protection against other sites, live updates.

`site.py` lists what is served where; `serving.py` is the way of a request: who asks (`door.py`,
`sessions.py`), what may be changed by whom, which headers every answer has. The other modules are
the pages: each takes what it shows from the engine and fills in a template of `pages/`. They
block, so they run in threads; only `live.py`, one stream of events per open page, does not.
"""
