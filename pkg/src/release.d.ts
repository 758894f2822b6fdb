/** What `scripts/build.mjs` writes of this release, from `package.json` and the checksum that is committed. */

/** The package's version. */
export const VERSION: string;

/** SHA-256 of the bundle that comes with the package, in hexadecimal digits. */
export const BUNDLE_SHA256: string;
