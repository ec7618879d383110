/**
 * Scripts that keep a server busy. Before 7.2 a script can ask for the TIME; from then on it sees time stand still, and
 * from Redis 7.4 and Valkey 8 on there is os.clock. In between a script can only count, at about the speed of a machine.
 */
import { isAtLeast } from './versions.ts';

const COUNTS_PER_MS = 100_000;

const BY_TIME = `
  local start = redis.call('TIME')
  repeat
    local now = redis.call('TIME')
  until (now[1] - start[1]) * 1000 + (now[2] - start[2]) / 1000 > ms`;
const BY_CLOCK = `
  local start = os.clock()
  repeat until (os.clock() - start) * 1000 > ms`;
const BY_COUNT = `
  for i = 1, ms * ${COUNTS_PER_MS} do local x = i end`;

function body(): string {
  if (isAtLeast({ redis: 7.4, valkey: 8 })) return BY_CLOCK;
  return isAtLeast({ redis: 7.2, valkey: 7.2 }) ? BY_COUNT : BY_TIME;
}

/** Lua: defines `spin(ms)`. */
export const SPIN_LUA = `local function spin(ms)${body()}
end`;
