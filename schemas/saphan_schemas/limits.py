"""Every bound of the system, with its unit and reason. A peer that exceeds one is told which."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in milliseconds, unless the name says otherwise."""

    # What is said
    content_bytes: int = 64 * KIB  # larger content waits for the blob store (attachments issue)
    ciphertext_bytes: int = 96 * KIB  # 64 KiB content, inner, two signatures, Padmé-padded, sealed
    header_bytes: int = 8 * KIB  # 64 recipients of 35 bytes and every other field at its longest
    consignment_bytes: int = 16 * KIB  # 64 recipients of 105 bytes
    statement_bytes: int = 4 * KIB  # 1 KiB of sealed detail costs 1,120 + 1,040 bytes
    recipients: int = 64  # a bulletin is addressed by name; there is no "all"
    attachments: int = 32  # per bulletin
    attachment_bytes: int = 16 * MIB  # of one, as its author has it: a scanned warrant of 100 pages
    attachments_bytes: int = 32 * MIB  # of all attachments of one bulletin
    part_bytes: int = 128 * KIB  # of a blob in one message; a pace sends 4 KiB on a slow line
    staged_bytes: int = 128 * MIB  # of sealed attachments one agency has brought and not consigned
    blob_lock_ms: int = 10 * SECOND_MS  # wait for another process's work on the same attachments
    object_bytes: int = 8 * MIB  # read whole into memory; a pack of the archive has half of it
    object_ms: int = 30 * SECOND_MS  # one request to an S3 service: 8 MiB at 2.5 Mbit/s
    object_commit_ms: int = 3 * SECOND_MS  # that a commit waits for the objects of long bodies
    object_retry_ms: int = 10 * SECOND_MS  # after a request began, in which it is repeated
    archive_pack_items: int = 256  # finished bulletins in one pack of the archive
    archive_pack_bytes: int = 4 * MIB  # of their bodies in one object
    archive_cache_bytes: int = 64 * MIB  # of archived objects that a process keeps in memory
    archive_keep_bulletins: int = 4_096  # finished ones left in the server's memory: some are read
    archive_keep_blocks: int = 32  # full ones of 256 leaves left there: feeds that are a bit behind
    archive_box_items: int = 4_096  # of a mailbox in one object; as many stay in the server
    staged_ms: int = 7 * DAY_MS  # until what nobody consigns is removed; lines are cut for days
    detail_bytes: int = 1 * KIB  # plaintext of a sealed rejection detail, always padded to this

    policy_bytes: int = 256 * KIB  # of a C2SP tlog-policy: 64 agencies, 1.9 KB of keys each
    policy_items: int = 256  # logs, witnesses or groups of one: C2SP wants at least 32 of each

    # Keys and the directory
    operation_bytes: int = 65_535  # a log entry is u16-length-prefixed (C2SP tlog-tiles)
    agreement_bytes: int = 64 * KIB  # text of 32 parties with all rules and pins
    schema_bytes: int = 512 * KIB  # of a bundled schema with its rules: twenty times our largest
    schemas_per_agency: int = 64  # own ones, every version: 32 MiB of bundles at a broker
    schema_pattern_chars: int = 512  # of one pattern; ours have at most 80
    schema_pattern_positions: int = 256  # of one, with counted repetitions written out
    schema_patterns_positions: int = 512  # of all that one text meets; ours 280; 64 KiB take 0.9 s
    schema_patterns_size: int = 2**18  # of all patterns of a bundle, their classes written out
    schema_nodes: int = 16_384  # of a schema with every reference written out; ours have 2,000
    schema_depth: int = 24  # schemas in schemas, references counted; ours have 17
    schema_codes: int = 1_024  # in one enumeration
    schema_meets: int = 64  # parts of a schema that one value meets: what checking it costs
    rule_paths: int = 32  # in one list of paths; ours have at most 10
    schema_rules: int = 512  # of a bundle, each run over the whole content
    schema_rule_work: int = 2**22  # values that all rules touch in one content: a second
    roots: int = 16  # holders of shares of one agency's root
    keys_per_agency: int = 4_096  # active keys; an office of 4,000 officers is outside our users
    agencies: int = 512  # the directory is replayed in full by everyone

    operation_changes: int = 64  # of one operation: a year's mailbox keys are revoked at once
    mailbox_weeks: int = 24  # weekly mailbox keys made at once: 30 KB of an operation's 64
    mailbox_ahead_weeks: int = 40  # for which keys are enrolled; more is a mistake, repeated
    mailbox_first_weeks: int = 8  # of them with an agency's first keys: more would not fit the leaf
    mailbox_warn_weeks: int = 4  # fewer left is an alarm: roots are offline and need their time
    mailbox_overlap_ms: int = 2 * DAY_MS  # a weekly key still takes what waited over a weekend
    mailbox_open_ms: int = 60 * DAY_MS  # after its last use: 30 days to deliver, 30 to answer
    bound_packages: int = 256  # brought by hand; those that the log shows make room for others
    hold_ids: int = 4_096  # that one hold order names: 128 KiB of its terms
    hold_parts: int = 64  # types, threads or cases that one hold order names
    hold_terms_bytes: int = 208 * KIB  # why and what is held: 4,096 ids, 64 types, threads, cases
    hold_thread: int = 65_536  # bulletins of the threads that one hold names
    hold_review_days: int = 366  # until a hold is looked at again: a year
    holds_per_agency: int = 1_024  # in force at once: each is looked at for every new bulletin

    # Signatures and logs
    batch_items: int = 65_536  # one node signature over at most so many items
    split_bytes: int = 1 * MIB  # of a file that proves two histories: a few notes of 4 KB and paths
    split_parts: int = 64  # notes, paths or claims in it; three are a proof
    proof_hashes: int = 63  # a tree of 2**63 leaves; C2SP tlog-witness allows as many
    proof_items: int = 32  # leaves of one question for paths: 21 KB, 3 s at 64 kbit/s, at worst
    note_bytes: int = 256 * KIB  # a head with 64 witnesses at 3.4 KiB each
    note_signatures: int = 128  # lines on a note; C2SP demands at least 16 accepted
    report_bytes: int = 128 * MIB  # of one node's directory: 262,144 leaves of 0.4 KB, as a bundle
    report_ms: int = 10 * MINUTE_MS  # for one part of it: 4 MiB at 64 kbit/s
    successions: int = 256  # logs of one broker, one after the other: a disk lost every month
    leaf_bytes: int = 65_535  # u16-length-prefixed in entry bundles
    tile_cache: int = 64  # full tiles in memory per log with their inner nodes, 37 KB each
    pack_notes: int = 4_096  # heads in a record pack: eleven a day of a year, checked in 5 s
    pack_signatures: int = 4_096  # of a record pack in memory at one time, 3.6 KB each
    bundle_entries: int = (
        4_096  # of one bulletin: 64 recipients with 64 entries each, 40 MB at worst
    )
    bundle_packages: int = 512  # agreements and orders; entries are judged after each that counts
    bundle_leaves: int = 262_144  # of its directory: 512 agencies for decades; 0.4 KB each, kept
    bundle_notes: int = 64  # heads in a bundle; one of each log is the rule

    # Time
    skew_ms: int = 60 * SECOND_MS  # clocks that differ more are refused; NTP holds far less
    delivery_grace_days: int = 30  # broker due-day = min(retain_until, expires + 30 days)
    max_expiry_ms: int = 400 * DAY_MS  # a bulletin nobody fetched in 13 months is expired
    record_days: int = 3_653  # records and salts outlive their bulletin by ten years
    ratchet_days: int = 40_200  # a century of retention and ten years for records; 0.2 s
    destruction_grace_ms: int = 72 * HOUR_MS  # a due delivery's destruction must be in the log by
    retention_leap_ms: int = 35 * DAY_MS  # witnessed time that goes on by more waits for a person
    retention_items: int = 16  # deliveries destroyed by one item of the queue, about 2 ms
    retention_batch: int = 128  # at most in one commit: what arrives meanwhile waits for it
    held_days: int = 30  # for which a held stanza is wrapped anew; then again, while it is held
    head_idle_ms: int = HOUR_MS  # an idle log signs its head anew at least so often
    anchor_ms: int = HOUR_MS  # of a growing log, between two anchors: a leaf of 41 bytes
    head_quiet_ms: int = 45 * MINUTE_MS  # between heads told to who has nothing new: 8 KB each
    head_asked_ms: int = (
        5 * SECOND_MS
    )  # between directory heads that one asks for and all are shown

    # Session and queues
    frame_bytes: int = 4 * MIB  # one WebSocket message: 32 bulletins of 96 KiB and room
    frame_items: int = 256  # submissions or statements in one message
    feed_window_bytes: int = 4 * MIB  # unacknowledged feed per session; memory stays flat
    feed_window_items: int = 512  # the same in entries
    session_requests: int = 64  # requests in flight per session before the broker stops reading
    session_bytes: int = 16 * MIB  # of the same requests; one is read whatever its size
    sessions: int = 256  # open node sessions per broker process
    sessions_per_agency: int = 8  # a node reconnecting before its old line has timed out
    commit_items: int = 512  # bulletins and statements in one group commit
    commit_bytes: int = 8 * MIB  # the same in bytes
    commit_entries: int = 8  # beside them, of the directory, from one agency: 512 signatures each
    queue_items: int = 8_192  # waiting for the sequencer; beyond it the answer is "retry"
    queue_bytes: int = 64 * MIB  # the same in bytes
    forward_items: int = 1_024  # on their way from one process to the one that sequences
    forward_bytes: int = 16 * MIB  # the same in bytes; servers cut a subscriber off at 32 MiB
    forward_piece: int = 1 * MIB  # of one message between processes: others get their turn
    forward_ms: int = 30 * SECOND_MS  # until a silent holder's answer is "retry"
    beat_ms: int = SECOND_MS  # between signs of life of a process
    silence_ms: int = 5 * SECOND_MS  # without a sign of life a process counts as gone
    processes: int = 64  # of one broker, on all hosts
    heartbeat_ms: int = MINUTE_MS  # ping on an idle line, 330 KB a day; NAT forgets TCP in minutes
    login_bytes: int = 16 * KIB  # a login with its signature takes 4 KiB
    strangers: int = 32  # connections before their login; each may hold a frame in memory
    login_ms: int = 15 * SECOND_MS  # time to answer the challenge
    backoff_min_ms: int = 200  # first wait before a node reconnects
    backoff_max_ms: int = 30 * SECOND_MS  # longest wait; a broker restart is noticed within it
    witness_lag_ms: int = 10 * MINUTE_MS  # that a witness lacks before it is an alarm; one restarts
    shutdown_ms: int = 20 * SECOND_MS  # clean shutdown finishes or refuses within this
    store_connect_ms: int = 5 * SECOND_MS  # to a Redis server: connected and logged in
    store_reply_ms: int = 10 * SECOND_MS  # of a Redis server, beside what replicas may take
    store_examine_ms: int = MINUTE_MS  # between looks at a Redis server's settings while it runs
    sentinel_reply_ms: int = SECOND_MS  # of one sentinel: the others answer for it
    sentinel_look_ms: int = SECOND_MS  # between looks whether the primary is another one by now
    store_settle_ms: int = 5 * SECOND_MS  # to find out what became of a commit: a server's restart

    # Quotas of one agency at a broker, where its operator names no others (admission step 14)
    quota_bulletins: int = 60_000  # a minute: three quarters of a broker are left to others
    quota_bytes: int = 16 * 1024 * MIB  # a day: a thousand bulletins with a full attachment each
    quota_refusal_bytes: int = 1 * KIB  # what the record of a refusal takes on the disk, about
    quota_deliveries: int = 100_000  # without outcome: a partner is away, a hundred days of 1,000
    quota_bytes_least: int = 48 * MIB  # a quota below one largest bulletin would never let it pass
    quota_directory: int = 1_000  # a day, of each kind: the directory is replayed by everyone
    quota_wait_ms: int = SECOND_MS  # least wait after a refusal: asking at once gains nothing
    quota_wait_most_ms: int = 10 * MINUTE_MS  # the longest: the operator may have made it larger
    quota_open_wait_ms: int = MINUTE_MS  # where outcomes are waited for: they come one by one
    quota_file_bytes: int = 256 * KIB  # of the operator's file: 512 agencies of 150 bytes, and room

    # Local API
    api_body_bytes: int = 256 * KIB  # JSON of 64 KiB content, escaped
    api_page_items: int = 500  # rows in one listing
    api_connections: int = 64  # case systems and desks of one office
    api_streams: int = 16  # event streams; they stay, so they must not use up the requests
    api_caller_connections: int = 32  # of one system or officer: half of them are for the others
    api_caller_streams: int = 4  # the same for event streams: two machines, and lines that died
    uploads_bytes: int = 256 * MIB  # of attachments that clients have uploaded and not yet sent
    uploads_owner_bytes: int = 64 * MIB  # of one officer or system: two bulletins with all of it
    uploads_ms: int = DAY_MS  # until an upload that nobody sends is removed: it is not sealed yet
    api_patience_ms: int = 30 * SECOND_MS  # for a body that trickles in, a listener that stalls
    tokens: int = 1_024  # of the local API, those that have ended among them: one per program
    token_ms: int = 90 * DAY_MS  # that a token holds unless it is said: one change a quarter
    token_most_ms: int = 366 * DAY_MS  # no token outlives a year and the people who knew of it
    token_noted_ms: int = 10 * MINUTE_MS  # between two writes of a token's last use
    repeats_ms: int = 7 * DAY_MS  # that a request is known again: a case system down for a week

    # The form in which an officer fills in a bulletin
    form_answers: int = 4_096  # of one bulletin: 64 KiB of content hold fewer
    form_line_chars: int = 4_096  # of one typed line; prose may have several
    form_terminal_bytes: int = 4_095  # of one line and its end: Linux drops what is typed beyond
    form_lines: int = 64  # of one answer
    form_draft_bytes: int = 1 * MIB  # a half-filled one: 64 KiB of content and its pointers

    # Desks (officers' own machines, at their node)
    desk_sessions: int = 256  # open desk sessions of one node; an office of hundreds
    desk_sessions_per_officer: int = 8  # two desks, and lines that have not timed out yet
    desk_frame_bytes: int = 128 * KIB  # a message of a desk: 64 KiB content and its records
    desk_answer_bytes: int = 1 * MIB  # JSON of 64 KiB content, every character escaped
    desk_page_items: int = 100  # rows of the inbox in one answer to a desk
    desk_text_chars: int = 2_000  # one sentence of an error, a field's path
    desk_parts_ahead: int = 64  # requests for an attachment's parts on their way, of 16 KiB
    desk_waiting: int = 256  # bulletins in a desk's outbox; beyond it something is wrong
    desk_drafts: int = 512  # drafts kept at a desk
    desk_search_chars: int = 256 * KIB  # folded text of a bulletin; of 64 KiB, one letter may be 18
    desk_search_codes: int = 512  # codes of a bulletin that are found by what they are called
    desk_search_sounds: int = 1_024  # words of a bulletin that may be romanised names
    desk_search_memory: int = 48 * MIB  # folded texts in a desk's memory; older ones stay sealed
    desk_draft_ms: int = 180 * DAY_MS  # that a draft nobody touches stays at a desk: half a year

    # What an agency sets at its node
    rules: int = 256  # rules that say what officers are shown; each is asked for each bulletin
    rule_names: int = 256  # handles, types or agencies that one rule names
    countersigning: int = 256  # bulletins that wait for a second officer; beyond it nobody looks
    notice_ms: int = 30 * SECOND_MS  # a notice command that takes longer is ended
    notice_running: int = 4  # notice commands at one time
    notice_tries: int = 6  # of a command that fails, in half an hour
    page_idle_ms: int = 10 * MINUTE_MS  # without a person, until an officer's page locks itself
    page_backlog: int = 128  # connections that wait at a page's socket: six a tab, while it locks
    page_body_bytes: int = 4 * MIB  # of a form: content has 64 KiB, Khmer nine bytes a letter in it
    unlock_tries: int = 5  # wrong passphrases at a page before the next one waits
    unlock_wait_ms: int = 10 * SECOND_MS  # after them; doubled each time
    unlock_wait_max_ms: int = 15 * MINUTE_MS  # of one wait: who owns the desk comes back to it
    desk_named: int = 32  # unread bulletins for which a desk's officer is named in one message
    escalation_steps: int = 8  # of officers named one after the other while nobody reads
    suppression_ms: int = 3_653 * DAY_MS  # ten years: as long as records of it
    recall_answer_ms: int = 24 * HOUR_MS  # to answer a recall, before a holder is shown as silent
    report_bulletins: int = 500  # of one report about a reference; a person has some dozens
    thread_bulletins: int = 256  # of one thread that are shown together; a matter has some dozens

    # Backups of a node
    custodians: int = 7  # of one backup; every k of them have shares of their own, 140 at most
    backup_header_bytes: int = 512 * KIB  # 140 sealed shares of 1.6 KiB in base64, and names
    backup_name_bytes: int = 255  # of a file in a backup, its folders included
    backup_files: int = 1_000_000  # in one backup; 1,000 bulletins a day with an attachment each


LIMITS = Limits()
