#!lua flags=allow-oom
-- Take the lease if nobody else has it; a new holding raises the epoch.
-- KEYS  lease, head
-- ARGV  holder, ms
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {'held', '0'} end
if redis.call('HEXISTS', KEYS[2], 'size') == 0 then return {'empty', '0'} end
-- First the epoch: should the script end here, nobody holds the lease under that of another one.
if not holder then redis.call('HINCRBY', KEYS[2], 'epoch', 1) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'done', redis.call('HGET', KEYS[2], 'epoch')}
