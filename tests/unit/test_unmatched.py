"""The log of what starts nothing: a line each, but no flood."""

import logging

import pytest

from workflow_engine.ingest.unmatched import LINES, PERIOD, UnmatchedLog


def test_a_flood_is_summed_up(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    now = [1000.0]
    log = UnmatchedLog(lambda: now[0])
    for number in range(10_000):
        log.say("uploads", f"{number}.jpg", "it is a picture")
    for number in range(5):
        log.say("archive", f"{number}.txt", f"reason {number}")
    assert len(caplog.messages) == LINES
    assert (
        caplog.messages[0] == 'object "0.jpg" of bucket "uploads" starts nothing: it is a picture'
    )
    now[0] += PERIOD - 1
    log.sum_up()
    assert len(caplog.messages) == LINES
    now[0] += 1
    log.sum_up()
    log.sum_up()
    first, second = caplog.messages[LINES:]
    assert first == (
        f'{10_000 - LINES} more objects of bucket "uploads" start nothing '
        f"({10_000 - LINES}: it is a picture)"
    )
    assert second.startswith('5 more objects of bucket "archive" start nothing (1: reason 0; ')
    assert second.endswith("; 2: other reasons)")
    log.say("uploads", "later.jpg", "it is a picture")
    assert "later.jpg" in caplog.messages[-1]
