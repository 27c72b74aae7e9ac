"""Actions of MPS that this server does not offer, and names that are no actions at all.

The first are those of the specification's later scope (api, 16) and of the published client
libraries, so that a client is told which of the two it has met.
"""

from collections.abc import Collection

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import shown

_CENSORSHIP = (
    "ImAudit",
    "QueryMediaCensorJobDetail",
    "QueryMediaCensorJobList",
    "SubmitMediaCensorJob",
)

_VIDEO_DNA = (
    "CreateFpShotDB",
    "ImportFpShotJob",
    "ListFpShotDB",
    "ListFpShotFiles",
    "ListFpShotImportJob",
    "QueryFpDBDeleteJobList",
    "QueryFpFileDeleteJobList",
    "QueryFpShotJobList",
    "ReportFpShotJobResult",
    "SubmitFpDBDeleteJob",
    "SubmitFpFileDeleteJob",
    "SubmitFpShotJob",
)

#: the specification and the libraries name them differently
_DIGITAL_WATERMARK = (
    "QueryCopyright",
    "QueryCopyrightExtract",
    "QueryCopyrightExtractJob",
    "QueryCopyrightJob",
    "QueryTraceAb",
    "QueryTraceAbJob",
    "QueryTraceExtract",
    "QueryTraceExtractJob",
    "QueryTraceM3u8Job",
    "QueryTraceMu",
    "SubmitCopyrightExtract",
    "SubmitCopyrightExtractJob",
    "SubmitCopyrightJob",
    "SubmitImageCopyright",
    "SubmitTraceAb",
    "SubmitTraceAbJob",
    "SubmitTraceExtract",
    "SubmitTraceExtractJob",
    "SubmitTraceM3u8Job",
    "SubmitTracemu",
)

_SMART_TAGS = (
    "AddSmarttagTemplate",
    "CreateCustomEntity",
    "CreateCustomGroup",
    "DeleteCustomEntity",
    "DeleteCustomGroup",
    "DeleteCustomView",
    "DeleteSmarttagTemplate",
    "ListCustomEntities",
    "ListCustomGroups",
    "ListCustomPersons",
    "ListCustomViews",
    "QuerySmarttagJob",
    "QuerySmarttagTemplateList",
    "RegisterCustomFace",
    "RegisterCustomView",
    "SubmitSmarttagJob",
    "TagCustomPerson",
    "UnregisterCustomFace",
    "UpdateSmarttagTemplate",
)

_INTELLIGENT_PRODUCTION = ("QueryIProductionJob", "SubmitIProductionJob")

#: names of actions that exist elsewhere
UNSUPPORTED = frozenset(
    (*_CENSORSHIP, *_VIDEO_DNA, *_DIGITAL_WATERMARK, *_SMART_TAGS, *_INTELLIGENT_PRODUCTION)
)


def unsupported(name: str, offered: Collection[str]) -> InvalidInputError:
    """Return the error for an action that is not among the offered ones."""
    if name in UNSUPPORTED:
        return InvalidInputError(
            Code.UNSUPPORTED_OPERATION,
            f'This server does not offer the action "{name}".',
            remedy="Use another service for it.",
        )
    return InvalidInputError(
        Code.UNSUPPORTED_OPERATION,
        f"The action {shown(name)} is not known.",
        remedy=Suggester([*offered, *UNSUPPORTED]).remedy(name),
    )
