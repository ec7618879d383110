/**
 * The page at `/`: its files, which the build puts beside this one, and uPlot's. They hold no data, so they need no token:
 * a browser could not send one with its first request. All is read when the admin port starts; what a request asks for is
 * never a path.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';

const FOLDER = join(import.meta.dirname, 'page');
const INDEX = 'index.html';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Files of uPlot by the name that the page knows. */
const FROM_UPLOT: Readonly<Record<string, string>> = {
  'uplot.css': 'uplot/dist/uPlot.min.css',
  'uplot.js': 'uplot/dist/uPlot.esm.js',
};

interface PageRoute {
  readonly url: string;
  readonly isPublic: true;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** One route for each file. Throws when the package lacks them. */
export function pageRoutes(): PageRoute[] {
  const { resolve } = createRequire(import.meta.url);
  const own = readdirSync(FOLDER).map((name) => [name, join(FOLDER, name)] as const);
  const foreign = Object.entries(FROM_UPLOT).map(([name, path]) => [name, resolve(path)] as const);
  return [...own, ...foreign].map(([name, path]) => {
    const content = readFileSync(path);
    const type = TYPES[extname(name)] ?? 'application/octet-stream';
    return {
      url: name === INDEX ? '/' : `/page/${name}`,
      isPublic: true,
      handler: (_, reply) => reply.type(type).send(content),
    };
  });
}
