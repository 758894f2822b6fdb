// A Cloudflare Worker that says what a post feels: POST a form with `text`, `image`, or both; GET says what runs.
//
// workerd compiles no WebAssembly while it runs, so the programs are imported. The weights are static assets, in pieces of less
// than 25 MiB, which is the most that an asset may have: `node split.js` writes them into weights/.

import { createAnalyzer } from 'mixed-feelings/core';
import decoder from 'mixed-feelings/decoder.wasm';
import simd128 from 'mixed-feelings/simd128.wasm';

/** One for all requests that this isolate answers. */
let analyzer;

/** As long as there are pieces, the next one. */
function weights(assets) {
  let number = 0;
  let reader;
  return new ReadableStream({
    async pull(controller) {
      for (;;) {
        if (!reader) {
          const piece = await assets.fetch(`https://assets.local/weights.${number++}`);
          if (piece.status === 404) return controller.close();
          reader = piece.body.getReader();
        }
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        reader = undefined;
      }
    },
  });
}

export default {
  async fetch(request, env, context) {
    try {
      // The next request tries again, should it fail.
      analyzer ??= createAnalyzer({ bundle: weights(env.ASSETS), wasm: { simd128, decoder } }).catch((error) => {
        analyzer = undefined;
        throw error;
      });
      // Others wait for it too: it must not end with the request that began it.
      context.waitUntil(analyzer);
      if (request.method !== 'POST') return Response.json(await (await analyzer).info());
      const form = await request.formData();
      const image = form.get('image');
      const answer = await (await analyzer).analyze({ text: form.get('text'), image: image && (await image.arrayBuffer()) });
      return Response.json(answer);
    } catch ({ code, message, retriable }) {
      return Response.json({ code, message }, { status: retriable ? 503 : 400 });
    }
  },
};
