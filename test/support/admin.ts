/**
 * Asks the admin port of a proxy, with any headers.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { ProxyServer } from '../../src/control/proxy.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // The shapes are what is tested: they are looked at, not believed.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly json: any;
}

/** One HTTP request with any headers, which fetch would not send. */
export async function ask(
  port: number,
  path: string,
  options: { method?: string; headers?: object; body?: string } = {},
) {
  const { method = 'GET', headers = {}, body } = options;
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers: { ...headers } });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const isJson = /^application\/json/.test(response.headers['content-type'] ?? '') && text !== '';
  const answer: Answer = {
    status: response.statusCode,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
  return answer;
}

export function adminPort(proxy: ProxyServer): number {
  assert.ok(proxy.adminAddress, 'there is no admin port');
  return proxy.adminAddress.port;
}
