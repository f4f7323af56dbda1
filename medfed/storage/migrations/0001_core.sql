-- The core of medfed. Written in PostgreSQL types, mapped for SQLite (see storage/migrate.py).
-- Ids are 63-bit and time-sortable, times are milliseconds since the epoch, booleans are SMALLINT 0/1,
-- JSON is TEXT. Wire documents are kept as they were received, so that signatures survive.

-- ── who ────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE account (
    id              BIGINT PRIMARY KEY,
    uri             TEXT NOT NULL UNIQUE,
    local           SMALLINT NOT NULL,
    kind            TEXT NOT NULL,                  -- Person, Organization, Group, Service, Application
    username        TEXT NOT NULL,
    handle          TEXT NOT NULL UNIQUE,           -- folded username@domain, for look-ups
    domain          TEXT NOT NULL,                  -- canonical authority, ours included
    host            TEXT NOT NULL,                  -- authority of the actor id (differs under split domains)
    display_name    TEXT NOT NULL,
    summary         TEXT NOT NULL,                  -- sanitised HTML
    summary_source  TEXT NOT NULL,                  -- what a member typed
    url             TEXT NOT NULL,
    inbox           TEXT NOT NULL,
    shared_inbox    TEXT NOT NULL,                  -- '' when the peer has none
    outbox          TEXT NOT NULL,
    followers_uri   TEXT NOT NULL,
    following_uri   TEXT NOT NULL,
    attestations_uri TEXT NOT NULL,
    avatar          TEXT NOT NULL,                  -- remote URL, or media key of a local account
    header          TEXT NOT NULL,
    fields          TEXT NOT NULL,                  -- [{name, value}]
    emojis          TEXT NOT NULL,                  -- [[id, shortcode]] of a peer's name, summary and fields
    featured_uri    TEXT NOT NULL,
    featured_at     BIGINT NOT NULL DEFAULT 0,      -- when what a peer has pinned was last asked for
    also_known_as   TEXT NOT NULL,
    moved_to        TEXT NOT NULL,
    moved_at        BIGINT,                         -- when its followers were last taken along
    locked          SMALLINT NOT NULL,
    discoverable    SMALLINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    fetched_at      BIGINT NOT NULL,                -- 0 for local accounts
    suspended_at    BIGINT,
    suspended_with_host SMALLINT NOT NULL DEFAULT 0,    -- not itself, but all of a blocked peer
    gone_at         BIGINT,
    last_post_at    BIGINT,
    posts_count     BIGINT NOT NULL DEFAULT 0,
    followers_count BIGINT NOT NULL DEFAULT 0,
    following_count BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX account_by_domain ON account (domain, id);
CREATE INDEX account_by_host ON account (host) WHERE local = 0;
CREATE INDEX account_by_avatar ON account (avatar) WHERE local = 1;
CREATE INDEX account_by_header ON account (header) WHERE local = 1;

CREATE TABLE account_key (
    uri         TEXT PRIMARY KEY,                   -- …#main-key
    account_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,                      -- rsa, ed25519
    public      TEXT NOT NULL,                      -- PEM or Multikey
    sealed      BYTEA,                              -- private part of a local key, under the key-encryption key
    created_at  BIGINT NOT NULL,
    retired_at  BIGINT,                             -- when one of ours ceases to sign and to be shown; may lie ahead
    bound_until BIGINT NOT NULL DEFAULT 0,          -- until when attestations need it shown, if longer
    revoked_at  BIGINT                              -- when it was found to be stolen
);
CREATE INDEX account_key_by_account ON account_key (account_id);
CREATE INDEX account_key_by_end ON account_key (retired_at) WHERE retired_at IS NOT NULL;

CREATE TABLE member (
    account_id     BIGINT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    email          TEXT NOT NULL UNIQUE,
    password_hash  TEXT NOT NULL,
    role           TEXT NOT NULL,                   -- member, verifier, moderator, admin, recruiter, sponsor
    language       TEXT NOT NULL,
    preferences    TEXT NOT NULL,                   -- {visibility, sensitive, language}
    created_at     BIGINT NOT NULL,
    confirmed_at   BIGINT,
    approved_at    BIGINT,
    disabled_at    BIGINT,
    last_sign_in   BIGINT
);

CREATE TABLE oauth_app (
    id            BIGINT PRIMARY KEY,
    client_id     TEXT NOT NULL UNIQUE,
    client_secret TEXT NOT NULL,                    -- SHA-256 of the secret
    name          TEXT NOT NULL,
    website       TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,                    -- JSON array
    scopes        TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE oauth_code (
    code_hash      TEXT PRIMARY KEY,
    app_id         BIGINT NOT NULL REFERENCES oauth_app (id) ON DELETE CASCADE,
    account_id     BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    redirect_uri   TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    challenge      TEXT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT
);

CREATE TABLE oauth_token (
    token_hash  TEXT PRIMARY KEY,
    app_id      BIGINT REFERENCES oauth_app (id) ON DELETE CASCADE,
    account_id  BIGINT REFERENCES account (id) ON DELETE CASCADE,   -- NULL: an application's own token
    code_hash   TEXT,
    scopes      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    last_used   BIGINT,
    revoked_at  BIGINT
);
CREATE INDEX oauth_token_by_account ON oauth_token (account_id);
CREATE INDEX oauth_token_by_code ON oauth_token (code_hash);

CREATE TABLE web_session (
    token_hash  TEXT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    csrf        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    last_seen   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    user_agent  TEXT NOT NULL
);
CREATE INDEX web_session_by_account ON web_session (account_id);

-- ── what is said ───────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE post (
    id              BIGINT PRIMARY KEY,
    uri             TEXT NOT NULL UNIQUE,           -- of a boost: the Announce's id
    local           SMALLINT NOT NULL,
    account_id      BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL,                  -- Note, Question, Article …; Announce for a boost
    url             TEXT NOT NULL,
    content         TEXT NOT NULL,                  -- sanitised HTML
    source          TEXT NOT NULL,                  -- what a member typed
    title           TEXT NOT NULL,                  -- name of an Article, a case …
    spoiler         TEXT NOT NULL,                  -- content warning, plain text
    sensitive       SMALLINT NOT NULL,
    language        TEXT NOT NULL,
    visibility      TEXT NOT NULL,                  -- public, unlisted, followers, direct, verified, group
    requires        TEXT NOT NULL,                  -- verified: {professions, specialties, countries, min_assurance}
    audience_uri    TEXT NOT NULL,                  -- verified: the audience collection on the author's instance; group: its actor
    in_reply_to_uri TEXT NOT NULL,
    in_reply_to_id  BIGINT,
    in_reply_to_account_id BIGINT,
    boost_of_id     BIGINT REFERENCES post (id) ON DELETE CASCADE,
    conversation_id BIGINT NOT NULL,                -- id of the oldest post of the thread that we know
    tags            TEXT NOT NULL,                  -- JSON array of folded hashtags
    emojis          TEXT NOT NULL,                  -- [[id, shortcode]]
    policy          TEXT NOT NULL,                  -- {deed: [at once, when asked]} of what its author says; '' when nothing
    permit          TEXT NOT NULL,                  -- to answer: '' when nobody had to be asked, waiting, refused, the stamp
    published_at    BIGINT NOT NULL,
    edited_at       BIGINT,
    stored_at       BIGINT NOT NULL,
    replies_count   BIGINT NOT NULL DEFAULT 0,
    boosts_count    BIGINT NOT NULL DEFAULT 0,
    likes_count     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX post_by_account ON post (account_id, id);
CREATE INDEX post_by_conversation ON post (conversation_id, id);
CREATE INDEX post_by_parent ON post (in_reply_to_id, id) WHERE in_reply_to_id IS NOT NULL;
CREATE INDEX post_by_parent_uri ON post (in_reply_to_uri) WHERE in_reply_to_id IS NULL AND in_reply_to_uri <> '';
CREATE UNIQUE INDEX post_boost_once ON post (boost_of_id, account_id) WHERE boost_of_id IS NOT NULL;
CREATE INDEX post_public ON post (id) WHERE visibility = 'public';
CREATE INDEX post_direct ON post (conversation_id, id) WHERE visibility = 'direct';
CREATE INDEX post_written_here ON post (local, boost_of_id) WHERE local = 1 AND boost_of_id IS NULL;

CREATE TABLE post_mention (
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    silent     SMALLINT NOT NULL,                   -- addressed, but not named in the text
    PRIMARY KEY (post_id, account_id)
);
CREATE INDEX post_mention_by_account ON post_mention (account_id, post_id);

CREATE TABLE post_place (                            -- where a peer lists the thread of its post; '': nowhere
    post_id     BIGINT PRIMARY KEY REFERENCES post (id) ON DELETE CASCADE,
    context_uri TEXT NOT NULL,
    replies_uri TEXT NOT NULL
);

CREATE TABLE thread_visit (                          -- when a thread was last completed from elsewhere
    conversation_id BIGINT PRIMARY KEY,
    at              BIGINT NOT NULL
);

CREATE TABLE quote (
    post_id    BIGINT PRIMARY KEY REFERENCES post (id) ON DELETE CASCADE,
    quoted_uri TEXT NOT NULL,
    quoted_id  BIGINT REFERENCES post (id) ON DELETE SET NULL,
    stamp_uri  TEXT NOT NULL,                       -- the quoted author's authorization, once verified (FEP-044f)
    state      TEXT NOT NULL                        -- pending, accepted, rejected, revoked
);
CREATE INDEX quote_by_quoted ON quote (quoted_id);
CREATE INDEX quote_by_stamp ON quote (stamp_uri) WHERE stamp_uri <> '';

-- What others were allowed, refused, or ask to do with posts written here; each is shown at /users/NAME/authorizations/ID.
CREATE TABLE consent (
    id          BIGINT PRIMARY KEY,
    deed        TEXT NOT NULL,                      -- like, reply, boost, quote
    post_id     BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    author_id   BIGINT NOT NULL,                    -- of the post: who decides
    account_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,   -- who does it
    object_uri  TEXT NOT NULL,                      -- with what: the Like, the answer, the Announce, the quoting post
    request_uri TEXT NOT NULL,                      -- the activity that asked; '' when it was done without asking
    excerpt     TEXT NOT NULL,                      -- how the quoting post begins, in plain text
    state       TEXT NOT NULL,                      -- waiting, granted, refused, revoked
    created_at  BIGINT NOT NULL,
    UNIQUE (post_id, deed, object_uri)
);
CREATE INDEX consent_by_account ON consent (account_id);
CREATE INDEX consent_waiting ON consent (author_id, id) WHERE state = 'waiting';

CREATE TABLE post_tag (
    tag     TEXT NOT NULL,
    post_id BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, post_id)
);
CREATE INDEX post_tag_by_post ON post_tag (post_id);

CREATE TABLE post_revision (
    post_id  BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    at       BIGINT NOT NULL,
    content  TEXT NOT NULL,
    spoiler  TEXT NOT NULL,
    sensitive SMALLINT NOT NULL,
    PRIMARY KEY (post_id, at)
);

-- Which hosts were given a post, so that a Delete reaches all of them (N20).
CREATE TABLE post_distribution (
    post_id BIGINT NOT NULL,
    host    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (post_id, host)
);

CREATE TABLE tombstone (
    uri        TEXT PRIMARY KEY,
    actor_uri  TEXT NOT NULL,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX tombstone_by_time ON tombstone (deleted_at);

CREATE TABLE attachment (
    id          BIGINT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id     BIGINT REFERENCES post (id) ON DELETE CASCADE,
    position    SMALLINT NOT NULL,
    kind        TEXT NOT NULL,                      -- image, video, audio, unknown
    mime        TEXT NOT NULL,
    file_key    TEXT NOT NULL,                      -- random name in the media store; '' for remote files
    preview_key TEXT NOT NULL,
    remote_url  TEXT NOT NULL,
    description TEXT NOT NULL,
    blurhash    TEXT NOT NULL,
    focus_x     DOUBLE PRECISION NOT NULL,
    focus_y     DOUBLE PRECISION NOT NULL,
    width       BIGINT NOT NULL,
    height      BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    sha256      TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX attachment_by_post ON attachment (post_id, position);
CREATE INDEX attachment_by_file ON attachment (file_key);
CREATE INDEX attachment_by_preview ON attachment (preview_key);

CREATE TABLE poll (
    post_id      BIGINT PRIMARY KEY REFERENCES post (id) ON DELETE CASCADE,
    multiple     SMALLINT NOT NULL,
    closes_at    BIGINT,
    closed       SMALLINT NOT NULL,
    voters_count BIGINT NOT NULL
);

CREATE TABLE poll_option (
    post_id  BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    position SMALLINT NOT NULL,
    title    TEXT NOT NULL,
    votes    BIGINT NOT NULL,
    PRIMARY KEY (post_id, position)
);

CREATE TABLE poll_vote (
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    position   SMALLINT NOT NULL,
    uri        TEXT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (post_id, account_id, position)
);

CREATE TABLE home_entry (
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,   -- a member
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, post_id)
);
CREATE INDEX home_entry_by_post ON home_entry (post_id);

CREATE TABLE reaction (
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    uri        TEXT NOT NULL,                       -- of the Like
    at         BIGINT NOT NULL,
    id         BIGINT NOT NULL UNIQUE,
    emoji      TEXT NOT NULL DEFAULT '',            -- '' is a plain like; custom ones are :shortcode:
    emoji_id   BIGINT,                              -- the picture of a custom one
    held       SMALLINT NOT NULL DEFAULT 0,         -- a member's, until the author of the post agrees
    PRIMARY KEY (post_id, account_id, emoji)
);
CREATE INDEX reaction_by_account ON reaction (account_id, id);
CREATE INDEX reaction_by_uri ON reaction (uri);

-- Custom emojis of peers.
CREATE TABLE emoji (
    id        BIGINT PRIMARY KEY,
    host      TEXT NOT NULL,
    shortcode TEXT NOT NULL,
    url       TEXT NOT NULL,
    UNIQUE (host, shortcode)
);

CREATE TABLE bookmark (
    id         BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    UNIQUE (account_id, post_id)
);

CREATE TABLE pin (
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id    BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    PRIMARY KEY (account_id, post_id)
);

CREATE TABLE idempotency (
    account_id BIGINT NOT NULL,
    key        TEXT NOT NULL,
    post_id    BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);

-- ── who with whom ──────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE follow (
    id          BIGINT PRIMARY KEY,
    uri         TEXT NOT NULL UNIQUE,
    follower_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    target_id   BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    state       TEXT NOT NULL,                      -- pending, accepted
    boosts      SMALLINT NOT NULL,
    notify      SMALLINT NOT NULL,
    created_at  BIGINT NOT NULL,
    UNIQUE (follower_id, target_id)
);
CREATE INDEX follow_by_target ON follow (target_id, state, follower_id);

CREATE TABLE block (
    id         BIGINT PRIMARY KEY,
    uri        TEXT NOT NULL UNIQUE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    target_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, target_id)
);
CREATE INDEX block_by_target ON block (target_id);

CREATE TABLE mute (
    id            BIGINT PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    target_id     BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    notifications SMALLINT NOT NULL,
    expires_at    BIGINT,
    created_at    BIGINT NOT NULL,
    UNIQUE (account_id, target_id)
);
CREATE INDEX mute_by_target ON mute (target_id);

CREATE TABLE notification (
    id         BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,                       -- mention, reblog, favourite, follow, follow_request, poll, update …
    from_id    BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id    BIGINT REFERENCES post (id) ON DELETE CASCADE,
    group_id   BIGINT REFERENCES account (id) ON DELETE CASCADE,    -- which group somebody asks to join
    created_at BIGINT NOT NULL
);
CREATE INDEX notification_by_account ON notification (account_id, id);
CREATE INDEX notification_by_post ON notification (post_id);
CREATE INDEX notification_by_group ON notification (group_id) WHERE group_id IS NOT NULL;

CREATE TABLE marker (
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    timeline   TEXT NOT NULL,
    last_read  BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, timeline)
);

-- Groups that are kept here: what their accounts have besides what every account has. Members follow the account.
CREATE TABLE community (
    account_id BIGINT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    closed     SMALLINT NOT NULL,                   -- for its members only
    moderated  SMALLINT NOT NULL,                   -- only moderators begin discussions
    title      TEXT NOT NULL,                       -- closed: for members; else '', for the account has it
    about      TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE community_moderator (
    community_id BIGINT NOT NULL REFERENCES community (account_id) ON DELETE CASCADE,
    account_id   BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    since        BIGINT NOT NULL,
    PRIMARY KEY (community_id, account_id)
);
CREATE INDEX community_moderator_by_account ON community_moderator (account_id);

-- What a group, ours or a peer's, has passed on: discussions, and the answers in them.
CREATE TABLE community_post (
    post_id      BIGINT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    community_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    at           BIGINT NOT NULL,
    PRIMARY KEY (post_id, community_id)
);
CREATE INDEX community_post_by_community ON community_post (community_id, post_id);

-- ── peers, what they sent, what they are owed ──────────────────────────────────────────────────────────────

CREATE TABLE peer (
    domain        TEXT PRIMARY KEY,                 -- canonical authority
    level         TEXT NOT NULL,                    -- '' (the mode decides), blocked, limited, federated, trusted
    note          TEXT NOT NULL,
    signs_with    TEXT NOT NULL,                    -- what it takes: '', cavage, rfc9421, or that with an Accept-Signature
    signs_until   BIGINT NOT NULL,
    first_seen    BIGINT NOT NULL,
    last_heard    BIGINT,
    last_sent     BIGINT,
    failing_since BIGINT,
    failures      BIGINT NOT NULL,
    next_at       BIGINT NOT NULL,                  -- the lane is not tried before
    asked_until   BIGINT NOT NULL,                  -- how long it asked us to wait (Retry-After)
    last_error    TEXT NOT NULL
);

CREATE TABLE newcomer (                             -- hosts that were first asked for something, for a day
    site TEXT NOT NULL,                             -- what was registered: example.org
    host TEXT NOT NULL,
    at   BIGINT NOT NULL,
    PRIMARY KEY (site, host)
);

CREATE TABLE peer_usage (                           -- what hosts sent us, day by day
    host       TEXT NOT NULL,
    day        BIGINT NOT NULL,                     -- since the epoch
    activities BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    PRIMARY KEY (host, day)
);

CREATE TABLE share (                                -- what others have taken of something of ours, for a while
    name  TEXT PRIMARY KEY,                         -- of what, and whose share
    since BIGINT NOT NULL,                          -- the first of those counted
    used  BIGINT NOT NULL
);

CREATE TABLE missing_inbox (                        -- inboxes that answer 404
    inbox TEXT PRIMARY KEY,
    since BIGINT NOT NULL,
    tries BIGINT NOT NULL
);

CREATE TABLE inbox_log (
    id          BIGINT PRIMARY KEY,
    uri         TEXT NOT NULL UNIQUE,               -- the activity's id
    actor_uri   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    body        BYTEA,                              -- while it waits, and for a while when it is dead
    received_at BIGINT NOT NULL,
    state       TEXT NOT NULL,                      -- waiting, done, refused, dead
    attempts    BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    note        TEXT NOT NULL
);
CREATE INDEX inbox_log_waiting ON inbox_log (next_at, id) WHERE state = 'waiting';
CREATE INDEX inbox_log_open ON inbox_log (state) WHERE state <> 'done';
CREATE INDEX inbox_log_bodies ON inbox_log (received_at) WHERE body IS NOT NULL;
CREATE INDEX inbox_log_lines ON inbox_log (actor_uri) WHERE state = 'waiting';

CREATE TABLE outbox (
    id         BIGINT PRIMARY KEY,
    uri        TEXT NOT NULL UNIQUE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id    BIGINT,                              -- what it is about, to cancel what was never sent
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    listed     SMALLINT NOT NULL,                   -- public: shown in the outbox collection
    to_followers SMALLINT NOT NULL,                 -- whether the followers collection is addressed
    keep_until BIGINT NOT NULL,                     -- when to stop trying
    created_at BIGINT NOT NULL
);
CREATE INDEX outbox_by_account ON outbox (account_id, listed, id);
CREATE INDEX outbox_by_post ON outbox (post_id);
CREATE INDEX outbox_withdrawals ON outbox (id) WHERE kind IN ('Delete', 'Undo', 'Remove');
CREATE INDEX outbox_passing ON outbox (created_at) WHERE listed = 0;

CREATE TABLE delivery (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,    -- in the order of promising; never given again
    activity_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    host        TEXT NOT NULL,
    inbox       TEXT NOT NULL,
    state       TEXT NOT NULL,                      -- waiting, parked, withheld
    attempts    BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    last_error  TEXT NOT NULL,
    UNIQUE (activity_id, inbox)
);
CREATE INDEX delivery_lane ON delivery (host, id) WHERE state = 'waiting';
CREATE INDEX delivery_parked ON delivery (next_at) WHERE state = 'parked';
CREATE INDEX delivery_withheld ON delivery (host, next_at) WHERE state = 'withheld';

CREATE TABLE task (
    id         BIGINT PRIMARY KEY,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    once       TEXT NOT NULL UNIQUE,                -- two tasks with one name are one task
    run_at     BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    state      TEXT NOT NULL,                       -- waiting, dead
    last_error TEXT NOT NULL
);
CREATE INDEX task_due ON task (run_at, id) WHERE state = 'waiting';

-- ── attestations and trust ─────────────────────────────────────────────────────────────────────────────────

CREATE TABLE issuer_key (
    id         TEXT PRIMARY KEY,                    -- did:web:…#key-2026-11
    public     TEXT NOT NULL,                       -- Multikey
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

-- What this instance issued.
CREATE TABLE attestation (
    id               BIGINT PRIMARY KEY,
    uri              TEXT NOT NULL UNIQUE,
    subject_uri      TEXT NOT NULL,
    types            TEXT NOT NULL,                 -- JSON array
    profession       TEXT NOT NULL,
    specialties      TEXT NOT NULL,                 -- JSON array
    country          TEXT NOT NULL,
    assurance        TEXT NOT NULL,
    valid_from       BIGINT NOT NULL,
    valid_until      BIGINT NOT NULL,
    document         TEXT NOT NULL,                 -- the signed credential
    revocation_list  BIGINT NOT NULL,
    revocation_index BIGINT NOT NULL,               -- random: the order of issue is nobody's business
    suspension_list  BIGINT NOT NULL,
    suspension_index BIGINT NOT NULL,
    state            TEXT NOT NULL,                 -- offered, accepted, declined, withdrawn, revoked, suspended
    offer_uri        TEXT NOT NULL,
    issued_by        BIGINT,                        -- the verifier's account
    issued_at        BIGINT NOT NULL,
    revoked_at       BIGINT,
    reason           TEXT NOT NULL,
    UNIQUE (revocation_list, revocation_index),
    UNIQUE (suspension_list, suspension_index)
);
CREATE INDEX attestation_by_subject ON attestation (subject_uri);

-- Our own status lists, in pairs: odd numbers revoke, the even number after suspends.
CREATE TABLE status_list (
    number     BIGINT PRIMARY KEY,
    purpose    TEXT NOT NULL,                       -- revocation, suspension
    bits       BYTEA NOT NULL,
    document   TEXT NOT NULL,                       -- signed; re-signed when a bit changes and before it expires
    signed_at  BIGINT NOT NULL
);

-- What we know about an account's attestations, whoever issued them: local and peer accounts alike.
CREATE TABLE credential (
    id           BIGINT PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    uri          TEXT NOT NULL,
    document     TEXT NOT NULL,                     -- as it was received
    issuer       TEXT NOT NULL,                     -- did:web:…
    claim        TEXT NOT NULL,                     -- JSON: what it says, in our codes
    profession   TEXT NOT NULL,
    country      TEXT NOT NULL,
    valid_until  BIGINT NOT NULL,
    proof_key    TEXT NOT NULL,                     -- the Multikey that verified it
    consent      TEXT NOT NULL,                     -- offered, published, declined, withdrawn
    offer_uri    TEXT NOT NULL,
    fault        TEXT NOT NULL,                     -- JSON: what makes it invalid whoever is trusted; '' when nothing
    state        TEXT NOT NULL,                     -- trusted, untrusted, stale, suspended, revoked, expired, invalid, key-discontinuity
    reason       TEXT NOT NULL,                     -- JSON: code and args
    assurance    TEXT NOT NULL,                     -- what it is worth here
    path         TEXT NOT NULL,                     -- JSON array: who says so, and why it counts here
    first_seen   BIGINT NOT NULL,
    checked_at   BIGINT NOT NULL,
    recheck_at   BIGINT NOT NULL,                   -- what was decided holds until then
    UNIQUE (account_id, uri)
);
CREATE INDEX credential_by_issuer ON credential (issuer);
CREATE INDEX credential_recheck ON credential (recheck_at);
CREATE INDEX credential_by_uri ON credential (uri);

CREATE TABLE credential_status (
    url           TEXT NOT NULL,                    -- a status list
    credential_id BIGINT NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    purpose       TEXT NOT NULL,
    bit           BIGINT NOT NULL,
    PRIMARY KEY (url, credential_id, purpose, bit)
);
CREATE INDEX credential_status_by_credential ON credential_status (credential_id);

CREATE TABLE credential_specialty (
    specialty     TEXT NOT NULL,
    credential_id BIGINT NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    PRIMARY KEY (specialty, credential_id)
);
CREATE INDEX credential_specialty_by_credential ON credential_specialty (credential_id);

CREATE TABLE issuer (
    did         TEXT PRIMARY KEY,
    document    TEXT NOT NULL,
    pinned      TEXT NOT NULL,                      -- JSON array of Multikeys: first seen, or continuous with those
    state       TEXT NOT NULL,                      -- known, key-discontinuity
    fetched_at  BIGINT NOT NULL,
    fresh_until BIGINT NOT NULL,
    tried_at    BIGINT NOT NULL,
    last_error  TEXT NOT NULL
);

CREATE TABLE status_cache (
    url         TEXT PRIMARY KEY,
    issuer      TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    bits        BYTEA NOT NULL,                     -- empty while no good list was had
    valid_from  BIGINT NOT NULL,                    -- never goes backwards
    valid_until BIGINT NOT NULL,
    ttl         BIGINT NOT NULL,
    fetched_at  BIGINT NOT NULL,
    tried_at    BIGINT NOT NULL,
    last_error  TEXT NOT NULL
);

CREATE TABLE trust_policy (
    version    BIGINT PRIMARY KEY,
    document   TEXT NOT NULL,                       -- JSON
    author     TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE verification_request (
    id          BIGINT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    profession  TEXT NOT NULL,
    specialties TEXT NOT NULL,
    country     TEXT NOT NULL,
    scheme      TEXT NOT NULL,                      -- rpps, npi, gmc, …
    sealed      BYTEA NOT NULL,                     -- number and note, readable by verifiers only, erased on decision
    number_hmac TEXT NOT NULL,                      -- to find one number claimed twice
    evidence_hash TEXT NOT NULL,                    -- SHA-256 of what was sealed; stays when that is erased
    state       TEXT NOT NULL,                      -- waiting, approved, refused, withdrawn
    attestation_id BIGINT,
    decided_by  BIGINT,
    decided_at  BIGINT,
    reason      TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX verification_request_waiting ON verification_request (state, id);
CREATE INDEX verification_request_by_number ON verification_request (number_hmac);
CREATE INDEX verification_request_by_account ON verification_request (account_id, id);

-- ── cases ──────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE clinical_case (
    id               BIGINT PRIMARY KEY,
    post_id          BIGINT NOT NULL UNIQUE REFERENCES post (id) ON DELETE CASCADE,
    account_id       BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    title            TEXT NOT NULL,
    presentation     TEXT NOT NULL,                 -- these five: Markdown
    history          TEXT NOT NULL,
    examination      TEXT NOT NULL,
    investigations   TEXT NOT NULL,
    question         TEXT NOT NULL,
    age_band         TEXT NOT NULL,                 -- '' when not said
    sex              TEXT NOT NULL,
    specialties      TEXT NOT NULL,                 -- JSON array
    stage            TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    accepted_post_id BIGINT,
    audience         TEXT NOT NULL,                 -- public, followers, verified
    consent_basis    TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);

CREATE TABLE case_specialty (
    specialty TEXT NOT NULL,
    case_id   BIGINT NOT NULL REFERENCES clinical_case (id) ON DELETE CASCADE,
    PRIMARY KEY (specialty, case_id)
);
CREATE INDEX case_specialty_by_case ON case_specialty (case_id);

-- ── moderation and audit ───────────────────────────────────────────────────────────────────────────────────

CREATE TABLE report (
    id          BIGINT PRIMARY KEY,
    uri         TEXT NOT NULL UNIQUE,
    reporter_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    target_id   BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_uris   TEXT NOT NULL,
    comment     TEXT NOT NULL,
    category    TEXT NOT NULL,
    forwarded   SMALLINT NOT NULL,
    created_at  BIGINT NOT NULL,
    resolved_at BIGINT,
    resolved_by BIGINT
);

CREATE TABLE audit (
    seq      BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,                         -- JSON, never content
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL                          -- SHA-256 over previous and this row
);

-- When a worker of this instance, in whatever process, was last at work: readiness reads it.
CREATE TABLE heartbeat (
    id BIGINT PRIMARY KEY,                          -- 1: there is one row
    at BIGINT NOT NULL
);
