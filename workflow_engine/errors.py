"""Every error and every reported problem of mediaflow.

A `Problem` is something to say about an input: a code, one sentence that quotes the offending
value, where it stands and what to do about it. An exception of this module carries the same
parts. Nothing in here does I/O; `topology` fills in lines and columns, `cli/` prints.
What may work at a later attempt says so (`MediaflowError.transient`); `retry.py` says when.
"""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self, TypeVar

E = TypeVar("E", bound="MediaflowError")


class Code(StrEnum):
    """Error codes of MPS (API reference, section 21.2) and, last, those of mediaflow itself."""

    INVALID = "InvalidParameter"
    NULL_VALUE = "InvalidParameter.NullValue"
    INVALID_STATE = "InvalidParameter.InvalidState"
    EMPTY_VALUE = "InvalidParameter.EmptyValue"
    NOT_SUPPORTED = "InvalidParameter.NotSupported"
    OUT_OF_RANGE = "InvalidParameter.OutOfRange"
    RESOURCE_NOT_FOUND = "InvalidParameter.ResourceNotFound"
    RESOURCE_CONTENT_BAD = "InvalidParameter.ResourceContentBad"
    RESOURCE_NOT_SUPPORTED = "InvalidParameter.ResourceNotSupported"
    MERGE_FILE = "InvalidParameter.MergeFileNoVideoOrAudio"
    NO_AUDIO_STREAM = "InvalidParameter.NoAudioStream"
    JSON_FORMAT = "InvalidParameter.JsonFormatInvalid"
    JSON_OBJECT_FORMAT = "InvalidParameter.JsonObjectFormatInvalid"
    JSON_ARRAY_FORMAT = "InvalidParameter.JsonArrayFormatInvalid"
    UUID_FORMAT = "InvalidParameter.UUIDFormatInvalid"
    FORMAT = "InvalidParameter.Format"
    NUMBER_FORMAT = "InvalidParameter.NumberFormatInvalid"
    BUCKET_NAME = "InvalidParameter.BucketNameInvalid"
    OBJECT_KEY = "InvalidParameter.ObjectKeyInvalid"
    RESOURCE_ACCESS = "PermissionDenied.ResourceAccess"
    TEMPLATE_NOT_SUPPORTED = "InvalidParameter.TemplateNotSupported"
    TEMPLATE_NOT_FOUND = "InvalidParameter.TemplateNotFound"
    RESOURCE_DELETED = "InvalidParameter.ResourceDeleted"
    QUOTA_EXCEEDED = "PermissionDenied.ResourceQuotaExceed"
    JOB_IN_RUNNING = "PermissionDenied.JobInRunning"
    JOB_IN_FAILURE = "PermissionDenied.JobInFailure"
    JOB_IN_COMPLETE = "PermissionDenied.JobInComplete"
    BOOST_SYSTEM_TEMPLATE = "NotSupportedJob.SystemTemplateJobNotSupported"
    BOOST_ANALYSIS = "NotSupportedJob.AnalysisJobNotSupported"
    BOOST_CONTAINER = "NotSupportedJob.ContainerFormatNotSupported"
    BOOST_DURATION = "NotSupportedJob.DurationIsLessThanHalfAnHour"
    ANALYSIS_NOT_FOUND = "AnalysisResultNotFound"
    THROTTLING = "Throttling"
    UNSUPPORTED_OPERATION = "UnsupportedOperation"
    IDENTITY_DISABLED = "InvalidIdentity.ServiceDisabled"
    ACCESS_KEY_NOT_FOUND = "InvalidAccessKeyId.NotFound"
    SIGNATURE = "SignatureDoesNotMatch"
    NONCE_USED = "SignatureNonceUsed"
    TIME_STAMP = "InvalidTimeStamp.Expired"
    INTERNAL = "InternalError"
    QUEUE_NAME = "InvalidQueueName"
    TOPIC_NAME = "TopicNameInvalid"
    QUEUE_NOT_EXIST = "QueueNotExist"
    TOPIC_NOT_EXIST = "TopicNotExist"
    MESSAGE_CONFIG_EMPTY = "MessageConfigEmpty"
    #: a key that no model knows; a warning, the key is kept
    UNKNOWN_KEY = "UnknownKey"
    #: an output larger than its source; a warning, the size is used as given
    UPSCALE = "Upscale"
    #: damage in a source that was concealed; a warning
    SOURCE_DAMAGED = "SourceDamaged"
    #: a finished output is below the quality that it must have
    LOW_QUALITY = "QualityTooLow"
    #: the run was stopped by its user
    INTERRUPTED = "Interrupted"
    #: the execution or job was cancelled
    CANCELLED = "Cancelled"
    #: a message could not be delivered within its time
    NOT_DELIVERED = "MessageNotDelivered"
    #: a process made no progress or outlived its limit
    TIMEOUT = "Timeout"
    #: the disk or a quota is full
    NO_SPACE = "NoSpace"
    #: a file system or an object store does not answer, or fails
    STORAGE = "StorageUnavailable"
    #: ffmpeg, ffprobe, an encoder or another part of the installation is missing
    INSTALLATION = "InstallationIncomplete"


