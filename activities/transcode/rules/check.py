"""What is wrong with the parameters of a Transcode activity, before any input is known.

Every problem at once, pointers relative to `Parameters`. Single fields have been checked by the
models; here templates, combinations and neighbours in the graph. Specification: topology, 4.2
and 9; transcode.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from activities.objects import name_faults
from activities.templates import Kind, Template, find
from activities.transcode.features.registry import stage_faults
from activities.transcode.model.naming import ALLOWED, clashes, unfilled_key
from activities.transcode.model.output import TranscodeOutput, TranscodeParameters
from activities.transcode.model.settings import settings_of
from activities.transcode.rules.output import faults
from workflow_engine.activity import Neighbourhood
from workflow_engine.errors import Code, InvalidInputError, Problem, Severity, pointer_to


def problems(parameters: TranscodeParameters, neighbourhood: Neighbourhood) -> Iterator[Problem]:
    """Yield every problem of an activity's parameters."""
    yield from _missing(parameters, neighbourhood)
    sound: dict[int, str] = {}
    for index, output in enumerate(parameters.outputs):
        own_problems = list(_name_faults(output, parameters))
        template = _template(output, neighbourhood, own_problems)
        if template:
            own_problems += _output_faults(output, template, parameters, neighbourhood)
        yield from (at_output(problem, index) for problem in own_problems)
        if template and all(problem.severity is Severity.WARNING for problem in own_problems):
            container = settings_of(output, template).container
            sound[index] = unfilled_key(output, container, append=parameters.append_extension)
    yield from _clashes(sound, parameters.outputs)


def at_output(problem: Problem, index: int) -> Problem:
    """Return a problem of one output with its pointer made relative to `Parameters`."""
    return replace(problem, pointer=pointer_to("Outputs", index) + problem.pointer)


def _name_faults(output: TranscodeOutput, parameters: TranscodeParameters) -> Iterator[Problem]:
    if output.output_object:
        yield from name_faults(output.output_object, ALLOWED, output.name_pointer)
    elif not parameters.packaged:
        given = output.name_given
        yield Problem(
            code=Code.EMPTY_VALUE if given else Code.NULL_VALUE,
            message=f'The parameter "OutputObject" is {"empty" if given else "missing"}.',
            pointer=output.name_pointer,
            remedy="Give the output a name: only the streams of packages need none.",
        )


def _missing(parameters: TranscodeParameters, neighbourhood: Neighbourhood) -> Iterator[Problem]:
    if not parameters.outputs and not parameters.packaged:
        yield Problem(
            code=Code.NULL_VALUE,
            message=f'The activity "{neighbourhood.name}" has no Outputs.',
            pointer="/Outputs",
            remedy="Add an array of 1 to 30 outputs.",
        )
    if parameters.output_bucket is None and "PackageConfig" not in neighbourhood.ancestor_types:
        yield Problem(
            code=Code.NULL_VALUE,
            message=f'The activity "{neighbourhood.name}" has no OutputBucket.',
            pointer="/OutputBucket",
            remedy="Add OutputBucket: only a PackageConfig before the activity can replace it.",
        )


def _template(
    output: TranscodeOutput, neighbourhood: Neighbourhood, problems: list[Problem]
) -> Template | None:
    """Return the template of an output; what is wrong with it goes to `problems`."""
    try:
        return find(output.template_id, neighbourhood.templates)
    except InvalidInputError as error:
        problems.append(error.problem())
        return None


def _output_faults(
    output: TranscodeOutput,
    template: Template,
    parameters: TranscodeParameters,
    neighbourhood: Neighbourhood,
) -> Iterator[Problem]:
    if template.kind is Kind.INTELLIGENT and "Analysis" not in neighbourhood.ancestor_types:
        yield Problem(
            code=Code.TEMPLATE_NOT_SUPPORTED,
            message=f'The intelligent template "{template.id}" ({template.name}) needs an '
            f'Analysis activity before "{neighbourhood.name}".',
            pointer="/TemplateId",
            remedy="Put an Analysis before the activity, or use a static template "
            f'("{template.id.replace("S00000000", "S00000001")}").',
        )
    if parameters.packaged:
        return  # the package says what else an output is: see `rules/stream.py`
    settings = settings_of(output, template)
    yield from faults(settings)
    yield from stage_faults(settings, neighbourhood.templates)


def _clashes(keys: Mapping[int, str], outputs: Sequence[TranscodeOutput]) -> Iterator[Problem]:
    places = list(keys)
    for first, second, key in clashes(list(keys.values())):
        yield Problem(
            code=Code.INVALID,
            message=f'The outputs {places[first]} and {places[second]} both write "{key}".',
            pointer=pointer_to("Outputs", places[second]) + outputs[places[second]].name_pointer,
            remedy="Give each output a name of its own.",
        )
