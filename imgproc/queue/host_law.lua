-- The control law of the limit of one host: how many requests may be under way (`window`) and how many may start in a
-- second (`rate`, 0 while unknown). `s` is the state of the host, `visit` the request that was answered: `n` requests
-- were under way with it when it began, `rate` was the rate then, and `paced` says that it had to wait for the rate.
--
-- A refusal does not say which of the two was exceeded: nginx answers 503 for both. The first ones lower the window, to
-- what was under way without those refused. If the host goes on to refuse, or refuses while the window is not full, the
-- rate was the reason: it begins at the rate that was delivered, as in BBR, and the window is restored. After that each
-- side grows to just below what was refused, and rarely beyond it, as in CUBIC: each failed probe doubles the number of
-- requests until the next. A few refusals with a full window are tolerated, because requests overtake each other on the
-- way, and a host notices late that one has ended; a permit is then given again a little later (`guard`).

local START, UNANSWERED_START = 8, 4 -- the window of a host that has answered, and of one that has not yet
local SLOWEST = 0.25                 -- requests a second
local TAU = 2                        -- seconds over which the delivered rate is averaged
local SEARCH = 0.25                  -- growth of the rate while no ceiling is known, in a latency or 1/4 s
local STRIDE, MOST_STRIDE = 0.08, 0.32 -- growth of a ceiling by a probe; it doubles while probes are served
local BELOW, CUT = 0.95, 0.75        -- how far below a ceiling the rate stays; what a refusal makes of the rate
local MEASURED, GUESS = 4, 1.1       -- a delivered rate that is known well enough for a ceiling, and what is guessed
local SOON, SOONER = 5, 0.9          -- seconds after a refusal; what another refusal then makes of a ceiling
local SETTLED = 3                    -- seconds after which the delivered rate is that of the pace
local GUESS_GAP, FIRST_GAP, LEAST_GAP = 20, 32, 4 -- requests between two probes of a rate that is guessed, or refused
local FIRST_WAIT, LEAST_WAIT, MOST_WAIT = 8, 2, 60 -- seconds after which a probe is due with fewer requests
local FIRST_WINDOW_GAP = 8           -- requests with a full window between two probes of the window
local LEAST_WINDOW_GAP = 4
local PROOF = 8                      -- served requests with a full window that prove it
local MOST_STEP = 8                  -- of a probe of the window, after others were served
local LEAST_LATENCY = 0.05           -- seconds
local UNLIMITED = 1e6
local SAME, KNOWN = 1, 2             -- further refusals of the same moment: each counts, or none does
local MOST_GAP = 500
local SPREAD = 0.6                   -- of the latency of the host
local MOST_DOUBT, LESS_DOUBT = 2, 0.05 -- refusals with a full window until the rate is blamed; less for each served
local MORE_GUARD, MOST_GUARD, LESS_GUARD = 0.005, 0.2, 0.99 -- seconds; of the latency; what a served request leaves
local OUTAGE = 3                     -- refusals in a row after which one request at a time is made
local FIRST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 0.5, 60, 0.25 -- seconds; of the time for which the host has refused
local QUIET = 180                    -- seconds without a request after which an outage begins anew
local PROVEN = 16                    -- served requests until connections are kept alive
local DISTRUST = 600                 -- seconds without kept connections after the host refused one

local function new_host()
  return {
    window = UNANSWERED_START, threshold = UNLIMITED, proven = 0, blamed = 0, limited = 0, cutting = 0,
    window_gap = FIRST_WINDOW_GAP, window_count = 0, step = 1, doubt = 0, guard = 0,
    rate = 0, ceiling = 0, rate_gap = GUESS_GAP, stride = STRIDE, rate_count = 0, rate_wait = FIRST_WAIT,
    probed_at = 0, paced_at = 0, slowed_at = 0,
    asked_at = 0, next_at = 0, line_at = 0, pause_at = 0, cut_at = 0, refusing_at = 0, refused_at = 0, served_at = 0,
    close_at = 0, delivered = 0, delivered_at = 0, began_at = 0, latency = 0, streak = 0, answered = 0, served = 0,
    trouble = '', because = '',
  }
