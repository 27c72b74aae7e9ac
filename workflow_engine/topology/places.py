"""Buckets as parameters, of topologies and of requests alike."""

from typing import Annotated

from pydantic import AfterValidator

from workflow_engine.errors import InvalidInputError
from workflow_engine.topology.urls import check_bucket_name
from workflow_engine.topology.wire import Text, wire_error


def _bucket(name: str) -> str:
    try:
        check_bucket_name(name)
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    return name


#: the name of a bucket
BucketName = Annotated[str, Text(), AfterValidator(_bucket)]
