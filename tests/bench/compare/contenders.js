// What is asked: each package as its own documentation uses it, with its thresholds where it names some.

import { createRequire } from 'node:module';
import { cpus } from 'node:os';

const require = createRequire(import.meta.url);

/** Above and below 0: for the packages that give a sum of word scores and name no threshold. */
const bySign = (score) => (score > 0 ? 'positive' : score < 0 ? 'negative' : 'neutral');

/** transformers.js with a model of three labels, unless `folder` has another one. */
const MODEL = 'Xenova/twitter-roberta-base-sentiment-latest';

/**
 * Each has a `name`, a `rule` that says how its answer becomes one of three labels, the npm `packages` that it consists of,
 * the script of a `page` that uses it, `files` (URLs beside the packages that the page fetches too), and `open()`, which
 * returns `label(text)` and `close()`, or throws why it cannot run here.
 */
export function contenders({ transformers }) {
  return [
    {
      name: 'mixed-feelings',
      rule: 'its `label`',
      ours: true,
      async open() {
        const { createAnalyzer } = await import('../../../pkg/dist/index-node.js');
        // In this thread, as all others are: no message there and back is timed.
        const analyzer = await createAnalyzer({ worker: false });
        return { label: async (text) => (await analyzer.analyzeText(text)).label, close: () => analyzer.dispose() };
      },
    },
    {
      name: 'sentiment',
      rule: 'sign of `score`',
      page: `import Sentiment from 'sentiment'; window.label = (text) => new Sentiment().analyze(text).score;`,
      async open() {
        const Sentiment = require('sentiment');
        const sentiment = new Sentiment();
        return { label: async (text) => bySign(sentiment.analyze(text).score), close() {} };
      },
    },
    {
      name: 'vader-sentiment',
      rule: '`compound` ≥ .05, ≤ -.05',
      page: `import vader from 'vader-sentiment'; window.label = (text) => vader.SentimentIntensityAnalyzer.polarity_scores(text);`,
      async open() {
        const { SentimentIntensityAnalyzer } = require('vader-sentiment');
        const label = async (text) => {
          const { compound } = SentimentIntensityAnalyzer.polarity_scores(text);
          return compound >= 0.05 ? 'positive' : compound <= -0.05 ? 'negative' : 'neutral';
        };
        return { label, close() {} };
      },
    },
    {
      name: 'natural',
      rule: 'sign of `getSentiment`, AFINN with the Porter stemmer',
      // The whole package asks for databases; a page can have its sentiment alone.
      page: `import SentimentAnalyzer from 'natural/lib/natural/sentiment/SentimentAnalyzer.js';
        import PorterStemmer from 'natural/lib/natural/stemmers/porter_stemmer.js';
        import { WordTokenizer } from 'natural/lib/natural/tokenizers/regexp_tokenizer.js';
        const analyzer = new SentimentAnalyzer('English', PorterStemmer, 'afinn');
        window.label = (text) => analyzer.getSentiment(new WordTokenizer().tokenize(text));`,
      async open() {
        process.env.DOTENV_CONFIG_QUIET = 'true'; // what it loads for its databases speaks up otherwise
        const { SentimentAnalyzer, PorterStemmer, WordTokenizer } = require('natural');
        const analyzer = new SentimentAnalyzer('English', PorterStemmer, 'afinn');
        const tokenizer = new WordTokenizer();
        const label = async (text) => {
          const words = tokenizer.tokenize(text);
          return words.length > 0 ? bySign(analyzer.getSentiment(words)) : 'neutral';
        };
        return { label, close() {} };
      },
    },
    {
      name: '@huggingface/transformers',
      rule: `the label of ${MODEL}, 8 bits`,
      page: `import { pipeline } from '@huggingface/transformers'; window.label = pipeline('text-classification', '${MODEL}');`,
      files: ['onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm'],
      async open() {
        const { env, pipeline } = await import('@huggingface/transformers');
        if (transformers) Object.assign(env, { localModelPath: transformers, allowRemoteModels: false });
        const session_options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
        const classify = await pipeline('text-classification', MODEL, { dtype: 'q8', session_options });
        return { label: async (text) => (await classify(text))[0].label.toLowerCase(), close: () => classify.dispose() };
      },
    },
  ];
}

/** Where the times are taken. */
export const machine = () => `Node ${process.versions.node}, ${cpus()[0].model.trim()}`;
