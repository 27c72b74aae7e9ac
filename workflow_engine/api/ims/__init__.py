"""The actions of IMS, version 2020-11-09 (specification, other_seeds, 2; mediainfo, 4).

Parameters travel in the query, structured ones as JSON; lists in answers are plain arrays.
"""

from collections.abc import Mapping

from workflow_engine.api.action import Action, actions_of
from workflow_engine.api.ims import convert_jobs, media_info_jobs

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for module in (convert_jobs, media_info_jobs)
    for action in actions_of(module)
}
