/**
 * Finds the entry modules of threads and child processes. A clone runs from `src/*.ts`, a published package
 * from `dist/*.js`, and the compiler does not rewrite URLs, so the extension follows this file's own.
 */

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** `path` is relative to the source root and without extension, e.g. `load/load-host`. */
export function entryModule(path: string): URL {
  return new URL(`../${path}${extension}`, import.meta.url)
}

/** A file that ships with the package beside `src` and `dist`, e.g. `fixtures/claims.yaml`. */
export function shippedFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url)
}
