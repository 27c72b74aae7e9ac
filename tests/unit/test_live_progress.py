"""The bars on a terminal: speed, and the time that is left, which counts down by itself."""

import io
import sys
from dataclasses import replace

import pytest

from workflow_engine.cli.progress import Countdown, LiveProgress
from workflow_engine.records import ActivityRecord, ActivityState, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_counts_down_until_it_should_be_over():
    now = 0.0
    left = Countdown(lambda: now)
    assert str(left) == ""
    left.set(200)
    assert str(left) == "about 3 min left"
    now = 160
    assert str(left) == "about 40 s left"
    now = 201
    assert str(left) == ""
    left.set(None)
    assert str(left) == ""


def test_speed_and_time_left_are_drawn_while_an_activity_runs(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal)  # here: pytest has its own before a test
    running = ActivityRecord(name="hd", type="Transcode", state=ActivityState.RUNNING)

    def drawn() -> str:
        before = len(terminal.getvalue())
        shown._bars.refresh()
        return terminal.getvalue()[before:]

    with LiveProgress() as shown:
        shown.activity_changed(running)
        assert "hd" in drawn()
        shown.progressed(
            "hd", Progress(fraction=0.4, speed=2.53, seconds_left=41, run_seconds_left=190)
        )
        now = drawn()
        assert " 40%" in now and "2.5x" in now and "about 40 s left" in now
        assert "whole run: about 3 min left" in now
        # its outputs are still published
        shown.progressed("hd", Progress(fraction=1.0))
        now = drawn()
        assert " 99%" in now and "2.5x" not in now and "left" not in now
        shown.activity_changed(replace(running, state=ActivityState.SUCCESS))
        shown.progressed("hd", Progress(fraction=1.0, seconds_left=5))
        now = drawn()
        assert "100%" in now and "left" not in now


def test_what_had_failed_and_runs_again_has_a_new_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    running = ActivityRecord(name="hd", type="Transcode", state=ActivityState.RUNNING)
    with LiveProgress() as shown:
        shown.activity_changed(running)
        shown.progressed("hd", Progress(fraction=0.4, seconds_left=190))
        shown.activity_changed(replace(running, state=ActivityState.FAIL))
        (bar,) = shown._bars.tasks
        assert str(bar.fields["left"]) == ""
        shown.progressed("hd", Progress(fraction=0.5, seconds_left=190))  # told too late
        assert (bar.completed, str(bar.fields["left"])) == (0.4, "")
        shown.activity_changed(running)
        assert bar.completed == 0 and (bar.elapsed or 0) >= 0
        shown.progressed("hd", Progress(fraction=0.1, seconds_left=190))
        assert (bar.completed, str(bar.fields["left"])) == (0.1, "about 3 min left")
