#!lua flags=allow-oom
-- A write of this connection, for what asks behind it how durable everything up to here is.
-- KEYS  barrier
redis.call('INCR', KEYS[1])
return {'done', '0'}
