#!lua flags=allow-oom
-- Rows that an older version of this program has not written; nothing once another one has come to
-- the end: from then on they are kept up by commits.
-- KEYS  head of the evidence log, head of the directory log
-- ARGV  format that is left, format that is reached by this call ('' for none), operations: number
--       of words, words
local found = redis.call('HGET', KEYS[1], 'format')
if not found then return {'empty', '0'} end
if found ~= ARGV[1] then return {'moved', '0'} end
local at = 3
while at <= #ARGV do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[2], 'format', ARGV[2])
    redis.call('HSET', KEYS[1], 'format', ARGV[2])
end
return {'done', '0'}
