#!lua flags=no-writes
-- Where archived bulletins are (archive/index.py). Reads only.
-- KEYS  head
-- ARGV  prefix of our keys, slots of 10 bytes joined
-- Gives, of each slot that is taken, its place among those asked for, its pack's number, and what
-- is said of that pack.
local found = {}
for at = 1, #ARGV[2], 10 do
    local bucket = ARGV[1] .. 'x:' .. string.sub(ARGV[2], at, at + 1)
    local pack = redis.call('HGET', bucket, string.sub(ARGV[2], at + 2, at + 9))
    if pack then
        local of = ARGV[1] .. 'packs:' .. math.floor(tonumber(pack) / 128)
        found[#found + 1] = (at - 1) / 10
        found[#found + 1] = pack
        found[#found + 1] = redis.call('HGET', of, pack)
    end
end
return found
