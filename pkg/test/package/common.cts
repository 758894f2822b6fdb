// What a project of CommonJS writes. It is compiled, never run.
import { createAnalyzer, type Analysis, type MixedFeelingsError } from 'mixed-feelings';

export async function use(): Promise<Analysis | string> {
  try {
    return await (await createAnalyzer()).analyzeText('x');
  } catch (error) {
    return (error as MixedFeelingsError).code;
  }
}
