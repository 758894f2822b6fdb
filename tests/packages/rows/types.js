// TypeScript's view of the package: strict projects with every way of finding modules. publint and attw are asked by the
// package's own tests.

const GROUP = 'Types';

const USE = `import { createAnalyzer, MixedFeelingsError, type Analysis, type Analyzer, type Progress } from 'mixed-feelings';

export async function label(text: string, image: Uint8Array): Promise<string> {
  const analyzer: Analyzer = await createAnalyzer({ worker: false, onProgress: ({ loaded }: Progress) => void loaded });
  try {
    const { label, contradiction, explanation }: Analysis = await analyzer.analyze({ text, image });
    const words: string[] = (explanation.words ?? []).map((word) => word.text);
    return \`\${label} \${contradiction ?? 0} \${words.length}\`;
  } catch (error) {
    if (error instanceof MixedFeelingsError && error.code === 'empty-post') return 'nothing';
    throw error;
  } finally {
    analyzer.dispose();
  }
}

// @ts-expect-error: a number is no text
export const wrong = (analyzer: Analyzer) => analyzer.analyze({ text: 1 });
`;

const RESOLUTIONS = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
];

/** Nothing is left out: the package's own declarations are checked too. */
const STRICT = { strict: true, noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, types: [], target: 'es2022' };

function compiles(name, title, lib, version) {
  return {
    name,
    group: GROUP,
    title,
    fast: version.startsWith('5'),
    packages: { typescript: version },
    files: { 'use.ts': USE },
    async run(project) {
      const wrong = [];
      for (const options of RESOLUTIONS) {
        const config = `tsconfig.${options.moduleResolution}.json`;
        project.write(config, JSON.stringify({ compilerOptions: { ...STRICT, ...options, lib }, files: ['use.ts'] }));
        await project.run(project.bin('tsc'), '-p', config).catch((error) => wrong.push(`${options.moduleResolution}: ${error.message}`));
      }
      return wrong.length > 0 ? { error: wrong.join('; ') } : { compiles: true, note: RESOLUTIONS.map((one) => one.moduleResolution).join(', ') };
    },
  };
}

const [FIVE, SEVEN] = ['5.9.3', '7.0.2'];

export const types = [
  compiles('types-dom', 'a strict project with `lib.dom`', ['es2023', 'dom', 'dom.iterable'], FIVE),
  compiles('types-no-dom', 'a strict project without `lib.dom`', ['es2023'], FIVE),
  compiles('types-7-dom', 'TypeScript 7, with `lib.dom`', ['es2023', 'dom', 'dom.iterable'], SEVEN),
  compiles('types-7-no-dom', 'TypeScript 7, without `lib.dom`', ['es2023'], SEVEN),
];
