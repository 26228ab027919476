#!lua flags=allow-oom
-- What goes without a commit: all of these operations, or none.
-- KEYS  head, archive, done, ages
-- ARGV  epoch, prefix of our keys, how many entries are forgotten now ('' for whatever it is),
--       operations: number of words, words. A word that is no command of the server is one of
--       `unindex` (slot, the pack that it leads to), `age` (pack, record day) and `tidy`
--       (a bulletin's key, id).
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size', 'forgotten')
if not head[2] then return {'empty', '0'} end
if head[1] ~= ARGV[1] then return {'fenced', head[2]} end
if ARGV[3] ~= '' and (head[3] or '0') ~= ARGV[3] then return {'moved', head[2]} end
-- Asked before the first write: what is half done here nothing would finish.
for _, name in ipairs({'del', 'exists', 'hdel', 'hget', 'hincrby', 'hset', 'hsetnx', 'incr', 'sadd',
    'set', 'srem', 'unlink', 'xtrim', 'zadd', 'zrem', 'zscore'}) do
    if not redis.acl_check_cmd(name, KEYS[1]) then
        return redis.error_reply("NOPERM no permissions to run the '" .. name .. "' command")
    end
end
local at = 4
while at <= #ARGV do
    local words, word = tonumber(ARGV[at]), ARGV[at + 1]
    if word == 'unindex' then
        local buckets = tonumber(redis.call('HGET', KEYS[2], 'buckets') or '1')
        local bucket = ARGV[2] .. 'x:' .. bucket_of(ARGV[at + 2], buckets)
        if redis.call('HGET', bucket, ARGV[at + 2]) == ARGV[at + 3] then
            redis.call('HDEL', bucket, ARGV[at + 2])
            redis.call('HINCRBY', KEYS[2], 'slots', -1)
        end
    elseif word == 'age' then
        -- Something kept it beyond its records; by now it may go.
        if redis.call('ZSCORE', KEYS[4], ARGV[at + 2]) then
            redis.call('ZADD', KEYS[4], ARGV[at + 3], ARGV[at + 2])
        end
    elseif word == 'tidy' then
        if redis.call('EXISTS', ARGV[at + 2]) == 0 then
            redis.call('ZREM', KEYS[3], ARGV[at + 3])
        end
    else
        redis.call(unpack(ARGV, at + 1, at + words))
    end
    at = at + words + 1
end
return {'done', head[2]}
