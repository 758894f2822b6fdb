// Learning from labelled posts, on the real program: in this thread and in a worker, and over a crash.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { createAnalyzer, MixedFeelingsError } from '../dist/index.js';
import { bmp, cannotRun, installFileFetch, installWorker, readBundle, uninstallWorker } from './lib/node.mjs';

installFileFetch();
const photo = bmp(40, 30, [200, 120, 40]);
const POSTS = [{ text: 'that drop was sick' }, { image: photo }, { text: 'that drop was sick', image: photo }];
let bundle;
before(async () => {
  if (!cannotRun) bundle = await readBundle();
});

for (const worker of [false, true]) {
  describe(worker ? 'learning in a worker' : 'learning in this thread', { skip: cannotRun }, () => {
    let analyzer;
    let threads;
    let shipped;
    let examples;
    before(async () => {
      if (worker) threads = installWorker();
      analyzer = await createAnalyzer({ bundle, worker });
      shipped = await answers();
      const [first, , last] = analyzer.labels.map(({ name }) => name);
      const texts = ['sick beat', 'this is so sick', 'sick, absolutely sick', 'fine. whatever.', 'ok fine', 'fine I guess'];
      examples = texts.map((text, i) => ({ text, label: i < 3 ? last : first }));
      examples.push({ image: photo, label: first }, { text: 'a cup', image: photo, label: first }, { text: 'rain', image: photo, label: last });
    });
    after(() => {
      analyzer.dispose();
      uninstallWorker();
    });

    const answers = async (from = analyzer) => {
      const all = [];
      for (const post of POSTS) all.push(await from.analyze(post));
      return all.map(({ timings, ...answer }) => answer);
    };

    test('an example of which the signal aborts gives up the lesson', async () => {
      const reason = new Error('not this one');
      const given = [...examples, { text: 'x', label: examples[0].label, signal: AbortSignal.abort(reason) }];
      await assert.rejects(analyzer.learn(given), (error) => error === reason);
      assert.equal((await analyzer.info()).profile, null);
    });

    test('moves the answers, keeps the sum of the explanation, and is forgotten to the last bit', async () => {
      assert.equal((await analyzer.info()).profile, null);
      await assert.rejects(analyzer.exportProfile(), { code: 'no-profile' });
      const progress = [];
      const report = await analyzer.learn(examples, { onProgress: (one) => progress.push(one) });
      assert.equal(report.examples, examples.length);
      assert.deepEqual(report.heads.map(({ head, examples: count }) => [head, count]), [['text', 6], ['image', 1], ['fused', 2]]);
      for (const one of [report, ...report.heads]) assert.ok(one.before <= one.examples && one.after <= one.examples);
      assert.deepEqual(progress.at(-1), { done: examples.length, total: examples.length });
      assert.deepEqual((await analyzer.info()).profile, { examples: examples.length });
      const taught = await answers();
      assert.notDeepEqual(taught, shipped);
      for (const { explanation: why } of taught) {
        const shares = [...(why.words ?? []).map(({ weight }) => weight), ...(why.regions?.weights ?? [])];
        assert.ok(Math.abs(why.base + shares.reduce((sum, share) => sum + share, 0) - why.logit) < 1e-3);
      }
      assert.deepEqual(await analyzer.learn(examples), report, 'the same examples teach the same');
      assert.deepEqual(await answers(), taught);
      await analyzer.forget();
      assert.deepEqual(await answers(), shipped);
      assert.equal((await analyzer.info()).profile, null);
    });

    test('a profile goes on elsewhere', async () => {
      await analyzer.learn(examples);
      const taught = await answers();
      const profile = await analyzer.exportProfile();
      assert.ok(profile instanceof Uint8Array && profile.length < 100_000);
      await analyzer.forget();
      for (const form of [profile, profile.buffer, new Blob([profile])]) {
        const other = await createAnalyzer({ bundle, worker: false });
        await other.importProfile(form);
        assert.deepEqual(await answers(other), taught);
        assert.deepEqual((await other.info()).profile, { examples: examples.length });
        assert.deepEqual(await other.exportProfile(), profile);
        other.dispose();
      }
      assert.deepEqual(await answers(), shipped);
    });

    test('what is wrong is told and changes nothing', async () => {
      await analyzer.learn(examples);
      const taught = await answers();
      const profile = await analyzer.exportProfile();
      const [good] = examples;
      const bad = [
        [[], 'no-examples', /examples/],
        [[good, { ...good, label: 'furious' }], 'unknown-label', /^example 1: the label furious is none of negative/],
        [[good, { label: good.label }], 'empty-post', /^example 1/],
        [[good, null], 'bad-input', /^example 1/],
        [[good, { text: 'x'.repeat(200_000), label: good.label }], 'text-too-long', /^example 1/],
        [[good, { image: new Uint8Array(40), label: good.label }], 'not-an-image', /^example 1/],
        [Array(501).fill(good), 'too-many-examples', /500/],
        ['examples', 'bad-input', /iterated/],
        [undefined, 'bad-input', /iterated/],
      ];
      for (const [given, code, message] of bad) await assert.rejects(analyzer.learn(given), { code, message, name: 'MixedFeelingsError' });
      const damaged = profile.slice();
      damaged[100] ^= 1;
      const elsewhere = profile.slice();
      elsewhere[20] ^= 1;
      for (const [given, code] of [
        [damaged, 'profile-damaged'],
        [elsewhere, 'profile-damaged'],
        [profile.slice(0, 80), 'profile-damaged'],
        [new Uint8Array(), 'not-a-profile'],
        [new TextEncoder().encode('{}'), 'not-a-profile'],
        [new ArrayBuffer(20_000_000), 'not-a-profile'],
        ['mf-learn', 'bad-input'],
        [null, 'bad-input'],
      ]) {
        await assert.rejects(analyzer.importProfile(given), (error) => error instanceof MixedFeelingsError && error.code === code);
      }
      assert.deepEqual(await answers(), taught);
      assert.deepEqual(await analyzer.exportProfile(), profile);
      await analyzer.forget();
    });

    test('is given up with its signal, and then nothing is changed', async () => {
      const signal = AbortSignal.abort(new Error('left'));
      await assert.rejects(analyzer.learn(examples, { signal }), /left/);
      const controller = new AbortController();
      const learning = analyzer.learn(examples, { signal: controller.signal, onProgress: () => controller.abort(new Error('later')) });
      await assert.rejects(learning, /later/);
      assert.deepEqual(await answers(), shipped);
    });

    test('several at once are done one after the other', async () => {
      const [a, b, file] = await Promise.all([analyzer.learn(examples), analyzer.learn(examples.slice(0, 6)), analyzer.exportProfile()]);
      assert.deepEqual([a.examples, b.examples], [9, 6]);
      assert.deepEqual(file, await analyzer.exportProfile());
      await analyzer.forget();
    });

    if (worker) {
      test('is given up in the middle of it too', async () => {
        await analyzer.learn(examples.slice(0, 6));
        const taught = await answers();
        const profile = await analyzer.exportProfile();
        const controller = new AbortController();
        const thread = threads.at(-1);
        const { postMessage } = thread;
        thread.postMessage = function (message, transfer) {
          postMessage.call(this, message, transfer);
          if (message.call?.method === 'learn') controller.abort(new Error('too late for the worker'));
        };
        await assert.rejects(analyzer.learn(examples, { signal: controller.signal }), /too late for the worker/);
        thread.postMessage = postMessage;
        assert.deepEqual(await answers(), taught);
        assert.deepEqual(await analyzer.exportProfile(), profile);
        await analyzer.forget();
      });

      test('outlives a crash', async () => {
        await analyzer.learn(examples);
        const taught = await answers();
        await threads.at(-1).terminate();
        // One call may be what it costs.
        await analyzer.analyze({ text: 'x' }).catch(({ code }) => assert.equal(code, 'worker-failed'));
        assert.deepEqual(await answers(), taught);
        await analyzer.forget();
        await threads.at(-1).terminate();
        await analyzer.analyze({ text: 'x' }).catch(({ code }) => assert.equal(code, 'worker-failed'));
        assert.deepEqual(await answers(), shipped);
      });
    }
  });
}
