-- Takes back a permit and learns from the answer. Returns {how many more could begin, whether the host has ever
-- answered, whether it has served another request since this one began, seconds until it is asked again if it serves
-- nothing, else an empty text}.
local trouble, pause_asked, answered, again = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
local visit = { n = tonumber(ARGV[9]), rate = tonumber(ARGV[10]), start = tonumber(ARGV[11]), paced = ARGV[12] == '1' }
local RECENT = 60 -- seconds

local now = time()
local s = load(now)
local serves = s.served_at > visit.start
local under_way = redis.call('ZCARD', PERMITS)
redis.call('ZREM', UNANSWERED, ID)
-- The host may notice the end of a request a little later than we do.
if s.limited == 1 and s.guard > 0 and redis.call('ZSCORE', PERMITS, ID) then
  redis.call('ZADD', PERMITS, now + s.guard, ID)
else
  redis.call('ZREM', PERMITS, ID)
end
if trouble == '' then
  local took = math.max(0, now - visit.start)
  s.latency = s.latency == 0 and took or 0.9 * s.latency + 0.1 * took
  served(s, visit, now, MOST)
elseif trouble ~= 'none' then
  s.answered = math.max(s.answered, answered)
  -- An image that was refused again and again while the host served others is itself the reason.
  if is_outage(s) or not (again and now - s.served_at < RECENT) then
    refused(s, visit, now, trouble, under_way, pause_asked)
    s.because = trouble
  end
end
if pause_asked > 0 then
  pause(s, now, pause_asked)
  s.because = 'busy'
end
save(s)
local again_in = is_outage(s) and tostring(math.max(0, s.pause_at - now)) or ''
return { spare(s, now), s.answered, serves and 1 or 0, again_in }
