"""What is registered: workflows, media, media buckets, pipelines and templates.

`records.py` has the records; each other module the rules of one of them. The command line, the
API and the triggers go through the same objects, all reached by `Engine`.
"""
