"""The arithmetic of pauses, and what the system says of causes that pass."""

import errno
import os
import socket

import pytest

from workflow_engine.activity.retry import JITTER, RetryPolicy
from workflow_engine.errors import (
    ActivityError,
    Code,
    InvalidInputError,
    Transient,
    file_error,
    transience,
)

MIDDLE = 0.5


def test_pauses_double_up_to_the_longest():
    policy = RetryPolicy(attempts=9, first_pause=2, longest_pause=30)
    pauses = [policy.pause(n, Transient.STORAGE, MIDDLE) for n in range(1, 8)]
    assert pauses == [2, 4, 8, 16, 30, 30, 30]
    assert policy.pause(10_000, Transient.STORAGE, MIDDLE) == 30


def test_a_full_disk_has_the_longest_pause_from_the_beginning():
    policy = RetryPolicy(first_pause=1, longest_pause=60)
    assert policy.pause(1, Transient.SPACE, MIDDLE) == 60
    assert policy.pause(1, Transient.KILLED, MIDDLE) == 1


def test_pauses_vary_around_their_length():
    policy = RetryPolicy(first_pause=10)
    assert policy.pause(1, Transient.LIMIT, 0) == pytest.approx(10 * (1 - JITTER))
    assert policy.pause(1, Transient.LIMIT, 1) == pytest.approx(10 * (1 + JITTER))


def test_the_default_is_patient_for_ten_minutes_at_least():
    policy = RetryPolicy()
    shortest = sum(policy.pause(n, Transient.STORAGE, 0) for n in range(1, policy.attempts))
    assert 600 <= shortest <= 1200


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EMFILE, Transient.LIMIT),
        (errno.ENFILE, Transient.LIMIT),
        (errno.ENOSPC, Transient.SPACE),
        (errno.EDQUOT, Transient.SPACE),
        (errno.EIO, Transient.STORAGE),
        (errno.ESTALE, Transient.STORAGE),
        (errno.ETIMEDOUT, Transient.STORAGE),
        (errno.ECONNRESET, Transient.STORAGE),
        (errno.EACCES, None),
        (errno.EROFS, None),
        (errno.ENOENT, None),
        (errno.ELOOP, None),
    ],
)
def test_what_the_system_says(number: int, cause: Transient | None):
    error = OSError(number, os.strerror(number))
    assert transience(error) is cause
    told = file_error(error, "It cannot be read", check="Check it.", room="Make room.")
    assert told.transient is cause and os.strerror(number) in told.message
    assert isinstance(told, InvalidInputError) == (cause is None)
    assert (told.remedy == "Check it.") == (cause is None)


def test_what_libraries_raise_without_a_number():
    assert transience(ConnectionError("closed")) is Transient.STORAGE
    assert transience(socket.gaierror(socket.EAI_AGAIN, "try again")) is Transient.STORAGE
    assert transience(ActivityError(Code.INTERNAL, "x", transient=Transient.KILLED)) is (
        Transient.KILLED
    )
    assert transience(ValueError()) is None
