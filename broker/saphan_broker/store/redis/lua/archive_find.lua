#!lua flags=no-writes,allow-oom
-- Where archived bulletins are (archive/index.py). Reads only.
-- KEYS  head, archive
-- ARGV  prefix of our keys, slots of 8 bytes joined
-- Gives, of each slot that is taken, its place among those asked for, its pack's number, and what
-- is said of that pack.
local found = {}
local buckets = tonumber(redis.call('HGET', KEYS[2], 'buckets') or '1')
for at = 1, #ARGV[2], 8 do
    local slot = string.sub(ARGV[2], at, at + 7)
    local pack = redis.call('HGET', ARGV[1] .. 'x:' .. bucket_of(slot, buckets), slot)
    if pack then
        local of = ARGV[1] .. 'packs:' .. math.floor(tonumber(pack) / 128)
        local said = redis.call('HGET', of, pack)
        if said then
            found[#found + 1] = (at - 1) / 8
            found[#found + 1] = pack
            found[#found + 1] = said
        end
    end
end
return found
