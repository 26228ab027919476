-- An empty log, unless there is one.
-- KEYS  head
-- ARGV  format, random id of the store, root of the empty tree, random id of no commit
if redis.call('EXISTS', KEYS[1]) == 1 then return {'stored', '0'} end
redis.call('HSET', KEYS[1], 'format', ARGV[1], 'store', ARGV[2], 'size', 0, 'root', ARGV[3],
    'time', 0, 'commit', ARGV[4], 'epoch', 0, 'bulletins', 0)
return {'done', '0'}
