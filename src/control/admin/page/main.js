/**
 * The page at `/` of the admin port: asks the API in rounds and shows what it says.
 *
 * A round begins with the status. When that fails nothing else is asked: the page says so, keeps all that it shows, and
 * tries again. Behind another tab it rests.
 */
import { ask, storedToken, storeToken } from './api.js';
import { Charts } from './charts.js';
import { Cluster } from './cluster.js';
import { byId, setAttribute, setText } from './dom.js';
import { Events } from './events.js';
import { showReadiness, showStatus } from './figures.js';
import { counted, roughly, time } from './format.js';
import { Clients, SlowRequests } from './requests.js';
import { ScriptDialog } from './script-dialog.js';
import { Scripts } from './scripts.js';

const ROUND_MS = 2000;
const SHOWN_CLIENTS = 100;
const SHOWN_SLOW = 25;
const SHOWN_EVENTS = 200;

const charts = new Charts();
const cluster = new Cluster();
const dialog = new ScriptDialog();
const scripts = new Scripts({ onOpen: (sha) => dialog.open(sha), onFailure: showFailure });
const events = new Events(dialog);
const slowRequests = new SlowRequests(dialog);
const clients = new Clients();

/** When the API answered last; undefined before it did. */
let answeredMs;
let timer;
let isAsking = false;

async function round() {
  clearTimeout(timer);
  if (isAsking || document.hidden) return;
  isAsking = true;
  try {
    showStatus(await ask('status'));
    await Promise.all([
      ask('history').then((answer) => charts.update(answer)),
      ask('topology').then((answer) => cluster.update(answer)),
      ask('events', { limit: SHOWN_EVENTS }).then((answer) => events.update(answer)),
      ask('slowlog', { limit: SHOWN_SLOW }).then((answer) => slowRequests.update(answer)),
      ask('clients', { limit: SHOWN_CLIENTS }).then((answer) => clients.update(answer)),
      scripts.refresh(),
    ]);
    answeredMs = Date.now();
    showAnswer();
  } catch (error) {
    showFailure(error);
  } finally {
    isAsking = false;
  }
  // Without a token there is nothing to try: the form begins the next round.
  if (byId('token-form').hidden) timer = setTimeout(round, ROUND_MS);
}

function showAnswer() {
  showForm(false);
  byId('away').hidden = true;
  byId('main').classList.remove('stale');
  byId('forget').hidden = storedToken() === null;
}

/** @param {import('./api.js').ApiError} error or a mistake of this page, which the console should show too */
function showFailure(error) {
  if (error.kind === undefined) console.error(error);
  if (error.kind === 'denied') return askForToken();
  showReadiness('unknown', error.kind === 'away' ? 'No answer' : 'Unknown');
  byId('problem').hidden = true;
  const since =
    answeredMs === undefined ? '' : ` since ${time(answeredMs)} (${roughly((Date.now() - answeredMs) / 1000)})`;
  const shown = answeredMs === undefined ? '' : ' Below stands what was known then.';
  const what =
    error.kind === 'away'
      ? `evalgate does not answer${since}: ${error.message}.`
      : `evalgate cannot tell${since}: ${error.message}.`;
  setText(byId('away'), `${what} Trying again every ${counted(ROUND_MS / 1000, 'second')}.${shown}`);
  byId('away').hidden = false;
  byId('main').classList.add('stale');
}

/** What is shown stays where it is, behind the form. */
function askForToken() {
  const isRefused = storedToken() !== null;
  storeToken(null);
  setText(byId('token-error'), isRefused ? 'This token is not the right one.' : '');
  setAttribute(byId('token'), 'aria-invalid', isRefused);
  showReadiness('unknown', 'Token wanted');
  byId('away').hidden = true;
  showForm(true);
  byId('token').select();
}

function showForm(isShown) {
  byId('token-form').hidden = !isShown;
  byId('main').hidden = isShown;
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  storeToken(byId('token').value.trim());
  byId('token').value = '';
  void round();
});

byId('forget').addEventListener('click', () => {
  storeToken(null);
  void round();
});

document.addEventListener('visibilitychange', () => void round());

void round();
