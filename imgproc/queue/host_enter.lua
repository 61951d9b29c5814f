-- Lets a request to a host begin, or says how long to wait. Returns {'go', seconds, n, rate, start, paced, keep},
-- {'hold', seconds} to ask again after so long, {'wait', seconds, reason} or {'gone', seconds, reason}. A request that
-- has slept until its start asks once more, because the host may have asked for a pause meanwhile: {'kept', 0} if not.
local LEASE, NEWCOMERS = tonumber(ARGV[5]), tonumber(ARGV[6])
local PATIENCE, DEAD_PATIENCE = tonumber(ARGV[7]), tonumber(ARGV[8])
local MAY_HOLD = ARGV[9] == '1'

local now = time()
local s = load(now)
if s.asked_at == 0 then
  s.asked_at = now
end

-- Each that is told to wait gets a place in line, and so a time of its own.
local function line(reason)
  local from = math.max(now, s.pause_at, s.next_at)
  local speed = s.rate > 0 and s.rate or math.max(delivered_rate(s, now), s.answered == 1 and 5 or 1)
  s.line_at = math.min(math.max(s.line_at, from) + 1 / speed, from + LONGEST_LINE)
  redis.call('ZREM', LINE, ID)
  save(s)
  return { 'wait', tostring(s.line_at - now), reason }
end

-- Seconds until the first permit is likely to be free. A host that never answered has no known latency.
local function until_a_permit()
  if s.answered == 0 then
    return math.max(0.01, math.min(0.1, 0.1 * (now - s.asked_at)))
  end
  local first = redis.call('ZRANGE', PERMITS, 0, 0, 'WITHSCORES')
  local ends = first[2] and tonumber(first[2]) or now
  if ends > now + s.guard then -- the request is still under way
    ends = ends - LEASE + s.latency
  end
  return math.max(s.rate > 0 and 0.5 / s.rate or 0.01, math.min(0.1, ends - now))
end

local function hold(seconds)
  local is_full = not redis.call('ZSCORE', LINE, ID) and redis.call('ZCARD', LINE) >= line_length(s, now)
  if is_full or not MAY_HOLD then
    return line('limit')
  end
  redis.call('ZADD', LINE, now + 1, ID)
  save(s)
  return { 'hold', tostring(seconds or until_a_permit()) }
end

if is_given_up(s, now, PATIENCE, DEAD_PATIENCE) then
  return { 'gone', tostring(now - s.refusing_at), s.trouble }
end
local is_held = redis.call('ZSCORE', PERMITS, ID)
if s.pause_at > now then
  redis.call('ZREM', PERMITS, ID)
  redis.call('ZREM', UNANSWERED, ID)
  return line(s.because)
elseif is_held then
  return { 'kept', '0' }
end
if redis.call('ZCARD', PERMITS) >= allowed(s, MOST) then
  return hold()
end
if s.answered == 0 and redis.call('ZCARD', UNANSWERED) >= NEWCOMERS then
  return hold()
end
if s.next_at - now > ahead(s) then
  return line('limit')
end
if s.rate == 0 and s.next_at > now then
  return hold(s.next_at - now)
end
local n = redis.call('ZCOUNT', PERMITS, '-inf', now + LEASE) + 1 -- without those that have yet to begin
local start = math.max(now, s.next_at)
local is_slow = s.rate > 0 and 1 / s.rate > HOLD
local paced = (s.next_at > now - 0.5 * spacing(s) or (is_slow and s.line_at > now)) and 1 or 0
s.next_at = start + spacing(s)
redis.call('ZREM', LINE, ID)
redis.call('ZADD', PERMITS, start + LEASE, ID)
if s.answered == 0 then
  redis.call('ZADD', UNANSWERED, start + LEASE, ID)
  redis.call('EXPIRE', UNANSWERED, KEPT)
end
save(s)
local keep = s.served >= PROVEN and s.close_at < now and 1 or 0
return { 'go', tostring(start - now), n, tostring(s.rate), string.format('%.6f', start), paced, keep }
