/** The top of the page: ready or not and why, who answers, the figures of now, and what was counted since the start. */
import { byId, keep, make, setAttribute, setText } from './dom.js';
import { bytes, count, counted, duration, milliseconds, rate } from './format.js';

const LATE_MS = 100;

/** Name, value with its unit, and whether somebody should look. */
const FIGURES = [
  ['Requests', ({ requestsPerS }) => `${rate(requestsPerS)} /s`],
  ['Latency p50', ({ p50Ms }) => milliseconds(p50Ms)],
  ['Latency p99', ({ p99Ms }) => milliseconds(p99Ms)],
  ['Clients', ({ clients }) => count(clients)],
  ['Waiting', ({ waiting }) => counted(waiting, 'request'), ({ waiting }) => waiting > 0],
  ['Buffered', ({ bufferedBytes }) => bytes(bufferedBytes)],
  ['Event loop late', ({ lagMs }) => milliseconds(lagMs), ({ lagMs }) => lagMs > LATE_MS],
  ['Memory', ({ memoryBytes }) => bytes(memoryBytes)],
];

const TOTALS = [
  ['requests', ({ requests }) => count(requests)],
  ['errors', ({ errors }) => count(errors)],
  ['refused', ({ refusals }) => count(refusals)],
  ['NOSCRIPT prevented', ({ prevented }) => count(prevented)],
  ['NOSCRIPT healed', ({ heals }) => count(heals)],
  ['of EVAL saved', ({ evalBytesSaved }) => bytes(evalBytesSaved)],
  ['redirects', ({ redirects }) => count(redirects)],
  ['slow', ({ slowRequests }) => count(slowRequests)],
];

export function showStatus(status) {
  const { ready, problem, version, serverVersion, listen, uptimeS } = status;
  showReadiness(ready ? 'ready' : 'not-ready', ready ? 'Ready' : 'Not ready');
  setText(byId('problem'), problem ?? '');
  setAttribute(byId('problem'), 'hidden', ready ? '' : null);
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  setText(byId('address'), `${host}:${listen.port}`);
  setText(byId('uptime'), `, up ${duration(uptimeS)}`);
  setText(byId('foot'), `evalgate ${version} in front of server ${serverVersion ?? 'of unknown version'}`);
  showPairs(byId('figures'), FIGURES, status);
  showPairs(byId('totals'), TOTALS, status);
}

/** `state` is `ready`, `not-ready` or `unknown`. The tab's title says it too. */
export function showReadiness(state, text) {
  const element = byId('readiness');
  setText(element, text);
  setAttribute(element, 'data-state', state);
  if (document.title !== `${text} · evalgate`) document.title = `${text} · evalgate`;
}

function showPairs(list, pairs, status) {
  keep(list, pairs, {
    keyOf: ([name]) => name,
    create: ([name]) => make('div', {}, make('dt', {}, name), make('dd')),
    update: (element, [, read, isNoticeable]) => {
      setText(element.lastElementChild, read(status));
      setAttribute(element, 'data-state', isNoticeable?.(status) ? 'notice' : null);
    },
  });
}
