// Other versions of Node than the one that runs this. The npm package `node` fetches its program in an install script; these are
// the packages that it fetches.

const PLATFORM = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

/** The npm package that brings a version of Node, and where its program is then. */
export function nodeOfNpm(version) {
  return { packages: { [PLATFORM]: version }, program: (project) => project.path(`node_modules/${PLATFORM}/bin/node`) };
}

/** For tools that need a newer Node than the package does. */
export const NODE_24 = nodeOfNpm('24.9.0');
