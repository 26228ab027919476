-- The index's buckets, by linear hashing: there is one more for each 128 slots, so each stays a
-- short list however many there are. What is moved when one is split is one bucket's half.
local function bucket_of(slot, buckets)
    local a, b, c, d = string.byte(slot, 1, 4)
    local hash = ((a * 256 + b) * 256 + c) * 256 + d
    local power = 1
    while power <= buckets do power = power * 2 end
    local at = hash % power
    if at >= buckets then at = hash % (power / 2) end
    return at
end
