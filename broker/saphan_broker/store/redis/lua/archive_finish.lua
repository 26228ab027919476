#!lua flags=allow-oom
-- Finished bulletins that stand in a pack leave the memory and enter the index, each by itself: one
-- that has changed since it was read stays, and so does one whose slot another one has taken.
-- KEYS  head, archive, done
-- ARGV  epoch, prefix of our keys, the pack's number ('' for a new one), what is said of it, then
--       for each bulletin: id, key of its nonce, slots of id and nonce, the pack that both lead to
--       now ('' for none), SHA-1 of its values, how many fields, their names
-- Gives the word, the pack's number, how many left, and how many have changed.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size')
if not head[2] then return {'empty', '0', 0, 0} end
if head[1] ~= ARGV[1] then return {'fenced', head[2], 0, 0} end
local prefix, number, moved, changed = ARGV[2], ARGV[3], 0, 0
local function bucket(slot)
    return prefix .. 'x:' .. string.sub(slot, 1, 2)
end
local function leads_to(slot, pack)
    return (redis.call('HGET', bucket(slot), string.sub(slot, 3)) or '') == pack
end
local function unchanged(key, digest, names)
    if redis.call('HLEN', key) ~= #names then return false end
    local values = redis.call('HMGET', key, unpack(names))
    for i = 1, #values do
        if not values[i] then return false end
    end
    return redis.sha1hex(table.concat(values)) == digest
end
local at = 5
while at <= #ARGV do
    local id, nonce, id_slot, nonce_slot = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local pack, digest, fields = ARGV[at + 4], ARGV[at + 5], tonumber(ARGV[at + 6])
    local key, names = prefix .. 'b:' .. id, {}
    for i = 1, fields do
        names[i] = ARGV[at + 6 + i]
    end
    at = at + 7 + fields
    if not unchanged(key, digest, names) then
        changed = changed + 1
    else
        if id_slot ~= nonce_slot and leads_to(id_slot, pack) and leads_to(nonce_slot, pack) then
            if number == '' then
                number = tostring(redis.call('HINCRBY', KEYS[2], 'packs', 1) - 1)
                local of = prefix .. 'packs:' .. math.floor(tonumber(number) / 128)
                redis.call('HSET', of, number, ARGV[4])
            end
            redis.call('HSET', bucket(id_slot), string.sub(id_slot, 3), number)
            redis.call('HSET', bucket(nonce_slot), string.sub(nonce_slot, 3), number)
            redis.call('UNLINK', key, nonce)
            moved = moved + 1
        end
        redis.call('ZREM', KEYS[3], id)
    end
end
return {'done', number, moved, changed}
