#!lua flags=allow-oom
-- Objects that no index names become objects to be removed: from here on none can name them.
-- KEYS  notes, gone
-- ARGV  name in the archive, name of the object, and so on
local dropped = 0
for at = 1, #ARGV, 2 do
    if redis.call('ZREM', KEYS[1], ARGV[at]) == 1 then
        redis.call('SADD', KEYS[2], ARGV[at + 1])
        dropped = dropped + 1
    end
end
return dropped
