-- The state of a host in Redis: a hash, and two sets with the end of each permit and of each wait in line. What ends by
-- time is what a worker held that was killed. KEYS[4] holds the permits of all hosts that have never answered.
local HOST, PERMITS, LINE, UNANSWERED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local KEPT = tonumber(ARGV[1]) -- seconds until an unused state is forgotten
local MOST, HOLD = tonumber(ARGV[2]), tonumber(ARGV[3])
local ID = ARGV[4]
local TEXTS = { trouble = true, because = true }
local LONGEST_LINE = 60   -- seconds that one is told to wait at most, beyond a pause
local FRESH = 1           -- seconds in which a new host may have a long line
local LONG, SHORT = 64, 4 -- how many may wait in line

local VERDICT = 10        -- seconds for which a host that was given up is not asked again

local function time()
  local parts = redis.call('TIME')
  return tonumber(parts[1]) + tonumber(parts[2]) / 1e6
end

local function load(now)
  local s = new_host()
  local stored = redis.call('HGETALL', HOST)
  for i = 1, #stored, 2 do
    s[stored[i]] = TEXTS[stored[i]] and stored[i + 1] or tonumber(stored[i + 1])
  end
  for _, key in ipairs({ PERMITS, LINE, UNANSWERED }) do
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  end
  return s
end

local function save(s)
  local fields = {}
  for name, value in pairs(s) do
    fields[#fields + 1] = name
    fields[#fields + 1] = TEXTS[name] and value or string.format('%.6f', value)
  end
  redis.call('HSET', HOST, unpack(fields))
  for _, key in ipairs({ HOST, PERMITS, LINE }) do
    redis.call('EXPIRE', key, KEPT)
  end
end

-- How many may wait in line for a permit.
local function line_length(s, now)
  if is_outage(s) then
    return 0
  end
  if s.answered == 0 then
    return now - s.asked_at > FRESH and SHORT or LONG
  end
  if s.limited == 1 or s.rate > 0 then
    return allowed(s, MOST) + SHORT
  end
  return math.min(LONG, SHORT + allowed(s, MOST) * HOLD / 2 / math.max(s.latency, 0.01)) -- those that soon get a permit
end

-- Seconds before its start that a request may be let in: few sleep until then, and more than one sweep of them.
local function ahead(s)
  if s.rate == 0 then
    return HOLD
  end
  return math.max(HOLD / 5, math.min(2 * HOLD, 4 / s.rate), math.min(4 * HOLD, 1 / s.rate))
end

-- How many more could begin soon: 0 unless some were told to wait.
local function spare(s, now)
  if s.line_at <= now or s.pause_at > now + HOLD then
    return 0
  end
  local room = allowed(s, MOST) - redis.call('ZCARD', PERMITS) + line_length(s, now) - redis.call('ZCARD', LINE)
  if s.rate > 0 then
    room = math.min(room, math.ceil((now + ahead(s) - math.max(now, s.next_at)) * s.rate))
  end
  return math.max(0, room)
end

-- Whether the host has refused everything for longer than its patience, the last time just now. If not just now, it is
-- asked again, whatever pause it had.
local function is_given_up(s, now, patience, dead_patience)
  local most = s.answered == 1 and patience or dead_patience
  if s.refusing_at == 0 or now - s.refusing_at <= most then
    return false
  end
  s.pause_at = math.min(s.pause_at, s.refused_at + VERDICT)
  return now < s.refused_at + VERDICT
end
