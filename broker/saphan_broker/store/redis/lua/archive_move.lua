#!lua flags=allow-oom
-- What was archived leaves the memory and is counted as moved, in one step: so it is always found
-- in one of the two places. The count is what fences a second mover, beside the lease's epoch.
-- KEYS  head, archive
-- ARGV  epoch, field of the count, its value now ('' for none), its value then, operations: number
--       of words, words
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size')
if not head[2] then return {'empty', '0'} end
if head[1] ~= ARGV[1] then return {'fenced', head[2]} end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return {'moved', head[2]} end
-- Asked before the first write: what is removed and not entered elsewhere would be lost.
local at = 5
while at <= #ARGV do
    local words = tonumber(ARGV[at])
    if not redis.acl_check_cmd(unpack(ARGV, at + 1, at + words)) then
        return redis.error_reply("NOPERM no permissions to run the '"
            .. string.lower(ARGV[at + 1]) .. "' command")
    end
    at = at + words + 1
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
at = 5
while at <= #ARGV do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
return {'done', head[2]}