end

local function delivered_rate(s, now)
  if s.delivered == 0 then
    return 0
  end
  local age = math.max(1, now - s.began_at)
  return s.delivered * math.exp((s.delivered_at - now) / TAU) / (TAU * (1 - math.exp(-age / TAU)))
end

local function is_outage(s)
  return s.streak >= OUTAGE or (s.answered == 0 and s.streak > 0)
end

-- How many requests may be under way.
local function allowed(s, most)
  return is_outage(s) and 1 or math.max(1, math.min(math.floor(s.window), most))
end

-- Seconds from the start of one request to that of the next. Below a window that is limited, starts are spread over the
-- latency, so that a host that allows no two requests at the same moment serves them.
local function spacing(s)
  if s.rate > 0 then
    return 1 / s.rate
  end
  return s.limited == 1 and SPREAD * s.latency / s.window or 0
end

local function grow_window(s, visit)
  if s.window < s.threshold then
    s.window = s.window + 1
  elseif visit.n >= math.floor(s.window) then
    s.window_count = s.window_count + 1
    if s.window_count >= math.min(s.window_gap, PROOF) and s.window > s.proven then
      if s.proven > 0 then -- a probe was served: the next one goes further
        s.window_gap, s.step = math.max(LEAST_WINDOW_GAP, s.window_gap / 2), math.min(MOST_STEP, 2 * s.step)
      end
      s.proven, s.blamed = s.window, 0
    end
    if s.window_count >= s.window_gap then
      s.window, s.threshold, s.window_count = s.window + s.step, s.window + s.step, 0
    end
  end
end

-- A host may lift a limit, so a probe is also due after some time, however few requests that was.
local function grow_rate(s, visit, now)
  if s.rate == 0 or not visit.paced then
    return
  end
  if s.ceiling == 0 then
    s.rate = s.rate * (1 + SEARCH / math.max(visit.n, s.rate / 4))
    return
  end
  s.rate = math.max(s.rate, s.rate + 0.1 * (BELOW * s.ceiling - s.rate))
  s.rate_count = s.rate_count + 1
  local is_late = now - math.max(s.probed_at, s.slowed_at, s.paced_at) >= s.rate_wait
  if s.rate_count >= s.rate_gap or is_late then
    s.ceiling, s.rate_count, s.rate_gap = s.ceiling * (1 + s.stride), 0, math.max(LEAST_GAP, s.rate_gap / 2)
    s.stride, s.probed_at = math.min(MOST_STRIDE, 2 * s.stride), now
    s.rate_wait = is_late and math.max(LEAST_WAIT, s.rate_wait / 2) or s.rate_wait
    s.rate = math.max(s.rate, BELOW * s.ceiling)
  end
end

local function served(s, visit, now, most)
  if s.delivered == 0 or now - s.delivered_at > 10 then
    s.began_at, s.delivered = now, 0
  end
  s.delivered = s.delivered * math.exp((s.delivered_at - now) / TAU) + 1
  s.delivered_at, s.served_at = now, now
  if s.served == 0 or is_outage(s) then
    s.threshold = s.limited == 1 and math.max(s.threshold, s.proven) or most
    s.window = math.min(math.max(s.window, START), s.threshold)
  end
  s.answered, s.served, s.streak, s.refusing_at = 1, s.served + 1, 0, 0
  s.doubt, s.guard = math.max(0, s.doubt - LESS_DOUBT), s.guard * LESS_GUARD
  grow_window(s, visit)
  s.window = math.min(s.window, most)
  grow_rate(s, visit, now)
end

-- Fewer under way than when the first was refused; each further one of the same moment takes one more.
local function cut_window(s, under_way)
  if s.blamed == 0 then
    s.blamed = s.window
  end
  if s.limited == 0 then
    s.window, s.cutting, s.guard = math.min(s.window, under_way), SAME, MORE_GUARD
  else
    s.cutting = KNOWN
    s.window_gap = s.proven > 0 and math.min(MOST_GAP, s.window_gap * 2) or s.window_gap
  end
  local is_probe = s.limited == 1 and s.proven > 0 and s.window > s.proven
  s.window = math.max(1, is_probe and s.proven or s.window - 1)
  s.limited, s.doubt, s.step = 1, 0, 1
  s.threshold, s.proven = s.window, math.min(s.proven, s.window)
