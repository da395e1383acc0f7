-- The table for the events of trafficmonitor in ClickHouse: the fields of docs/event-logs.md, and the host that the agent
-- adds. examples/vector.yaml and examples/fluent-bit.conf fill it. A field that an event does not have gets its default.
CREATE DATABASE IF NOT EXISTS trafficmonitor;

CREATE TABLE IF NOT EXISTS trafficmonitor.events
(
    host LowCardinality(String),
    event LowCardinality(String),
    ts DateTime64(9, 'UTC'),
    first Nullable(DateTime64(9, 'UTC')),
    last Nullable(DateTime64(9, 'UTC')),
    interface LowCardinality(String),
    src String,
    src_port Nullable(UInt16),
    dst String,
    dst_port Nullable(UInt16),
    network String,
    protocol LowCardinality(String),
    flags LowCardinality(String),
    packets UInt64,
    bytes UInt64,
    action LowCardinality(String),
    suppressed UInt64,
    kind LowCardinality(String),
    rule LowCardinality(String),
    state LowCardinality(String),
    severity LowCardinality(String),
    side LowCardinality(String),
    value Nullable(Float64),
    limit Nullable(Float64),
    window_seconds Nullable(Float64),
    peak Nullable(Float64),
    first_target String,
    last_target String,
    starts_at Nullable(DateTime64(9, 'UTC')),
    lasted_seconds Nullable(Float64),
    fingerprint String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (event, src, ts)
TTL toDateTime(ts) + INTERVAL 90 DAY;
