/**
 * The page of the admin port in a real browser, with a real cluster behind. Without Chromium (CHROMIUM, or on PATH) it is
 * skipped.
 */
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { adminPort, ask } from '../support/admin.ts';
import { RawClient } from '../support/client.ts';
import { freeze, thaw, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { shaOf } from '../support/stand.ts';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

const COUNT = "-- counts\nreturn redis.call('INCR', KEYS[1])";
const READ = "-- reads a little longer\nlocal found = redis.call('GET', KEYS[1])\nreturn found or 'nothing'";
const HOSTILE = `-- <script>document.title = 'owned'</script><img src=x onerror="document.title = 'owned'">\nreturn '<b>&amp;</b>'`;
const BROKEN = '-- calls what it is told\nlocal name = ARGV[1]\nreturn redis.call(name, KEYS[1])';
const REFUSED = "local x = 1\nreturn redis.call(ARGV[1], '<i>k</i>')";

function findChromium(): string | undefined {
  const { CHROMIUM, PATH = '' } = process.env;
  if (CHROMIUM !== undefined) return CHROMIUM;
  const places = PATH.split(delimiter).flatMap((folder) => BROWSERS.map((name) => join(folder, name)));
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const executablePath = findChromium();
const skip = executablePath === undefined ? 'there is no Chromium: install one or set CHROMIUM' : false;

describe('the page of the admin port', { skip }, () => {
  let browser: Browser;
  let gateway: Gateway;
  let client: RawClient;
  /** Errors and warnings of every page's console, and addresses that were asked. */
  const complaints: string[] = [];
  const asked = new Set<string>();

  before(async () => {
    browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { admin: { port: 0 }, scripting: { script_check_enable: 1, script_check_exempt: [shaOf(BROKEN)] } },
    );
    client = await RawClient.connect(gateway.port);
    await client.command('SCRIPT', 'LOAD', COUNT);
    await client.pipeline([
      ['EVAL', COUNT, 1, 'n'],
      ['EVAL', COUNT, 1, 'n'],
      ['EVAL', COUNT, 1, 'n'],
      ['EVAL', READ, 1, 'n'],
      ['EVAL', HOSTILE, 1, 'n'],
      ['EVAL', BROKEN, 1, 'n', 'LPUSH'],
    ]);
  });
  after(async () => {
    client?.close();
    await browser?.close();
    await gateway?.stop();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    assert.deepEqual(complaints.splice(0), []);
  });

  async function open(options: { proxy?: ProxyServer; viewport?: typeof WIDE; dark?: boolean } = {}): Promise<Page> {
    const { proxy = gateway.proxy, viewport = WIDE, dark = false } = options;
    const page = await browser.newPage({ viewport, colorScheme: dark ? 'dark' : 'light' });
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', (request) => asked.add(new URL(request.url()).origin));
    await page.goto(`http://127.0.0.1:${adminPort(proxy)}/`);
    return page;
  }

  const rowOf = (page: Page, body: string): Locator => page.locator(`#script-table tr[data-key="${shaOf(body)}"]`);
  const shasIn = async (page: Page): Promise<string[]> =>
    await page.evaluate("[...document.querySelectorAll('#script-table tbody tr')].map((row) => row.dataset.key)");

  it('shows that all is well: status, cluster, charts, scripts, clients; asks nobody else', async () => {
    const page = await open();
    await page.locator('#readiness[data-state=ready]').waitFor();
    assert.equal(await page.title(), 'Ready · evalgate');
    assert.equal(await page.locator('#address').textContent(), `127.0.0.1:${gateway.port}`);
    await rowOf(page, COUNT).waitFor();
    await page.locator('#nodes tbody tr').nth(2).waitFor();
    await page.locator('#client-table tbody tr').waitFor();
    const nodes = await page.locator('#nodes tbody td:first-child').allTextContents();
    assert.deepEqual(nodes.sort(), gateway.cluster.nodes.map((node) => node.address).sort());
    assert.equal(await page.locator('#slots span[data-state=good]').count(), 3);
    assert.match((await page.locator('#cluster-note').textContent()) ?? '', /all answer, 16,384 of 16,384 slots/);
    await page.locator('#charts canvas').nth(2).waitFor();
    await page
      .getByRole('img', { name: /^Traffic of the last 15 minutes: requests now [\d,.]+ \/s, at most/ })
      .waitFor();
    assert.match((await page.locator('#client-table tbody').textContent()) ?? '', /127\.0\.0\.1:\d+/);
    assert.deepEqual([...asked], [`http://127.0.0.1:${adminPort(gateway.proxy)}`]);
  });

  it('its files are served as what they are, under the policy of the port, to GET and HEAD', async () => {
    const port = adminPort(gateway.proxy);
    for (const [path, type] of [
      ['/', 'text/html'],
      ['/page/main.js', 'text/javascript'],
      ['/page/uplot.js', 'text/javascript'],
      ['/page/uplot.css', 'text/css'],
      ['/page/icon.svg', 'image/svg+xml'],
    ] as const) {
      const { status, headers } = await ask(port, path);
      assert.equal(status, 200, path);
      assert.ok(String(headers['content-type']).startsWith(type), path);
      assert.match(String(headers['content-security-policy']), /^default-src 'self';/);
    }
    assert.equal((await ask(port, '/', { method: 'HEAD' })).status, 200);
    assert.equal((await ask(port, '/', { method: 'POST' })).status, 405);
    for (const path of [
      '/page/',
      '/page/index.html',
      '/page/nothing.js',
      '/page/..%2froutes.js',
      '/page/../routes.js',
    ]) {
      assert.equal((await ask(port, path)).status, 404, path);
    }
  });

  it('rows change while one looks, and stay the same rows', async () => {
    const page = await open();
    const row = rowOf(page, COUNT);
    await row.locator('button').focus();
    const calls = await row.locator('td').nth(2).textContent();
    await client.pipeline(Array.from({ length: 1500 }, () => ['EVALSHA', shaOf(COUNT), 1, 'n']));
    await row.getByText(/^1,5\d\d$/).waitFor();
    assert.notEqual(await row.locator('td').nth(2).textContent(), calls);
    assert.equal(await page.evaluate("document.activeElement.closest('tr')?.dataset.key"), shaOf(COUNT));
  });

  it('the table is sorted by every column, both ways, by keyboard too', async () => {
    const page = await open();
    await rowOf(page, COUNT).waitFor();
    const port = adminPort(gateway.proxy);
    const headers = page.locator('#script-table th');
    const sorts = ['title', 'sha', 'calls', 'errors', 'p50', 'p99', 'bytes', 'origin', 'access', 'finding', 'nodes'];
    assert.equal(await headers.count(), sorts.length);
    for (const [i, sort] of sorts.entries()) {
      for (let press = 0; press < 2; press++) {
        const header = headers.nth(i);
        const before = await header.getAttribute('aria-sort');
        await header.locator('button').press('Enter');
        await waitFor(`sorted by ${sort}`, async () => (await header.getAttribute('aria-sort')) !== before);
        const direction = await header.getAttribute('aria-sort');
        assert.match(String(direction), /^(ascending|descending)$/);
        assert.equal(await page.locator('#script-table th:not([aria-sort=none])').count(), 1);
        const order = direction === 'ascending' ? 'asc' : 'desc';
        const { json } = await ask(port, `/api/scripts?sort=${sort}&order=${order}`);
        const wanted = json.scripts.map(({ sha }: { sha: string }) => sha);
        assert.deepEqual(await shasIn(page), wanted, `${sort} ${order}`);
      }
    }
  });

  it('finds scripts by title and sha, and says when there is none', async () => {
    const page = await open();
    await rowOf(page, COUNT).waitFor();
    const search = page.getByLabel('Search scripts by title or sha');
    await search.fill('LITTLE');
    await waitFor('one row', async () => (await shasIn(page)).join() === shaOf(READ));
    await search.fill(shaOf(COUNT).slice(0, 7));
    await waitFor('the other row', async () => (await shasIn(page)).join() === shaOf(COUNT));
    await search.fill('no such thing');
    await page.getByText('No script matches “no such thing”.').waitFor();
    await search.fill('');
    await waitFor('all rows', async () => (await shasIn(page)).length === 4);
  });

  it('a script opens with its findings at their lines, and closes by Escape to where one was', async () => {
    const page = await open();
    await rowOf(page, BROKEN).locator('button').press('Enter');
    const dialog = page.locator('#script-dialog');
    const line = dialog.locator('.lines li[data-state=bad]');
    await line.waitFor();
    assert.equal(await line.getAttribute('data-line'), '3');
    assert.equal(await line.locator('mark').textContent(), 'redis.call');
    assert.match((await line.locator('.finding').textContent()) ?? '', /^literal .*ERR bad lua script/);
    assert.equal((await dialog.locator('.lines code').allTextContents()).join('\n'), BROKEN);
    assert.match((await dialog.locator('.facts').textContent()) ?? '', new RegExp(shaOf(BROKEN)));
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate("document.activeElement.closest('tr')?.dataset.key"), shaOf(BROKEN));
  });

  it('what scripts and clients say stays text', async () => {
    await client.command('CLIENT', 'SETNAME', '<img/src=x/onerror=alert(1)>');
    const page = await open();
    await rowOf(page, HOSTILE).locator('button').click();
    const source = page.locator('#script-dialog .lines');
    await source.waitFor();
    assert.equal((await source.locator('code').allTextContents()).join('\n'), HOSTILE);
    assert.match((await page.locator('#script-title').textContent()) ?? '', /^<script>document\.title = 'owned'/);
    await page.getByText('<img/src=x/onerror=alert(1)>').first().waitFor();
    assert.equal(await page.locator('img, b:has(> *), body script, .lines b').count(), 0);
    assert.equal(await page.title(), 'Ready · evalgate');
    await client.command('CLIENT', 'SETNAME', 'plain');
  });

  it('a refusal appears while one looks, and tells line and text', async () => {
    const page = await open();
    await page.locator('#event-list li').first().waitFor();
    await client.command('EVAL', REFUSED, 1, 'n', 'GET');
    const event = page.locator('#event-list li', { hasText: 'Refused' }).first();
    await event.waitFor();
    assert.match((await event.textContent()) ?? '', /literal, line 2: return redis\.call\(ARGV\[1\], '<i>k<\/i>'\)/);
    await event.locator('button').click();
    const refused = page.locator('#script-dialog .lines li');
    await refused.waitFor();
    assert.equal(await refused.getAttribute('data-line'), '2');
    assert.match((await page.locator('#script-dialog').textContent()) ?? '', /ERR bad lua script for redis cluster/);
    await page.locator('#close-script').click();
    await page.getByRole('button', { name: /^Healed/ }).click();
    await waitFor('no refusal is listed', async () => (await event.count()) === 0);
  });

  it('a node that is silent: not ready, with the reason; its slots and row say so', async () => {
    const page = await open();
    await page.locator('#readiness[data-state=ready]').waitFor();
    const [node] = gateway.cluster.nodes;
    assert.ok(node);
    freeze(node);
    try {
      await page.locator('#readiness[data-state=not-ready]').waitFor();
      const reason = (await page.locator('#problem').textContent()) ?? '';
      assert.ok(reason.includes(`primary ${node.address} of`), reason);
      await page.locator('#nodes td[data-state=bad]').waitFor();
      assert.equal(await page.locator('#slots [data-state=bad]').count(), 1);
      assert.equal(await page.title(), 'Not ready · evalgate');
    } finally {
      thaw(node);
    }
    await page.locator('#readiness[data-state=ready]').waitFor();
    assert.equal(await page.locator('#problem').isVisible(), false);
  });

  for (const viewport of [WIDE, NARROW]) {
    for (const dark of [false, true]) {
      const scheme = dark ? 'dark' : 'light';
      it(`nothing is beyond the edge and all can be read at ${viewport.width} pixels, ${scheme}`, async () => {
        const page = await open({ viewport, dark });
        const row = rowOf(page, HOSTILE);
        await row.waitFor();
        await page.locator('#charts canvas').first().waitFor({ timeout: 30_000 });
        const isTooWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
        assert.equal(await page.evaluate(isTooWide), false);
        const cut = `[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && one.closest('.plain thead') === null)
          .map((one) => one.outerHTML.slice(0, 80))`;
        assert.deepEqual(await page.evaluate(cut), []);
        assert.deepEqual(await page.evaluate(LOW_CONTRASTS), []);
        await row.locator('button').click();
        await page.locator('#script-dialog .lines').waitFor();
        assert.equal(await page.evaluate(isTooWide), false);
      });
    }
  }

  it('is walked through by keyboard: what has the focus is seen', async () => {
    const page = await open();
    await rowOf(page, COUNT).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
    const seen: string[] = [];
    while ((await page.evaluate('document.activeElement.tagName')) !== 'BODY') {
      seen.push(await page.evaluate('document.activeElement.textContent.trim() || document.activeElement.id'));
      assert.equal(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'solid', seen.at(-1));
      await page.keyboard.press('Tab');
    }
    const order = ['Skip to the content', 'Cluster', 'Clients', 'search', 'Script', 'Nodes'].map((one) =>
      seen.indexOf(one),
    );
    assert.ok(!order.includes(-1), seen.join(' | '));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  });

  it('asks for the token, keeps it for the tab, and says when it is wrong', async () => {
    const proxy = await startProxy(gateway.cluster, { admin: { port: 0, token: 'open sesame' } });
    try {
      const page = await open({ proxy });
      const field = page.getByLabel('Value of admin.token in the config');
      await field.fill('open barley');
      await field.press('Enter');
      await page.getByText('This token is not the right one.').waitFor();
      assert.equal(await page.locator('#main').isVisible(), false);
      await field.fill('open sesame');
      await field.press('Enter');
      await page.locator('#readiness[data-state=ready]').waitFor();
      await page.locator('#nodes tbody tr').first().waitFor();
      assert.equal(await field.isVisible(), false);
      await page.reload();
      await page.locator('#readiness[data-state=ready]').waitFor();
      const other = await open({ proxy });
      await other.getByLabel('Value of admin.token in the config').waitFor();
      await page.getByRole('button', { name: 'Forget the token' }).click();
      await field.waitFor();
    } finally {
      await proxy.stop();
    }
    // A browser's console tells of every 401.
    const others = complaints.splice(0).filter((text) => !/status of 401/.test(text));
    assert.deepEqual(others, []);
  });

  it('says when evalgate is away, keeps what it shows, and goes on when it is back', async () => {
    const first = await startProxy(gateway.cluster, { admin: { port: 0 } });
    const port = adminPort(first);
    const page = await open({ proxy: first });
    await page.getByLabel('Search scripts by title or sha').fill('typed');
    await page.locator('#nodes tbody tr').first().waitFor();
    await first.stop();
    await page
      .locator('#away')
      .getByText(/^evalgate does not answer since \d/)
      .waitFor();
    assert.equal(await page.title(), 'No answer · evalgate');
    assert.equal(await page.locator('#nodes tbody tr').count(), 3);
    const second = await startProxy(gateway.cluster, { admin: { port } });
    try {
      await page.locator('#readiness[data-state=ready]').waitFor();
      await page.locator('#away').waitFor({ state: 'hidden' });
      assert.equal(await page.getByLabel('Search scripts by title or sha').inputValue(), 'typed');
    } finally {
      await second.stop();
      await page.close();
    }
    // A browser's console tells of every request that got no answer.
    const others = complaints.splice(0).filter((text) => !/net::ERR_/.test(text));
    assert.deepEqual(others, []);
  });

  it('all requests of all pages went to the admin port', () => {
    for (const origin of asked) assert.match(origin, /^http:\/\/127\.0\.0\.1:\d+$/);
  });
});

/** Text whose contrast to what is behind it is below 4.5 (WCAG 2, AA), computed in the browser. */
const LOW_CONTRASTS = `(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let one = element; one !== null; one = one.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(one).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
  return [...document.querySelectorAll('body *')]
    .filter((element) => hasText(element) && element.checkVisibility() && !element.disabled && element.tagName !== 'NOSCRIPT')
    .map((element) => [ratio(luminance(numbers(getComputedStyle(element).color).slice(0, 3)), luminance(behind(element))), element])
    .filter(([contrast]) => contrast < 4.5)
    .map(([contrast, element]) => contrast.toFixed(2) + ' ' + element.outerHTML.slice(0, 80));
})()`;
