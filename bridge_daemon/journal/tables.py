"""The tables of the journal, as SQLAlchemy sees them. The migrations make them; a test compares the two.

Only portable types: a studio shares one journal in PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

#: Every accepted id and what it was answered: the same id again gets the same answer.
requests = Table(
    "requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),  # request, pad, retry, resolve
    Column("client", String(40)),
    Column("body_hash", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # what makes two presses the same press
    Column("body", JSON, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("requests_fingerprint", "fingerprint", "created_at"),
)

#: One row for each paid generation. Columns that are looked for stand alone, the rest is JSON.
jobs = Table(
    "jobs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("job", String(16), nullable=False, unique=True),
    Column("request", String(36), ForeignKey("requests.id"), nullable=False),
    Column("client", String(40)),
    Column("action", String(16), nullable=False),
    Column("preset", String(200)),
    Column("engine", String(32), nullable=False),
    Column("base_url", String(500), nullable=False),
    Column("model", String(200), nullable=False),
    Column("price", BigInteger, nullable=False),  # micro-dollars
    Column("state", String(16), nullable=False),
    Column("charge", String(16), nullable=False),
    Column("charge_day", String(10)),  # local day of the submit, YYYY-MM-DD
    Column("prompt", Text, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("variation", Integer, nullable=False),
    Column("variations", Integer, nullable=False),
    Column("place", JSON, nullable=False),
    Column("source", JSON(none_as_null=True)),
    Column("sound", String(64)),  # hash of the source's region at the press
    Column("source_file", Text),
    Column("publication", JSON(none_as_null=True)),
    Column("remote_id", String(500)),
    Column("fraction", Float, nullable=False, default=0.0),
    Column("text", Text, nullable=False, default=""),
    Column("output_url", Text),
    Column("original", Text),
    Column("original_sha256", String(64)),
    Column("take", JSON(none_as_null=True)),
    Column("delivery", Integer, nullable=False, default=0),
    Column("wanted", Boolean, nullable=False, default=True),
    Column("notes", JSON, nullable=False),
    Column("retry_of", String(16)),
    Column("problem", JSON(none_as_null=True)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("valid_until", Float, nullable=False),
    Column("submitted_at", Float),
    Column("finished_at", Float),
    # what a person thinks of the take
    Column("favourite", Boolean, nullable=False, default=False, server_default=false()),
    Column("tags", JSON, nullable=False, default=list, server_default="[]"),
    Column("trashed_at", Float),
    # what was measured of the take, and its copy that fits; never needed for money
    Column("grid", JSON(none_as_null=True)),
    Column("fitted", JSON(none_as_null=True)),
    Column("room", String(40)),  # that asked for it; null: the journal has one room only
    Index("jobs_state", "state"),
    Index("jobs_request", "request"),
    Index("jobs_charge_day", "charge_day"),
    # one result of the service belongs to one job of ours
    Index("jobs_remote", "base_url", "remote_id", unique=True),
)

#: What happened, in order, with the service's raw answers. Never changed.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Index("events_job", "job", "id"),
)

#: Single facts of this home: pause, agreed prices, whether a key was ever set.
facts = Table(
    "facts",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("value", JSON, nullable=False),
)

#: What was seen in watched folders: one row for each content at each place. What was sent is never removed.
renders = Table(
    "renders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("folder", String(200), nullable=False),
    Column("root", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("state", String(16), nullable=False),
    Column("code", String(32)),
    Column("text", Text, nullable=False),
    Column("same_as", Integer),
    Column("request", String(36)),
    Column("try_id", String(36)),
    Column("try_body", JSON(none_as_null=True)),
    Column("tries", Integer, nullable=False),
    Column("present", Boolean, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("room", String(40)),
    Index("renders_place", "root", "present"),
    Index("renders_content", "sha256"),
    Index("renders_size", "size"),
    Index("renders_state", "present", "state"),
)
