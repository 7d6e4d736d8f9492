/* Starts the compiled command line of an installed package. */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache()
const { runCommandLine } = await import('../dist/command-line.js')
await runCommandLine({ root: fileURLToPath(new URL('..', import.meta.url)) })
