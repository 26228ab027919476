#!lua flags=allow-oom
-- Deliveries of a pack that is due enter what is destroyable, and the pack is asked no more.
-- KEYS  head, days, destroyable
-- ARGV  epoch, the pack's number, then for each delivery: its due day, its member
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size')
if not head[2] then return {'empty', '0'} end
if head[1] ~= ARGV[1] then return {'fenced', head[2]} end
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return {'moved', head[2]} end
for _, name in ipairs({'zadd', 'zrem'}) do
    if not redis.acl_check_cmd(name, KEYS[1]) then
        return redis.error_reply("NOPERM no permissions to run the '" .. name .. "' command")
    end
end
for first = 3, #ARGV, 4000 do
    redis.call('ZADD', KEYS[3], unpack(ARGV, first, math.min(first + 3999, #ARGV)))
end
redis.call('ZREM', KEYS[2], ARGV[2])
return {'done', head[2]}
