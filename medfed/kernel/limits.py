"""Every limit on what strangers, peers and members may send, in one place; docs/limits.md lists them."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

INBOX_BODY: Final = 1 * MIB
FETCHED_DOCUMENT: Final = 1 * MIB
FETCHED_SMALL: Final = 64 * KIB
"""WebFinger, NodeInfo and did:web documents."""
FETCHED_MEDIA: Final = 40 * MIB
CREDENTIAL: Final = 64 * KIB
STATUS_LIST: Final = 1 * MIB
API_BODY: Final = 1 * MIB
UPLOAD_BODY: Final = 41 * MIB
IMAGE_BYTES: Final = 40 * MIB
IMAGE_PIXELS: Final = 33_200_000

REQUEST_HEAD: Final = 64 * KIB
REQUEST_HEAD_SECONDS: Final = 10.0
REQUEST_BODY_SECONDS: Final = 20.0
"""How often a body that is still coming is looked at."""
REQUEST_BODY_RATE: Final = 1 * KIB
"""The fewest bytes a second that a body may bring."""

REDIRECTS: Final = 3
DNS_TIMEOUT: Final = 5.0
CONNECT_TIMEOUT: Final = 5.0
TLS_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 10.0
TOTAL_TIMEOUT: Final = 30.0
KEY_FETCH_TIMEOUT: Final = 10.0

RESPONSE_HEAD: Final = 64 * KIB
RESPONSE_HEADERS: Final = 128
INTERIM_RESPONSES: Final = 8
DECOMPRESSION_RATIO: Final = 100
RETRY_AFTER: Final = 24 * 60 * 60
"""The longest wait, in seconds, that a peer's Retry-After may ask for."""
CONNECTIONS_PER_HOST: Final = 8
IDLE_CONNECTIONS: Final = 2_000
"""Kept open for the next request; fewer where the process may not open four times as many files."""
IDLE_SECONDS: Final = 30.0
DNS_CACHE_SECONDS: Final = 60.0
DNS_CACHE_HOSTS: Final = 4_096
DNS_THREADS: Final = 64
"""A name that is never answered takes one for ten seconds, whatever we wait; they are begun when needed."""

JSON_DEPTH: Final = 32
JSON_ARRAY: Final = 1_000
JSON_NODES: Final = 20_000
JSON_INT: Final = 2**53 - 1

SIGNATURE_PAST_SECONDS: Final = 65 * 60
SIGNATURE_FUTURE_SECONDS: Final = 5 * 60
SIGNATURE_LABELS: Final = 3
SIGNATURE_HEADER: Final = 8 * KIB
SIGNATURE_COMPONENTS: Final = 32
"""What a peer may ask one signature of ours to cover."""
KNOCKS: Final = 3
"""How often one request is made, signed otherwise each time, until a peer takes it."""
RUMOURS_PER_HOST: Final = 60
"""What one host may pass on within ten minutes of what others said and have not proven; their servers are asked."""
KEY_ID: Final = 2_048
PROOFS: Final = 8
PUBLIC_KEY_PEM: Final = 4 * KIB
"""An 8192-bit RSA key takes 1.5 kB."""
RSA_BITS: Final = (2048, 8192)
KEYS_PER_ACTOR: Final = 10
KEY_REFRESH_SECONDS: Final = 5 * 60

ADDRESSEES: Final = 500
AUTHORS: Final = 10
TAGS: Final = 100
ATTACHMENTS_IN: Final = 16
MENTIONS: Final = 50
EXCERPT: Final = 500
REQUESTS_WAITING: Final = 20
"""Of one account to one member, to quote; whoever asks more often before an answer is refused."""
POLICY_ENTRIES: Final = 50
"""Who is named in one list of an interaction policy; whoever comes after is not."""
CONTENT_IN: Final = 500 * KIB
NAME: Final = 2_048
SUMMARY: Final = 20 * KIB
FIELDS: Final = 50
FIELD: Final = 2_047
ALSO_KNOWN_AS: Final = 256
POLL_OPTIONS_KEPT: Final = 50
ALT_TEXT: Final = 10_000

POST_CHARACTERS: Final = 5_000
POST_ATTACHMENTS: Final = 4
POLL_OPTIONS: Final = 8
POLL_OPTION_CHARACTERS: Final = 100
CASE_FIELD: Final = 10_000
CASE_TITLE: Final = 200
ALT_TEXT_LOCAL: Final = 1_500

RESOLVE_FETCHES: Final = 50
REPLY_DEPTH: Final = 30
NEW_HOSTS_PER_SITE: Final = 10
"""Hosts under one registered name that we begin to know within a day, unless an administrator judged them."""
INTRODUCTIONS: Final = 60
"""Actors of one host that strangers may make us ask for in a minute; who then proves to have signed is not counted."""
HOST_ACTIVITIES_PER_DAY: Final = 500_000
HOST_BYTES_PER_DAY: Final = 1024 * MIB
"""What one host may have us store of its activities within a day (UTC)."""
DISK_KEPT_FREE_PERCENT: Final = 5
DISK_KEPT_FREE: Final = 20 * 1024 * MIB
"""Of a disk, whichever is less: with less left, inboxes and uploads are closed, and what makes room still works."""
FOLLOWERS_LISTED: Final = 10_000
"""Followers on one host that a peer may list to synchronise (FEP-8fcf); a longer list changes nothing."""
FOLLOWERS_PAGES: Final = 20
FOLLOWERS_SYNC_SECONDS: Final = 10 * 60
"""Before the followers of one author are compared with its server's list again."""
FOLLOWERS_SYNCS_PER_HOST: Final = 30
"""How many authors of one host are synchronised within an hour."""
FOLLOWERS_UNDONE: Final = 200
"""How many follows that an author's server is wrong about are undone at a time."""
THREAD_FETCHES: Final = 40
"""Requests for one completion of a thread that a member opens."""
THREAD_POSTS: Final = 200
THREAD_PAGES: Final = 5
THREAD_COOLDOWN_SECONDS: Final = 15 * 60
"""Before a thread that somebody opens is looked for anew."""
