// The demo over a slow line: the bundle comes only as far as a test lets it.

import { createServer } from 'node:http';

/** Passes on what the demo at `demoUrl` serves. Returns a `url`, `letThrough(part)` (0 to 1 of the bundle), and `stop()`. */
export async function startSlowLine(demoUrl) {
  const bundles = []; // those under way: { response, body, sent }
  let part = 0;

  function send(bundle) {
    const end = Math.round(part * bundle.body.length);
    if (end > bundle.sent) bundle.response.write(bundle.body.subarray(bundle.sent, end));
    bundle.sent = end;
    if (part === 1) bundle.response.end();
  }

  async function passOn(path, response) {
    const answer = await fetch(new URL(path, demoUrl));
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (!path.endsWith('.safetensors')) {
      response.end(body);
      return;
    }
    response.flushHeaders(); // the length is known before any byte is there
    const bundle = { response, body, sent: 0 };
    bundles.push(bundle);
    send(bundle);
  }

  const server = createServer((request, response) => {
    passOn(request.url, response).catch(() => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    letThrough(upTo) {
      part = upTo;
      bundles.forEach(send);
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
