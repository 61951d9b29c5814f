-- Takes back a permit and learns from the answer. Returns {how many more could begin, whether the host has ever
-- answered, whether it has served another request since this one began}.
local trouble, pause_asked, answered, again = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
local visit = { n = tonumber(ARGV[9]), rate = tonumber(ARGV[10]), start = tonumber(ARGV[11]), paced = ARGV[12] == '1' }
local RECENT = 60      -- seconds
local MOST_GUARD, GUARD = 0.01, 0.05 -- seconds; of the latency

local now = time()
local s = load(now)
local serves = s.served_at > visit.start
redis.call('ZREM', UNANSWERED, ID)
-- The host may notice the end of a request a little later than we do.
local guard = s.bad > 0 and math.min(MOST_GUARD, GUARD * s.latency) or 0
if guard > 0 and redis.call('ZSCORE', PERMITS, ID) then
  redis.call('ZADD', PERMITS, now + guard, ID)
else
  redis.call('ZREM', PERMITS, ID)
end
if trouble == '' then
  local took = math.max(0, now - visit.start)
  s.latency = s.latency == 0 and took or 0.9 * s.latency + 0.1 * took
  served(s, visit, now, MOST)
elseif trouble ~= 'none' then
  -- An image that was refused again and again while the host served others is itself the reason.
  if not (again and now - s.served_at < RECENT) then
    refused(s, visit, now, trouble)
    s.because = trouble
  end
  s.answered = math.max(s.answered, answered)
end
if pause_asked > 0 then
  pause(s, now, pause_asked)
  s.because = 'busy'
end
save(s)
return { spare(s, now), s.answered, serves and 1 or 0 }
