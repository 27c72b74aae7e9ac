"""Identifiers and moments, and how the API writes them."""

import hashlib
import uuid
from datetime import UTC, datetime


def new_id() -> str:
    """Return a fresh identifier of 32 hexadecimal characters (specification, topology, 1)."""
    return uuid.uuid4().hex


def stable_id(*parts: str) -> str:
    """Return the identifier that always belongs to these parts, 32 hexadecimal characters."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def run_id_of(workflow_id: str, bucket: str, key: str, version: str) -> str:
    """Return the RunId of the run that an object version starts, always the same."""
    return stable_id("run", workflow_id, bucket, key, version)


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def wire_time(moment: datetime) -> str:
    """Format a moment as the API writes it: `YYYY-MM-DDThh:mm:ssZ`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
