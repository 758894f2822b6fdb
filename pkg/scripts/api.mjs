// The public declarations of the package, flattened and sorted, without comments: what a release promises.
//
// `npm run api` writes them to api.txt; a test compares the two.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const pkg = new URL('../', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, pkg));

/** Everything that `import` can name, of every entry point with declarations, as built in dist/. */
export function report() {
  const files = { '': 'index', '/core': 'core', '/element': 'element', '/worker': 'worker' };
  const entries = Object.fromEntries(Object.entries(files).map(([name, file]) => [`mixed-feelings${name}`, `dist/${file}.d.ts`]));
  const program = ts.createProgram(Object.values(entries).map(path), { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler });
  const checker = program.getTypeChecker();
  const printer = ts.createPrinter({ removeComments: true });
  const declarations = new Map();
  const lines = [];
  for (const [name, file] of Object.entries(entries)) {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(path(file)));
    const exported = symbol ? checker.getExportsOfModule(symbol) : [];
    lines.push(`${name}: ${exported.map((one) => one.name).sort().join(', ') || '(nothing)'}`);
    for (const one of exported) {
      const { declarations: found } = one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one;
      declarations.set(one.name, found.map((node) => printed(node, printer)).join('\n'));
    }
  }
  const sorted = [...declarations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return `${[...lines, ...sorted].join('\n\n')}\n`;
}

function printed(node, printer) {
  // Of a constant, the statement that declares it.
  const whole = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return printer.printNode(ts.EmitHint.Unspecified, whole, whole.getSourceFile());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(path('api.txt'), report());