class Severity(StrEnum):
    """How bad a problem is."""

    #: nothing may run until it is mended
    ERROR = "error"
    #: worth a look; does not stop anything
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something to report about an input.

    `pointer` is an RFC 6901 JSON pointer; it continues into JSON documents that stand encoded in
    strings. `line` and `column` count from 1; 0 means unknown.
    """

    code: str
    message: str
    pointer: str = ""
    remedy: str = ""
    severity: Severity = Severity.ERROR
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`file:line:column: Code: sentence (JSON pointer) remedy`, as compilers print."""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        prefix = f"{where}: " if where else ""
        kind = "warning: " if self.severity is Severity.WARNING else ""
        pointer = f" ({self.pointer})" if self.pointer else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{prefix}{kind}{self.code}: {self.message}{pointer}{remedy}"


class Transient(Enum):
    """Causes that pass by themselves, or by an operator: another attempt may succeed."""

    #: a network, an object store or a mounted file system does not answer, or fails
    STORAGE = "storage"
    #: somebody else killed a media process, as the kernel does when memory is short
    KILLED = "killed"
    #: all open files, processes or memory that the machine gives are in use
    LIMIT = "limit"
    #: a disk or a quota is full
    SPACE = "space"


#: what an error keeps when it becomes one of another kind
_PARTS = ("code", "message", "pointer", "remedy", "detail", "reason", "transient")


class MediaflowError(Exception):
    """The root: a code, a sentence, and what to do about it.

    `transient` is set where the cause may pass: the same may succeed at a later attempt. `detail`
    holds the last lines that a tool printed. `reason` is the part of the message, with its full
    stop, that is true whatever the message calls the thing it is about.
    """

    #: what the command line exits with
    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        pointer: str = "",
        remedy: str = "",
        detail: str = "",
        reason: str = "",
        transient: Transient | None = None,
    ) -> None:
        """Keep the parts; `str()` gives the whole line."""
        super().__init__(message)
        self.code = str(code)
        self.message = message
        self.pointer = pointer
        self.remedy = remedy
        self.detail = detail
        self.reason = reason
        self.transient = transient

    def __str__(self) -> str:
        """The same line that a `Problem` prints."""
        return str(self.problem())

    def at(self, pointer: str) -> Self:
        """Return the same error, what its own pointer leads to being part of `pointer`."""
        return self._changed(pointer=pointer + self.pointer)

    def as_(self, kind: type[E]) -> E:
        """Return the same error as one of another kind, such as ActivityError."""
        made = kind(self.code, self.message)
        vars(made).update({name: vars(self)[name] for name in _PARTS})
        return made

    def about(self, subject: str) -> Self:
        """Return the same error about something else than its message names.

        `subject` is a clause that says what is wrong with what: the reason, or the message,
        follows it behind a colon.
        """
        reason = self.reason or f"{self.message[:1].lower()}{self.message[1:]}"
        return self._changed(message=f"{subject}: {reason}")

    def _changed(self, **parts: str) -> Self:
        made = type(self).__new__(type(self), *self.args)
        vars(made).update(vars(self) | parts)
        return made

    def problem(self) -> Problem:
        """The error as a `Problem`."""
        return Problem(
            code=self.code, message=self.message, pointer=self.pointer, remedy=self.remedy
        )


