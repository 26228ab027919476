#!lua flags=allow-oom
-- Finished bulletins that stand in a pack leave the memory and enter the index, each by itself: one
-- that has changed since it was read stays, and so does one whose slot another one has taken.
-- KEYS  head, archive, done
-- ARGV  epoch, prefix of our keys, the pack's number ('' for a new one), what is said of it, then
--       for each bulletin: id, key of its nonce, slots of id and nonce ('' for what is known of by
--       its refusals only), the packs that they lead to now ('' for none), SHA-1 of its values, how
--       many fields, their names
-- Gives the word, the pack's number, how many left, and how many have changed.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size')
if not head[2] then return {'empty', '0', 0, 0} end
if head[1] ~= ARGV[1] then return {'fenced', head[2], 0, 0} end
for _, name in ipairs({'del', 'hget', 'hgetall', 'hincrby', 'hlen', 'hmget', 'hset', 'unlink', 'zrem'}) do
    if not redis.acl_check_cmd(name, KEYS[1]) then
        return redis.error_reply("NOPERM no permissions to run the '" .. name .. "' command")
    end
end
local prefix, number, moved, changed, added = ARGV[2], ARGV[3], 0, 0, 0
local buckets = tonumber(redis.call('HGET', KEYS[2], 'buckets') or '1')
local function bucket(slot)
    return prefix .. 'x:' .. bucket_of(slot, buckets)
end
local function leads_to(slot, pack)
    return slot == '' or (redis.call('HGET', bucket(slot), slot) or '') == pack
end
local function enter(slot, pack)
    if slot == '' then return end
    redis.call('HSET', bucket(slot), slot, number)
    if pack == '' then added = added + 1 end
end
local function unchanged(key, digest, names)
    if redis.call('HLEN', key) ~= #names then return false end
    local values = {}
    for first = 1, #names, 4000 do
        local last = math.min(first + 3999, #names)
        for i, value in ipairs(redis.call('HMGET', key, unpack(names, first, last))) do
            if not value then return false end
            values[first + i - 1] = value
        end
    end
    return redis.sha1hex(table.concat(values)) == digest
end
local function split()
    local power = 1
    while power <= buckets do power = power * 2 end
    local parent = buckets - power / 2
    local flat, parts = redis.call('HGETALL', prefix .. 'x:' .. parent), {[parent] = {}}
    parts[buckets] = {}
    for i = 1, #flat, 2 do
        local part = parts[bucket_of(flat[i], buckets + 1)]
        part[#part + 1] = flat[i]
        part[#part + 1] = flat[i + 1]
    end
    redis.call('DEL', prefix .. 'x:' .. parent)
    for at, part in pairs(parts) do
        for first = 1, #part, 4000 do
            local last = math.min(first + 3999, #part)
            redis.call('HSET', prefix .. 'x:' .. at, unpack(part, first, last))
        end
    end
    buckets = buckets + 1
end
local at = 5
while at <= #ARGV do
    local id, nonce, id_slot, nonce_slot = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local id_pack, nonce_pack = ARGV[at + 4], ARGV[at + 5]
    local digest, fields = ARGV[at + 6], tonumber(ARGV[at + 7])
    local key, names = prefix .. 'b:' .. id, {}
    for i = 1, fields do
        names[i] = ARGV[at + 7 + i]
    end
    at = at + 8 + fields
    if not unchanged(key, digest, names) then
        changed = changed + 1
    else
        local free = leads_to(id_slot, id_pack) and leads_to(nonce_slot, nonce_pack)
        if free and id_slot ~= nonce_slot then
            if number == '' then
                number = tostring(redis.call('HINCRBY', KEYS[2], 'packs', 1) - 1)
                local of = prefix .. 'packs:' .. math.floor(tonumber(number) / 128)
                redis.call('HSET', of, number, ARGV[4])
            end
            enter(id_slot, id_pack)
            enter(nonce_slot, nonce_pack)
            redis.call('UNLINK', key)
            if nonce ~= '' then redis.call('UNLINK', nonce) end
            moved = moved + 1
        end
        redis.call('ZREM', KEYS[3], id)
    end
end
if added > 0 then
    local slots = redis.call('HINCRBY', KEYS[2], 'slots', added)
    while slots > 128 * buckets do split() end
    redis.call('HSET', KEYS[2], 'buckets', buckets)
end
return {'done', number, moved, changed}
