// A static server, as small hosts are: files of a folder, some headers, and a note of what was asked for.

import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/**
 * Serves `folder`. `headers` go with every answer. Returns the `url` (with a slash at the end), the `requests` so far as
 * `{ path, status, bytes }`, and `stop()`.
 */
export async function serve(folder, { headers = {} } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    // Every browser asks for it, and nobody has it.
    if (pathname === '/favicon.ico') return void response.writeHead(204, headers).end();
    const asked = { path: pathname, status: 404, bytes: 0 };
    requests.push(asked);
    let file = join(folder, normalize(decodeURIComponent(pathname)));
    let size;
    try {
      if (statSync(file).isDirectory()) file = join(file, 'index.html');
      size = statSync(file).size;
    } catch {
      response.writeHead(404, { 'Content-Type': 'text/html', ...headers }).end('<!doctype html><title>not found</title>');
      return;
    }
    Object.assign(asked, { status: 200, bytes: size });
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': size, ...headers });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    requests,
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
