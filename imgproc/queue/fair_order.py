"""The order of the jobs of one queue: owners take turns, then the flows of an owner, then the oldest job of a flow.

A new job goes to a list, as RQ writes it, which wakes a waiting worker. The script that takes a job first sorts the
list into flows. A flow is a request of an owner, or a receiver of webhooks. A ring is a sorted set of the owners that
have jobs, or of the flows of one owner, by how often they have been served. So every take costs the same however much
waits. A job says its turn in its description; one without a turn belongs to no owner.

Redis may lose any of these keys: a job that no ring leads to counts as lost, and the sweeper enqueues it again.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SKIPPED_IDS = 1000  # ids without a job that one call removes, so that it does not block Redis for long
MAX_SORTED_IDS = 200  # ids that one call sorts
MAX_TURN_BYTES = 400  # of a description; ours have about 80


@dataclass(frozen=True)
class Turn:
    """Where a job stands: its owner, and its flow among those of the owner. Neither has spaces.

    `is_bulk` tells the rest of a large file from what its caller waits for: a small file, or the beginning of a large.
    `is_alone` is for work whose worker died: it needs a process without other work.
    """

    owner: str = ""
    flow: str = "-"
    is_bulk: bool = False
    is_alone: bool = False

    def __str__(self) -> str:
        return f"{self.flow} {self.owner}"


def owners_key(queue: str) -> str:
    """The sorted set of the owners with jobs; the keys of their flows and jobs begin with it and a space."""
    return f"imgproc:turns:{queue}"


# KEYS: the list of new jobs, the ring of owners. Each of the scripts below begins with these functions.
_COMMON = """
local new, owners = KEYS[1], KEYS[2]

-- The reply to a command, nil for nothing. A key of another type is deleted.
local function ask(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE') then redis.call('UNLINK', key) end
    return nil
  end
  return reply or nil
end

local function put(...) return ask(...) or ask(...) end
local function first(ring) return (ask('ZRANGE', ring, 0, 0) or {})[1] end
"""

# Returns the call of a job and deletes the job: nil if there is no job, '' if it holds no call.
_CALL_OF = """
local function call_of(id)
  local key = ARGV[1] .. id
  local size = redis.pcall('HSTRLEN', key, 'data')
  local call = nil
  if type(size) ~= 'number' or size > tonumber(ARGV[2]) then
    call = ''
  elseif size > 0 then
    call = redis.call('HGET', key, 'data')
  end
  redis.call('UNLINK', key)
  return call
end
"""

# ARGV: the prefix of jobs, the most bytes of a call, and the id that the worker has taken from the list, or nothing.
# Returns the id and the call of the next job; nil if there is none.
TAKE = f"""{_COMMON}{_CALL_OF}
local function turn_of(id)
  local size = redis.pcall('HSTRLEN', ARGV[1] .. id, 'description')
  local text = ''
  if type(size) == 'number' and size <= {MAX_TURN_BYTES} then
    text = redis.call('HGET', ARGV[1] .. id, 'description') or ''
  end
  local flow, owner = string.match(text, '^(%S+) (%S*)$')
  return flow or '-', owner or ''
end

-- A member that comes back to a ring gets the place just behind the next one, so that an owner with few jobs at a
-- time does not overtake one with many each time.
local function join(ring, member)
  local next = ask('ZRANGE', ring, 0, 0, 'WITHSCORES') or {{}}
  return put('ZADD', ring, 'NX', next[2] and next[2] + 1 or 0, member)
end

local function sort(id)
  if redis.pcall('HSTRLEN', ARGV[1] .. id, 'data') == 0 then return redis.call('UNLINK', ARGV[1] .. id) end
  local flow, owner = turn_of(id)
  local ring = owners .. ' ' .. owner
  return put('RPUSH', ring .. ' ' .. flow, id) and join(ring, flow) and join(owners, owner)
end

local function served(ring, member, jobs)
  if redis.call('EXISTS', jobs) == 1 then ask('ZINCRBY', ring, 1, member) else ask('ZREM', ring, member) end
end

if ARGV[3] and not sort(ARGV[3]) then return {{ARGV[3], call_of(ARGV[3]) or ''}} end  -- Redis is full
for _, id in ipairs(ask('LPOP', new, {MAX_SORTED_IDS}) or {{}}) do sort(id) end
for _ = 1, {MAX_SKIPPED_IDS} do
  local owner = first(owners)
  if not owner then break end
  local ring = owners .. ' ' .. owner
  local flow = first(ring)
  if not flow then
    redis.call('ZREM', owners, owner)
  else
    local jobs = ring .. ' ' .. flow
    local id = ask('LPOP', jobs)
    local call = id and call_of(id)
    served(ring, flow, jobs)
    served(owners, owner, ring)
    if call then return {{id, call}} end
  end
end
if redis.call('EXISTS', new) == 1 or redis.call('EXISTS', owners) == 1 then return {{'', false}} end
return nil
"""

# ARGV: what to do with each list, and its arguments. Returns the replies for the list of new jobs and for every flow.
EVERY_LIST = f"""{_COMMON}
local found = {{ask(ARGV[1], new, unpack(ARGV, 2))}}
for _, owner in ipairs(ask('ZRANGE', owners, 0, -1) or {{}}) do
  local ring = owners .. ' ' .. owner
  for _, flow in ipairs(ask('ZRANGE', ring, 0, -1) or {{}}) do
    table.insert(found, ask(ARGV[1], ring .. ' ' .. flow, unpack(ARGV, 2)))
  end
end
return found
"""
