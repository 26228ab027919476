#!lua flags=allow-oom
-- What became of a commit whose reply was lost; what was not applied never will be after this.
-- KEYS  head, barrier
-- ARGV  epoch, id of the commit before, id of the commit, a fresh id
local head = redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'size')
if not head[3] then return {'empty', '0'} end
redis.call('INCR', KEYS[2])
if head[2] == ARGV[3] then return {'done', head[3]} end
-- Asked before, and that answer was lost too.
if head[2] == ARGV[4] then return {'refused', head[3]} end
-- Another epoch: the lost command is fenced, wherever it still is.
if head[1] ~= ARGV[1] then return {'fenced', head[3]} end
if head[2] ~= ARGV[2] then return {'other', head[3]} end
redis.call('HSET', KEYS[1], 'commit', ARGV[4])
return {'refused', head[3]}
