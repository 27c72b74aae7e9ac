-- A store of schema version 2, the oldest that can be brought up to date, with rows in it: as
-- SQLite has it. On PostgreSQL, DATETIME is TIMESTAMP WITH TIME ZONE, in UTC.

CREATE TABLE meta (
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE executions (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    location TEXT NOT NULL,
    media_id TEXT NOT NULL,
    pipeline_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    outcome TEXT GENERATED ALWAYS AS (CASE WHEN state = 'Fail' AND code = 'Cancelled' THEN code ELSE state END) STORED,
    created DATETIME NOT NULL,
    ended DATETIME,
    dedupe_key TEXT,
    owner TEXT,
    lease_until DATETIME,
    fence INTEGER NOT NULL,
    cancel_requested BOOLEAN NOT NULL,
    fresh BOOLEAN NOT NULL,
    origin TEXT NOT NULL,
    version TEXT NOT NULL,
    output_root TEXT NOT NULL,
    message TEXT NOT NULL,
    report TEXT NOT NULL,
    prefect_url TEXT NOT NULL,
    message_result TEXT NOT NULL,
    user_data TEXT NOT NULL,
    request TEXT NOT NULL,
    topology TEXT NOT NULL,
    PRIMARY KEY (run_id),
    UNIQUE (dedupe_key)
);

CREATE TABLE activities (
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    job_id TEXT NOT NULL,
    started DATETIME,
    ended DATETIME,
    progress FLOAT NOT NULL,
    reused BOOLEAN NOT NULL,
    step_key TEXT,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    message_result TEXT NOT NULL,
    detail TEXT NOT NULL,
    commands TEXT NOT NULL,
    warnings TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (run_id, name),
    FOREIGN KEY(run_id) REFERENCES executions (run_id)
);

CREATE TABLE objects (
    run_id TEXT NOT NULL,
    activity TEXT NOT NULL,
    published BOOLEAN NOT NULL,
    position INTEGER NOT NULL,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    location TEXT NOT NULL,
    place TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    media TEXT NOT NULL,
    PRIMARY KEY (run_id, activity, published, position),
    FOREIGN KEY(run_id, activity) REFERENCES activities (run_id, name)
);

CREATE TABLE digests (
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    PRIMARY KEY (place)
);

CREATE TABLE media (
    id TEXT NOT NULL,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    location TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    category_id BIGINT,
    tags TEXT NOT NULL,
    cover_url TEXT NOT NULL,
    publish_state TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    created DATETIME NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE media_buckets (
    bucket TEXT NOT NULL,
    type TEXT NOT NULL,
    referer TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (bucket, type)
);

CREATE TABLE messages (
    id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    activity TEXT NOT NULL,
    receiver TEXT NOT NULL,
    created DATETIME NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt DATETIME,
    sent DATETIME,
    error TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE pipelines (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    speed TEXT NOT NULL,
    speed_level INTEGER NOT NULL,
    queue TEXT NOT NULL,
    topic TEXT NOT NULL,
    role TEXT NOT NULL,
    quota INTEGER NOT NULL,
    created DATETIME NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE templates (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created DATETIME NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE workflow_files (
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    checked DATETIME NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (path)
);

CREATE TABLE workflows (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    trigger_mode TEXT NOT NULL,
    created DATETIME NOT NULL,
    bucket TEXT NOT NULL,
    prefix TEXT NOT NULL,
    file TEXT NOT NULL,
    file_removed BOOLEAN NOT NULL,
    topology TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX activities_by_step ON activities (step_key, ended);

CREATE INDEX executions_by_age ON executions (created, run_id);

CREATE INDEX executions_by_input ON executions (kind, bucket, object, created, run_id);

CREATE INDEX executions_by_kind ON executions (kind, created, run_id);

CREATE INDEX executions_by_media ON executions (kind, media_id, created, run_id);

CREATE INDEX executions_by_name ON executions (kind, workflow, created, run_id);

CREATE INDEX executions_by_outcome ON executions (kind, outcome, created, run_id);

CREATE INDEX executions_by_pipeline ON executions (kind, pipeline_id, created, run_id);

CREATE INDEX executions_by_pipeline_outcome ON executions (kind, pipeline_id, outcome, created, run_id);

CREATE INDEX executions_by_workflow ON executions (kind, workflow_id, created, run_id);

CREATE INDEX executions_by_workflow_name ON executions (kind, workflow_id, workflow, created, run_id);

CREATE INDEX executions_claimed ON executions (pipeline_id, lease_until) WHERE owner IS NOT NULL;

CREATE INDEX executions_queued ON executions (pipeline_id, priority DESC, created, run_id) WHERE state = 'Queued' AND output_root = '';

CREATE INDEX media_by_age ON media (deleted, created, id);

CREATE INDEX messages_by_next_attempt ON messages (next_attempt, created, id);

CREATE INDEX messages_by_run ON messages (run_id, created, id);

CREATE INDEX objects_by_key ON objects (bucket, object);

CREATE INDEX pipelines_by_age ON pipelines (created, id);

CREATE INDEX templates_by_age ON templates (kind, created, id);

CREATE INDEX workflows_by_age ON workflows (created, id);

CREATE INDEX workflows_by_bucket ON workflows (bucket, state, trigger_mode);

CREATE UNIQUE INDEX workflows_by_name ON workflows (name) WHERE state != 'Deleted';

INSERT INTO meta ("key", value)
    VALUES ('schema_version', '2');

INSERT INTO executions (run_id, kind, workflow_id, workflow, bucket, object, location, media_id, pipeline_id, priority, state, code, created, ended, dedupe_key, owner, lease_until, fence, cancel_requested, fresh, origin, version, output_root, message, report, prefect_url, message_result, user_data, request, topology)
    VALUES ('11111111111111111111111111111111', 'workflow', '99999999999999999999999999999999', 'wf', 'in', 'a/ä 1.flv', 'local', '55555555555555555555555555555555', '', 6, 'Completed', '', '2024-02-29 23:59:59.123456', '2024-03-01 00:00:01.123456', 'k', NULL, NULL, 1, FALSE, FALSE, '/in/a/ä 1.flv', '3-17', '', '', '/r', '', '{}', '', '{}', '{"Activities": "☃"}');

INSERT INTO executions (run_id, kind, workflow_id, workflow, bucket, object, location, media_id, pipeline_id, priority, state, code, created, ended, dedupe_key, owner, lease_until, fence, cancel_requested, fresh, origin, version, output_root, message, report, prefect_url, message_result, user_data, request, topology)
    VALUES ('22222222222222222222222222222222', 'workflow', '99999999999999999999999999999999', 'wf', 'in', 'b.flv', '', '66666666666666666666666666666666', 'e822335184ecbec79f153415ccfdf4cf', 6, 'Queued', '', '2024-03-01 00:00:08.123456', NULL, 'k2', NULL, NULL, 0, FALSE, FALSE, '/in/a/ä 1.flv', '3-17', '', '', '', '', '{}', '', '{}', '{"Activities": "☃"}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('11111111111111111111111111111111', 'start', 0, 'Start', 'Success', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2024-02-29 23:59:59.123456', '2024-03-01 00:00:00.123456', 1.0, FALSE, 'key of start', '', '', '{}', '', '[]', '[]', '{"Properties":{"Width":"640"}}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('11111111111111111111111111111111', 'hd', 1, 'Transcode', 'Success', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '2024-02-29 23:59:59.123456', '2024-03-01 00:00:00.123456', 1.0, FALSE, 'key of hd', '', '', '{"MessageId":"1"}', '', '[["ffmpeg","-i","x"]]', '["w"]', '{"n":1}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('11111111111111111111111111111111', 'sd', 2, 'Transcode', 'Fail', 'cccccccccccccccccccccccccccccccc', '2024-02-29 23:59:59.123456', '2024-03-01 00:00:00.123456', 0.0, FALSE, NULL, 'InternalError', 'no', '{}', 'tail', '[]', '[]', '{}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('22222222222222222222222222222222', 'start', 0, 'Start', 'Waiting', '', NULL, NULL, 0.0, FALSE, NULL, '', '', '{}', '', '[]', '[]', '{}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('22222222222222222222222222222222', 'hd', 1, 'Transcode', 'Waiting', '', NULL, NULL, 0.0, FALSE, NULL, '', '', '{}', '', '[]', '[]', '{}');

INSERT INTO activities (run_id, name, position, type, state, job_id, started, ended, progress, reused, step_key, code, message, message_result, detail, commands, warnings, data)
    VALUES ('22222222222222222222222222222222', 'sd', 2, 'Transcode', 'Waiting', '', NULL, NULL, 0.0, FALSE, NULL, '', '', '{}', '', '[]', '[]', '{}');

INSERT INTO objects (run_id, activity, published, position, bucket, object, location, place, size, sha256, md5, media)
    VALUES ('11111111111111111111111111111111', 'hd', TRUE, 0, 'out', 'hd.mp4', 'local', '/out/hd.mp4', 3, '5555555555555555555555555555555555555555555555555555555555555555', 'dddddddddddddddddddddddddddddddd', '{"Duration":"1.5","Ü":[null]}');

INSERT INTO digests (place, version, size, sha256, md5)
    VALUES ('/in/a/ä 1.flv', '3-17', 3, '5555555555555555555555555555555555555555555555555555555555555555', 'dddddddddddddddddddddddddddddddd');

INSERT INTO media (id, bucket, object, location, title, description, category_id, tags, cover_url, publish_state, deleted, created, properties)
    VALUES ('55555555555555555555555555555555', 'in', 'a/ä 1.flv', 'local', '', '', NULL, '[]', '', 'Initiated', FALSE, '2024-02-29 23:59:59.123456', '{"Width":"640"}');

INSERT INTO media (id, bucket, object, location, title, description, category_id, tags, cover_url, publish_state, deleted, created, properties)
    VALUES ('66666666666666666666666666666666', 'in', 'b.flv', '', '', '', NULL, '[]', '', 'Initiated', FALSE, '2024-03-01 00:00:08.123456', '{}');

INSERT INTO media_buckets (bucket, type, referer, role)
    VALUES ('in', 'Input', '', '');

INSERT INTO messages (id, run_id, activity, receiver, created, attempts, next_attempt, sent, error, body)
    VALUES ('88888888888888888888888888888888', '11111111111111111111111111111111', 'hd', 'queue:q', '2024-02-29 23:59:59.123456', 0, '2024-02-29 23:59:59.123456', NULL, '', '{}');

INSERT INTO pipelines (id, name, state, speed, speed_level, queue, topic, role, quota, created)
    VALUES ('e822335184ecbec79f153415ccfdf4cf', 'default', 'Active', 'Standard', 0, '', '', '', 0, '2024-02-29 23:59:59.123456');

INSERT INTO templates (id, kind, name, state, created, content)
    VALUES ('77777777777777777777777777777777', 'watermark', 'corner', 'Normal', '2024-02-29 23:59:59.123456', '{"Config":{"Dx":"1"}}');

INSERT INTO workflows (id, name, state, trigger_mode, created, bucket, prefix, file, file_removed, topology)
    VALUES ('99999999999999999999999999999999', 'wf', 'Active', 'OssAutoTrigger', '2024-02-29 23:59:59.123456', 'in', 'a/', '', FALSE, '{}');
