"""`Store`: what the rest of the engine may ask of the database.

Every method of its parts is one transaction, safe to call from several threads and processes.
"""

from workflow_engine.store.activity_jobs import ActivityJobTable
from workflow_engine.store.arrivals import ArrivalTable
from workflow_engine.store.composites import CompositeTable
from workflow_engine.store.connections import database_exists
from workflow_engine.store.database import Database
from workflow_engine.store.digests import DigestTable
from workflow_engine.store.executions import ExecutionTable
from workflow_engine.store.glances import GlanceTable
from workflow_engine.store.intake import IntakeTable, ListenerTable
from workflow_engine.store.landings import LandingTable
from workflow_engine.store.media import MediaTable
from workflow_engine.store.media_buckets import MediaBucketTable
from workflow_engine.store.messages import MessageTable
from workflow_engine.store.nonces import NonceTable
from workflow_engine.store.notifications import NotificationTable
from workflow_engine.store.pipelines import PipelineTable
from workflow_engine.store.predictions import PredictionTable
from workflow_engine.store.queue import QueueTable
from workflow_engine.store.rates import RateTable
from workflow_engine.store.retention import RetentionTable
from workflow_engine.store.services import ServiceTable
from workflow_engine.store.steps import StepTable
from workflow_engine.store.templates import TemplateTable
from workflow_engine.store.upkeep import Upkeep
from workflow_engine.store.workflows import WorkflowTable


class Store:
    """The executions of all processes that share one database, and what is registered there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.queue = QueueTable(database)
        self.executions = ExecutionTable(database)
        self.glances = GlanceTable(database)
        self.steps = StepTable(database)
        self.activity_jobs = ActivityJobTable(database)
        self.predictions = PredictionTable(database)
        self.rates = RateTable(database)
        self.digests = DigestTable(database)
        self.workflows = WorkflowTable(database)
        self.media = MediaTable(database)
        self.media_buckets = MediaBucketTable(database)
        self.pipelines = PipelineTable(database)
        self.templates = TemplateTable(database)
        self.messages = MessageTable(database)
        self.notifications = NotificationTable(database)
        self.arrivals = ArrivalTable(database)
        self.composites = CompositeTable(database)
        self.intake = IntakeTable(database)
        self.landings = LandingTable(database)
        self.listeners = ListenerTable(database)
        self.nonces = NonceTable(database)
        self.services = ServiceTable(database)
        self.retention = RetentionTable(database)
        self.upkeep = Upkeep(database)

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the store at a database URL; folder and tables are created where missing.

        Raises MediaflowError when the database cannot be used or belongs to a newer mediaflow,
        InstallationError when its driver is missing, InvalidInputError for a URL that is none.
        """
        return cls(Database(url))

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is a database at a URL, without creating one; true for servers."""
        return database_exists(url)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
