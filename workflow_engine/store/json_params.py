"""JSON documents as rows: many values in one parameter, which is far cheaper than many of them."""

import sqlalchemy as sa


def elements(dialect: str, parameter: str) -> sa.TableValuedAlias:
    """Return the strings of a JSON array that comes as a parameter, in the column `value`."""
    document = sa.bindparam(parameter, type_=sa.Text)
    if dialect == "sqlite":
        return sa.func.json_each(document).table_valued("value")
    return sa.func.json_array_elements_text(sa.cast(document, sa.JSON)).table_valued("value")


def members(dialect: str, parameter: str) -> sa.TableValuedAlias:
    """Return names and strings of a JSON object that comes as a parameter: `key` and `value`."""
    document = sa.bindparam(parameter, type_=sa.Text)
    if dialect == "sqlite":
        return sa.func.json_each(document).table_valued("key", "value")
    return sa.func.json_each_text(sa.cast(document, sa.JSON)).table_valued("key", "value")
