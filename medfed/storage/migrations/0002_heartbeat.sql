-- When a worker of this instance, in whatever process, was last at work: readiness reads it.
CREATE TABLE heartbeat (
    id BIGINT PRIMARY KEY,                          -- 1: there is one row
    at BIGINT NOT NULL
);
