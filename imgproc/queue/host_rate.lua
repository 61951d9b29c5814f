-- How many requests to a host may start in a second: what it delivers, how the rate grows, and what refusals tell of it.

local SLOWEST = 0.25                 -- requests a second
local TAU = 2                        -- seconds over which the delivered rate is averaged
local SEARCH = 0.25                  -- growth of the rate while no ceiling is known, in a latency or 1/4 s
local STRIDE, MOST_STRIDE = 0.08, 0.32 -- growth of a ceiling by a probe; it doubles while probes are served
local BELOW, CUT = 0.95, 0.75        -- how far below a ceiling the rate stays; what a refusal makes of the rate
local MEASURED, GUESS = 4, 1.1       -- a delivered rate that is known well enough for a ceiling, and what is guessed
local SOON, SOONER = 5, 0.9          -- seconds after a refusal; what another refusal then makes of a ceiling
local LEAST_COUNT, IDLE_COUNT = 4, 10 -- served requests that tell a rate; seconds without one that end the count
local ROUNDED, LEAST_PAUSE = 0.5, 0.1 -- seconds; what hosts add to the pause that they ask for, and what is left of it
local TOLD_GUESS, LEAST_TOLD = 1.15, 0.5 -- a ceiling that a pause tells; how far a rate falls at most by a pause
local PROBE_COST = 30                -- times the pause that a failed probe costs, until the next one
local SETTLED = 3                    -- seconds after which the delivered rate is that of the pace
local GUESS_GAP, FIRST_GAP, LEAST_GAP = 20, 32, 4 -- requests between two probes of a rate that is guessed, or refused
local FIRST_WAIT, LEAST_WAIT, MOST_WAIT = 8, 2, 60 -- seconds after which a probe is due with fewer requests

local function delivered_rate(s, now)
  if s.delivered == 0 then
    return 0
  end
  local age = math.max(1, now - s.began_at)
  return s.delivered * math.exp((s.delivered_at - now) / TAU) / (TAU * (1 - math.exp(-age / TAU)))
end

-- Seconds from the start of one request to that of the next. Below a window that is limited, starts are spread over the
-- latency, so that a host that allows no two requests at the same moment serves them.
local function spacing(s)
  if s.rate > 0 then
    return 1 / s.rate
  end
  return s.limited == 1 and SPREAD * s.latency / s.window or 0
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

-- Count what is served from the end of one pause to the next.
local function count(s, visit, now)
  local is_new = s.recount_at > 0 and visit.start >= s.recount_at
  if s.count == 0 or is_new or now - s.served_at > IDLE_COUNT then
    s.count, s.counted_at, s.recount_at = 0, visit.start, 0
  end
  s.count = s.count + 1
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
    local is_soon = now - s.slowed_at < SOON
    s.ceiling = is_soon and SOONER * visit.rate or visit.rate
    local longer = is_soon and 1 or 2 -- no probe has failed: the rate is still being found
    s.rate_gap, s.stride = math.min(MOST_GAP, math.max(FIRST_GAP, s.rate_gap * longer)), STRIDE
    s.rate_wait = math.min(MOST_WAIT, s.rate_wait * longer)
    s.rate, s.slowed_at = math.min(s.rate, slower), now
  end
  s.rate, s.rate_count = math.max(SLOWEST, s.rate), 0
  local later = visit.rate > 0 and 1 / s.rate - 1 / visit.rate or 0 -- after the last start that was promised
  s.next_at = math.max(s.next_at + later, now + 1 / s.rate)
  restore_window(s)
  s.doubt, s.cutting = 0, KNOWN
end

-- A host that asks for a pause says what it allows: what it has served since the last pause, in the time until it serves
-- again. While nothing is paced, all that is under way counts as served until it is refused.
local function cut_to_told(s, visit, now, asked, under_way)
  local rest, is_paced = math.max(LEAST_PAUSE, asked - ROUNDED), visit.rate > 0
  local served_so_far = s.count + (is_paced and 0 or under_way - 1)
  local told = served_so_far / (now - s.counted_at + rest)
  if is_paced then
    told = math.max(told, delivered_rate(s, now) * 2 * TAU / (2 * TAU + rest)) -- it may have been slower before
    s.rate = math.min(math.max(told, LEAST_TOLD * visit.rate), BELOW * visit.rate)
    s.ceiling = math.max(s.rate, math.min(TOLD_GUESS * told, visit.rate))
    s.stride, s.rate_wait = STRIDE, math.min(MOST_WAIT, math.max(s.rate_wait * 2, PROBE_COST * asked))
    s.rate_gap = math.min(MOST_GAP, math.max(FIRST_GAP, s.rate_gap * 2, PROBE_COST * asked * s.rate))
  else
    s.rate, s.ceiling, s.paced_at = told, TOLD_GUESS * told, now
  end
  s.rate, s.rate_count = math.max(SLOWEST, s.rate), 0
  s.slowed_at, s.recount_at = now + asked, now + asked
  restore_window(s)
  s.doubt, s.cutting = 0, is_paced and KNOWN or TOLD
end
