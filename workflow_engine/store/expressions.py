"""SQL that SQLite and PostgreSQL write differently."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class WireTime(FunctionElement[str]):
    """A moment as the API writes it, without its fraction of a second."""

    inherit_cache = True
    type = sa.Text()


@compiles(WireTime, "sqlite")
def _wire_time_of_sqlite(element: WireTime, compiler: SQLCompiler, **options: Any) -> str:
    # its strftime would round
    moment = compiler.process(element.clauses, **options)
    return f"replace(substr({moment}, 1, 19), ' ', 'T') || 'Z'"


@compiles(WireTime, "postgresql")
def _wire_time_of_postgresql(element: WireTime, compiler: SQLCompiler, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"""to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


class JsonArrays(FunctionElement[str]):
    """The values of all rows, an array for each row, in any order, as JSON text."""

    inherit_cache = True
    type = sa.Text()


@compiles(JsonArrays, "sqlite")
def _json_arrays_of_sqlite(element: JsonArrays, compiler: SQLCompiler, **options: Any) -> str:
    values = compiler.process(element.clauses, **options)
    return f"json_group_array(json_array({values}))"


@compiles(JsonArrays, "postgresql")
def _json_arrays_of_postgresql(element: JsonArrays, compiler: SQLCompiler, **options: Any) -> str:
    values = compiler.process(element.clauses, **options)
    return f"coalesce(json_agg(json_build_array({values}))::text, '[]')"


class BeginsWith(FunctionElement[Any]):
    """Whether text begins with other text, letter by letter; in SQLite an index can tell."""

    inherit_cache = True
    type = sa.types.NullType()  # SQLAlchemy would compare a Boolean with 1 for SQLite


@compiles(BeginsWith, "sqlite")
def _begins_with_of_sqlite(element: BeginsWith, compiler: SQLCompiler, **options: Any) -> str:
    text, beginning = (compiler.process(part, **options) for part in element.clauses)
    # no text has characters behind the last one of Unicode
    end = compiler.process(list(element.clauses)[1], **options)
    return f"({text} >= {beginning} AND {text} < {end} || char(1114111))"


@compiles(BeginsWith, "postgresql")
def _begins_with_of_postgresql(element: BeginsWith, compiler: SQLCompiler, **options: Any) -> str:
    return f"starts_with({compiler.process(element.clauses, **options)})"
