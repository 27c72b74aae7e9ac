"""Analysis: which of the intelligent presets (`S00000000-*`) suit the source, and how.

The way of a decision: `config` is what a user may say, `picture` what outputs keep of the picture
(borders, fields), `samples` which stretches of the source are encoded, `measure` encodes them,
`estimates` knows what lies between the points that were measured, `selection` is the rule, with the
classes and sizes of `classes`; `rates` says how a rung keeps its rate, and `templates` writes the
result. A Transcode behind this activity takes its sections from the item of the TemplateList that
has its TemplateId, and is skipped when there is none. Specification: analysis.
"""

from activities.analysis.activity import Analysis, AnalysisParameters

__all__ = ["Analysis", "AnalysisParameters"]
