#!lua flags=allow-oom
-- Bring the other log's head to the epoch of the lease; it never falls.
-- KEYS  head
-- ARGV  epoch
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {'empty', '0'} end
if tonumber(epoch) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'epoch', ARGV[1]) end
return {'done', ARGV[1]}
