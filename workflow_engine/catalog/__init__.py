"""What is registered: workflows, media, media buckets, pipelines and templates.

Each module has the rules of one of them; `records/catalog.py` has the records. The command line,
the API and the triggers go through the same objects, all reached by `Engine`.
"""
