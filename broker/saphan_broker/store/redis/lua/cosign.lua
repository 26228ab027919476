-- The newest cosignature of an agency: (size, time) never falls.
-- KEYS  cosignatures, and the hash of their positions
-- ARGV  agency, size, time, packed row
local before = redis.call('HGET', KEYS[2], ARGV[1])
if before then
    local size, time = string.match(before, '^(%d+) (%d+)$')
    size, time = tonumber(size), tonumber(time)
    local new_size, new_time = tonumber(ARGV[2]), tonumber(ARGV[3])
    if new_size < size or (new_size == size and new_time < time) then return {'older', '0'} end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return {'done', '0'}
