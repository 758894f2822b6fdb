// The network of the pages under test: a proxy that sees every request, workers' and service workers' included, and
// passes on those to the demo, as far and as changed as a test wants. No other machine is reached.

import { createServer, request as send } from 'node:http';

/** Where Chromium itself connects to, for what it would suggest in fields; what a page asks for there, the page tells. */
const CALLS_HOME = /\.google(apis)?\.com:443$/;

/**
 * Starts it. Returns
 * - `url`: where it is;
 * - `requests`: all so far, as `{ url, at }`;
 * - `answer(target, answer)`: what the path or URL `target` gets in place of the demo's answer, as `{ status, type, body,
 *   headers }`, `'abort'`, or nothing any more;
 * - `letThrough(part)`: how much of a bundle arrives, 0 to 1; more may follow later;
 * - `cutNextBundle(bytes)`: the next bundle's connection breaks after so many bytes;
 * - `stop()`.
 */
export async function startNetwork() {
  const requests = [];
  const answers = new Map();
  const bundles = []; // those under way: { response, body, sent }
  let part = 1;
  let cut; // after how many bytes the next bundle breaks off

  function sendPart(bundle) {
    const end = Math.round(part * bundle.body.length);
    if (end > bundle.sent) bundle.response.write(bundle.body.subarray(bundle.sent, end));
    bundle.sent = end;
    if (part === 1) bundle.response.end();
  }

  function passOn(request, response) {
    const { method, headers } = request;
    const gone = () => response.destroy(); // the demo
    const onward = send(request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (answer.statusCode !== 200 || !request.url.endsWith('.safetensors')) {
        answer.on('error', gone).pipe(response);
        return;
      }
      response.flushHeaders(); // the length is known before any byte is there
      answer.toArray().then((chunks) => {
        const bundle = { response, body: Buffer.concat(chunks), sent: 0 };
        if (cut !== undefined) {
          response.write(bundle.body.subarray(0, cut), () => response.destroy());
          cut = undefined;
          return;
        }
        bundles.push(bundle);
        sendPart(bundle);
      }, gone);
    });
    onward.on('error', gone);
    request.pipe(onward);
  }

  const server = createServer((request, response) => {
    requests.push({ url: request.url, at: Date.now() });
    const { pathname, hostname } = new URL(request.url);
    const answer = answers.get(request.url) ?? answers.get(pathname);
    if (answer === 'abort' || (!answer && hostname !== '127.0.0.1')) {
      response.destroy();
    } else if (answer) {
      const { status = 200, type = 'application/octet-stream', body = '', headers } = answer;
      const length = Buffer.byteLength(body);
      response.writeHead(status, { 'Content-Type': type, 'Content-Length': length, 'Cache-Control': 'no-store', ...headers });
      response.end(body);
    } else {
      passOn(request, response);
    }
  });
  server.on('connect', ({ url }, socket) => {
    if (!CALLS_HOME.test(url)) requests.push({ url: `https://${url}`, at: Date.now() });
    socket.on('error', () => {}); // it may be gone before us
    socket.destroy();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    answer(target, answer) {
      if (answer) answers.set(target, answer);
      else answers.delete(target);
    },
    cutNextBundle(bytes) {
      cut = bytes;
    },
    letThrough(upTo) {
      part = upTo;
      bundles.forEach(sendPart);
      if (part === 1) bundles.length = 0;
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
