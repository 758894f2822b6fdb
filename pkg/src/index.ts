/**
 * What a post feels, text and picture together, without anything leaving the page.
 *
 * @example
 * import { createAnalyzer } from 'mixed-feelings';
 * const analyzer = await createAnalyzer();
 * const { label, contradiction } = await analyzer.analyze({ text: 'Perfect solitude', image: file });
 */
export { createAnalyzer } from './analyzer.js';
export { MixedFeelingsError, type ErrorCode } from './errors.js';
export type {
  Analysis,
  Analyzer,
  AnalyzerOptions,
  Backend,
  Explanation,
  ImageSource,
  Label,
  Post,
  Progress,
  Reading,
  RegionWeights,
  Scores,
  SentimentLabel,
  Timings,
  WordWeight,
} from './types.js';
