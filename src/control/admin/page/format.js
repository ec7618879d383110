/**
 * Numbers for people, always with their unit. What is not known is a dash. Digits have one width on this page, so
 * the same count of decimals puts numbers of a column under each other.
 */

const NOTHING = '–';
const KB = 1024;

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const twoDecimals = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minutes = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export function count(value) {
  return value === null || value === undefined ? NOTHING : whole.format(value);
}

/** `1 client`, `2 clients`. */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** For the axes of charts, where a whole number has no room. */
export function shortNumber(value) {
  return short.format(value);
}

/** A number per second, without the unit. */
export function rate(value) {
  if (value === null || value === undefined) return NOTHING;
  return (value > 0 && value < 100 ? oneDecimal : whole).format(value);
}

export function milliseconds(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value >= 10_000) return `${oneDecimal.format(value / 1000)} s`;
  return `${(value < 100 ? twoDecimals : whole).format(value)} ms`;
}

export function bytes(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value < KB) return `${value} B`;
  if (value < KB ** 2) return `${oneDecimal.format(value / KB)} KB`;
  if (value < KB ** 3) return `${oneDecimal.format(value / KB ** 2)} MB`;
  return `${twoDecimals.format(value / KB ** 3)} GB`;
}

/** Seconds as the two largest units: `3 h 12 min`. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** Seconds as one unit: `3 h`. */
export function roughly(seconds) {
  return duration(seconds).split(' ').slice(0, 2).join(' ');
}

export function ago(unixMs, nowMs = Date.now()) {
  return `${roughly((nowMs - unixMs) / 1000)} ago`;
}

export function time(unixMs) {
  return clock.format(unixMs);
}

export function minute(unixMs) {
  return minutes.format(unixMs);
}

export function dateTime(unixMs) {
  return full.format(unixMs);
}

export function shortSha(sha) {
  return sha.slice(0, 10);
}
