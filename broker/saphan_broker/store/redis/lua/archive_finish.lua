#!lua flags=allow-oom
-- Finished bulletins that stand in a pack leave the memory and enter the index, each by itself: one
-- that has changed since it was read stays, and so does one whose slot another one has taken.
-- KEYS  head, archive, done, days, destroyable, wiped, dirty, gone, notes
-- ARGV  epoch, prefix of our keys, the pack's number ('' for a new one), what is said of it, the
--       first due-day of these, what keeps it until it is forgotten (key, score), its two objects,
--       then for each bulletin: id, key of its nonce, slots of id and nonce ('' for what is known of
--       by its refusals only), the packs that they lead to now ('' for none), SHA-1 of its values,
--       objects of its body before and now, and of its ciphertext alone if that is destroyed ('' for
--       none), how many of its deliveries are destroyable, their members, how many fields, their
--       names
-- Gives the word, the pack's number, how many left, and how many have changed.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'size')
if not head[2] then return {'empty', '0', 0, 0} end
if head[1] ~= ARGV[1] then return {'fenced', head[2], 0, 0} end
-- Dropped meanwhile: its objects are on their way out.
if ARGV[3] == '' and not redis.call('ZSCORE', KEYS[9], ARGV[8]) then
    return {'dropped', '', 0, 0}
end
for _, name in ipairs({'del', 'hget', 'hgetall', 'hincrby', 'hlen', 'hmget', 'hset', 'sadd', 'srem', 'unlink', 'zadd', 'zrem'}) do
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
local function index_days(first, count)
    if count == 0 then return end
    redis.call('ZREM', KEYS[5], unpack(ARGV, first, first + count - 1))
    redis.call('ZADD', KEYS[4], 'LT', ARGV[5], number)
end
local function keep_bodies(id, before, now, object)
    redis.call('SREM', KEYS[6], id)
    if now ~= '' then redis.call('SADD', prefix .. 'refs:' .. now, number) end
    if before ~= '' and before ~= now then redis.call('SADD', KEYS[7], before) end
    if object ~= '' then redis.call('SADD', KEYS[8], object) end
end
local function begin_pack()
    number = tostring(redis.call('HINCRBY', KEYS[2], 'packs', 1) - 1)
    local of = prefix .. 'packs:' .. math.floor(tonumber(number) / 128)
    redis.call('HSET', of, number, ARGV[4])
    redis.call('ZADD', ARGV[6], ARGV[7], number)
    redis.call('ZREM', KEYS[9], ARGV[8], ARGV[9])
    -- Until all of it has entered there are copies in it that nothing leads to.
    if ARGV[9] ~= '' then redis.call('SADD', KEYS[7], ARGV[9]) end
end
local at = 10
while at <= #ARGV do
    local id, nonce, id_slot, nonce_slot = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local id_pack, nonce_pack = ARGV[at + 4], ARGV[at + 5]
    local digest, before, now, object = ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9]
    local due, first_due = tonumber(ARGV[at + 10]), at + 11
    at = first_due + due
    local key, names, fields = prefix .. 'b:' .. id, {}, tonumber(ARGV[at])
    for i = 1, fields do
        names[i] = ARGV[at + i]
    end
    at = at + fields + 1
    if not unchanged(key, digest, names) then
        changed = changed + 1
    else
        local free = leads_to(id_slot, id_pack) and leads_to(nonce_slot, nonce_pack)
        if free and id_slot ~= nonce_slot then
            if number == '' then begin_pack() end
            enter(id_slot, id_pack)
            enter(nonce_slot, nonce_pack)
            redis.call('UNLINK', key)
            if nonce ~= '' then redis.call('UNLINK', nonce) end
            index_days(first_due, due)
            keep_bodies(id, before, now, object)
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