end

local function cut_rate(s, visit, now)
  local delivered = delivered_rate(s, now)
  if s.rate == 0 then
    s.rate, s.paced_at = BELOW * delivered, now
    s.next_at = math.max(s.next_at, s.began_at + 1) -- what it allows in a second, it has served in less
    s.ceiling = delivered >= MEASURED and GUESS * delivered or 0
  elseif visit.rate > 0 then
    local slower = CUT * visit.rate
    if now - s.paced_at > SETTLED then
      slower = math.max(slower, math.min(0.93 * delivered, BELOW * visit.rate))
    end
    -- A pause lets a host allow more for a moment, so a rate that was reached just after it says too much.
    s.ceiling = now - s.slowed_at < SOON and SOONER * visit.rate or visit.rate
    s.rate_gap, s.stride = math.min(MOST_GAP, math.max(FIRST_GAP, s.rate_gap * 2)), STRIDE
    s.rate_wait = math.min(MOST_WAIT, s.rate_wait * 2)
    s.rate, s.slowed_at = math.min(s.rate, slower), now
  end
  s.rate, s.rate_count = math.max(SLOWEST, s.rate), 0
  local longer = visit.rate > 0 and 1 / s.rate - 1 / visit.rate or 0 -- after the last start that was promised
  s.next_at = math.max(s.next_at + longer, now + 1 / s.rate)
  if s.blamed > 0 then -- the window was not the reason
    s.window, s.threshold, s.blamed, s.limited = s.blamed, s.blamed, 0, 0
  end
  s.doubt, s.cutting = 0, KNOWN
end

local function pause(s, now, seconds)
  s.pause_at = math.max(s.pause_at, now + seconds)
end

-- One more refusal although the window may be right: the host may have noticed the end of another too late.
local function doubt(s, is_known)
  s.doubt = s.doubt + 1
  local most = is_known and MOST_GUARD or MOST_GUARD / 2 -- a larger window may just be too large
  s.guard = math.max(s.guard, math.min(most * s.latency, s.guard + MORE_GUARD))
end

-- Decide what a refusal says. Those within a latency of the first say the same.
local function learn(s, visit, now, trouble, under_way)
  local is_known = s.window <= math.max(1, s.proven)
  local is_clear = s.streak > 1 or (s.rate > 0 and visit.n < math.floor(s.window))
  if trouble == 'busy' and is_clear then
    cut_rate(s, visit, now)
  elseif s.limited == 1 and s.doubt < (is_known and MOST_DOUBT or 1) then
    doubt(s, is_known)
  elseif trouble == 'busy' and is_known then
    cut_rate(s, visit, now)
  else
    cut_window(s, under_way)
  end
end

local function refused(s, visit, now, trouble, under_way)
  if now - math.max(s.refused_at, s.refusing_at) > QUIET then
    s.refusing_at = 0
  end
  if s.refusing_at == 0 then
    s.refusing_at = now
  end
  s.refused_at, s.trouble = now, trouble
  if s.answered == 0 and under_way > 1 then -- others may still be answered
    cut_window(s, under_way)
    return
  end
  if trouble == 'away' and s.answered == 1 then
    s.close_at = now + DISTRUST
  end
  s.window_count = 0
  local is_first = visit.start >= s.cut_at
  if is_first then
    s.streak, s.cut_at, s.cutting = s.streak + 1, now + math.max(LEAST_LATENCY, s.latency), 0
  elseif s.cutting == SAME then
    s.window = math.max(1, s.window - 1)
    s.threshold, s.proven = s.window, math.min(s.proven, s.window)
  end
  if s.cutting > 0 then
    return
  end
  if is_outage(s) then
    pause(s, now, math.max(FIRST_PAUSE, math.min(LONGEST_PAUSE, PAUSE_SHARE * (now - s.refusing_at))))
  else
    learn(s, visit, now, trouble, under_way)
  end
end