class InvalidInputError(MediaflowError):
    """What the user gave cannot be used: a file, a parameter, a setting."""

    exit_code = 2


class SettingsError(InvalidInputError):
    """The configuration is wrong."""


class TopologyError(InvalidInputError):
    """A topology has problems; `problems` holds all of them, warnings included."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take every problem of the topology; the first error speaks for it."""
        self.problems: Sequence[Problem] = tuple(problems)
        first = next(p for p in self.problems if p.severity is Severity.ERROR)
        super().__init__(first.code, first.message, pointer=first.pointer, remedy=first.remedy)

    def __str__(self) -> str:
        """One line per problem."""
        return "\n".join(str(problem) for problem in self.problems)


class ActivityError(MediaflowError):
    """An activity ends as `Fail` with this code and message; the run continues."""


class InstallationError(MediaflowError):
    """A tool, encoder or server that mediaflow needs does not work on this machine."""


class StoreError(MediaflowError):
    """The store cannot be used now: it is locked, full or gone. Later it may answer again."""


class DuplicateExecutionError(MediaflowError):
    """This version of the object has its execution already; `run_id` is that one's."""

    def __init__(self, run_id: str) -> None:
        """Keep the run id of the first execution."""
        super().__init__(
            Code.INVALID_STATE,
            f'The execution "{run_id}" was started for the same version of the object.',
            remedy="Use `mediaflow execution resume`, or start a new one with `mediaflow run`.",
        )
        self.run_id = run_id


class LeaseLostError(MediaflowError):
    """Another process owns the execution now; this one must not write any more."""


class Interruption(Enum):
    """Why a run stops before its end."""

    #: by the user in front of it
    USER = (Code.INTERRUPTED, "The run was interrupted.")
    #: by whoever cancelled the execution
    CANCELLED = (Code.CANCELLED, "The execution was cancelled.")
    #: it is left as it is: this process ends, or another one has taken it over
    LEFT = (Code.INTERRUPTED, "The run continues in another process.")


class InterruptedRunError(MediaflowError):
    """The run was stopped before its end."""

    exit_code = 130

    def __init__(self, reason: Interruption = Interruption.USER) -> None:
        """Keep why."""
        code, message = reason.value
        super().__init__(code, message)
        self.reason = reason


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS})
#: what mounted file systems and connections say when the other side is away
_AWAY = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ENODEV, errno.EBUSY),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.ENETRESET, errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE),
    }
)


def transience(error: BaseException | None) -> Transient | None:
    """Return which transient cause an error of ours, or of the system, has; None for others."""
    if isinstance(error, MediaflowError):
        return error.transient
    if not isinstance(error, OSError):
        return None
    number = error.errno or 0
    if number in _FULL:
        return Transient.SPACE
    if number in _LIMITS:
        return Transient.LIMIT
    # the resolver's own numbers are negative; exceptions of libraries may have none
    if number in _AWAY or number < 0 or isinstance(error, ConnectionError | TimeoutError):
        return Transient.STORAGE
    return None


def is_out_of_files(error: object) -> bool:
    """Whether an error says that this process, or the system, has too many open files."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def file_error(error: OSError, sentence: str, *, check: str, room: str) -> MediaflowError:
    """Return what the system said about files as an error.

    `sentence` tells what cannot be done, without a full stop. `check` is the remedy where the
    system refuses, `room` where a disk is full. A refusal is an InvalidInputError.
    """
    message = f"{sentence}: {error.strerror or type(error).__name__}."
    match transience(error):
        case None:
            return InvalidInputError(Code.RESOURCE_ACCESS, message, remedy=check)
        case Transient.SPACE:
            return MediaflowError(Code.NO_SPACE, message, remedy=room, transient=Transient.SPACE)
        case Transient.LIMIT:
            remedy = (
                "Raise the limits of the process (ulimit -n, LimitNOFILE), or run less at once."
            )
            return MediaflowError(Code.INTERNAL, message, remedy=remedy, transient=Transient.LIMIT)
        case cause:
            remedy = "Check the disk, the mount and the network."
            return MediaflowError(Code.STORAGE, message, remedy=remedy, transient=cause)


def pointer_to(*parts: str | int) -> str:
    """RFC 6901 pointer of a path of keys and indexes: `pointer_to("a/b", 0) == "/a~1b/0"`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
