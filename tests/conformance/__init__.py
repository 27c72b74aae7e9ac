"""Which documented parameter is proven by which test: `docs/conformance.md` is made of this.

`parameters.py` lists every parameter; a test proves some with the mark
`proves("Video.Crop", by="pixels")`; `table.py` brings both together (`make conformance`).
"""
