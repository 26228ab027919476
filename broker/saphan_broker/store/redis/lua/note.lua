#!lua flags=allow-oom
-- The newest signed head; the same again changes nothing.
-- KEYS  head
-- ARGV  epoch, size, note
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size', 'note_size')
if not head[2] then return {'empty', '0'} end
if head[1] ~= ARGV[1] then return {'fenced', head[2]} end
if tonumber(ARGV[2]) > tonumber(head[2]) then return {'ahead', head[2]} end
if head[3] and tonumber(ARGV[2]) < tonumber(head[3]) then return {'back', head[3]} end
redis.call('HSET', KEYS[1], 'note_size', ARGV[2], 'note', ARGV[3])
return {'done', head[2]}
