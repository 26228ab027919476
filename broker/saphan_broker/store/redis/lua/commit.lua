-- One commit, all of it or nothing (docs/adr/0013): check first, then write; nothing below the
-- checks can fail, because every key it touches is of our own making and every command allowed.
-- KEYS  head, due, done, wiped, gone, old, aged, removed
-- ARGV  epoch, id of the commit before, expected size, expected root, time,
--       id of this commit, new size, new root, number of new bulletins,
--       number of keys that must be new, those keys: of a bulletin, of its nonce, and so on,
--       then operations: number of words, words. A word that is no command of the server is one of
--       `deliver` (bulletin's key, member of due, deadline or nothing), `touch` (key, id),
--       `wipe` (key, id, fields of one stanza) and `bare` (key, id): no ciphertext any more.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'size', 'root', 'time')
if not head[3] then return {'empty', '0'} end
if head[1] ~= ARGV[1] then return {'fenced', head[3]} end
if head[3] ~= ARGV[3] or head[4] ~= ARGV[4] or head[2] ~= ARGV[2] then return {'moved', head[3]} end
if tonumber(ARGV[5]) < tonumber(head[5]) then return {'time', head[5]} end
local at = 11 + tonumber(ARGV[10])
local there = 0
for first = 11, at - 1, 4000 do
    there = there + redis.call('EXISTS', unpack(ARGV, first, math.min(first + 3999, at - 1)))
end
if there > 0 then
    for first = 11, at - 1, 2 do
        -- Without facts nothing but refusals are there: it was not admitted before.
        if redis.call('HEXISTS', ARGV[first], 'f') + redis.call('EXISTS', ARGV[first + 1]) > 0 then
            return {'stored', head[3]}
        end
    end
end
-- What stops a script in the middle leaves what it has written: this user's rights are asked first.
for _, name in ipairs({'hdel', 'hexists', 'hget', 'hset', 'hsetnx', 'hincrby', 'incr', 'sadd', 'set',
    'xadd', 'zadd', 'zrem', 'zscore'}) do
    if not redis.acl_check_cmd(name, KEYS[1]) then
        return redis.error_reply("NOPERM no permissions to run the '" .. name .. "' command")
    end
end
-- A server without memory refuses the first of the writes, whichever that is.
local count, removed = #ARGV, false
while at <= count do
    local words = tonumber(ARGV[at])
    local word = ARGV[at + 1]
    if word == 'deliver' then
        local key, member, deadline = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
        if deadline ~= '' then
            if redis.call('ZADD', KEYS[2], deadline, member) == 1 then
                redis.call('HINCRBY', key, 'w', 1)
            end
        elseif redis.call('ZREM', KEYS[2], member) == 1 then
            redis.call('HINCRBY', key, 'w', -1)
        end
    elseif word == 'touch' then
        local waiting = redis.call('HGET', ARGV[at + 2], 'w')
        if waiting and tonumber(waiting) > 0 then
            redis.call('ZREM', KEYS[3], ARGV[at + 3])
        else
            redis.call('ZADD', KEYS[3], ARGV[7], ARGV[at + 3])
        end
    elseif word == 'wipe' then
        if redis.call('HEXISTS', ARGV[at + 2], 'f') == 1 then
            redis.call('HDEL', ARGV[at + 2], ARGV[at + 4], ARGV[at + 5])
        else
            -- It stands in a pack: an empty field lies over it.
            redis.call('HSET', ARGV[at + 2], ARGV[at + 4], '')
            redis.call('SADD', KEYS[4], ARGV[at + 3])
        end
        removed = true
    elseif word == 'bare' then
        local object = redis.call('HGET', ARGV[at + 2], 'o')
        if object then redis.call('SADD', KEYS[5], object) end
        if redis.call('HEXISTS', ARGV[at + 2], 'f') == 1 then
            redis.call('HDEL', ARGV[at + 2], 'c', 'o')
        else
            redis.call('SADD', KEYS[4], ARGV[at + 3])
        end
        redis.call('HSET', ARGV[at + 2], 'x', '1')
        -- Kept beyond its records; now nothing keeps the rest.
        local day = redis.call('ZSCORE', KEYS[6], ARGV[at + 3])
        if day then
            redis.call('ZREM', KEYS[6], ARGV[at + 3])
            redis.call('ZADD', KEYS[7], day, ARGV[at + 3])
        end
        removed = true
    else
        redis.call(unpack(ARGV, at + 1, at + words))
    end
    at = at + words + 1
end
if removed then redis.call('INCR', KEYS[8]) end
-- Last: should a bug end the script above, there is no head over rows that are not there.
redis.call('HSET', KEYS[1], 'commit', ARGV[6], 'size', ARGV[7], 'root', ARGV[8], 'time', ARGV[5])
if ARGV[9] ~= '0' then redis.call('HINCRBY', KEYS[1], 'bulletins', ARGV[9]) end
return {'done', ARGV[7]}
