-- Format 2: a bulletin's attachments, length (8 bytes, big-endian) and SHA-256 of each, in order.
-- Their bytes are files beside the store; like the ciphertext's digest this outlives them.

ALTER TABLE bulletin ADD COLUMN attachments BLOB NOT NULL DEFAULT x'';
