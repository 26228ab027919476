#!lua flags=allow-oom
-- Hold the lease longer; what has run out is not renewed: somebody else may have had it since.
-- KEYS  lease
-- ARGV  holder, ms; 0: give it up
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost', '0'} end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {'done', '0'}
